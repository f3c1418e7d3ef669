// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/counter.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "userspace/clock.h"
#include "userspace/counter_reason.h"
#include "userspace/perf_event.h"

/* Enough to count something, and for what others have on the PMU to take turns. */
#define LOOK_NS 1000000ull
#define TURN_NS 250000000ull

struct cpu_counter {
	int fd; /* -1: none, that CPU was offline */
	struct perf_reading from, last;
};

struct counter {
	enum metric metric;
	bool kernel_mode;
	char reason[256], caution[256]; /* "": none */
	struct cpu_kinds kinds;
	double least; /* share of events that are closed by now */
	int n_cpus;
	struct cpu_counter cpus[];
};

static void events_close(struct counter *c)
{
	for (int i = 0; i < c->n_cpus; i++) {
		if (c->cpus[i].fd >= 0)
			close(c->cpus[i].fd);
		c->cpus[i] = (struct cpu_counter){.fd = -1};
	}
}

static int events_look(struct counter *c)
{
	struct perf_reading *v = calloc(c->n_cpus, sizeof(*v));
	int err;

	if (!v)
		return -ENOMEM;
	for (int i = 0; i < c->n_cpus; i++)
		if (c->cpus[i].fd >= 0 && perf_event_read(c->cpus[i].fd, &v[i]))
			v[i] = (struct perf_reading){0};
	err = perf_event_judge(v, c->n_cpus);
	free(v);
	return err;
}

/* Waits on the CPU: idle, there would be nothing for the counter to count. */
static int events_prove(struct counter *c)
{
	uint64_t begin = clock_ns(), look = begin;
	int err;

	do {
		look += LOOK_NS;
		while (clock_ns() < look)
			;
		err = events_look(c);
	} while (err == -EAGAIN && clock_ns() < begin + TURN_NS);
	return err == -EAGAIN ? -EBUSY : err;
}

static int event_open(const struct counter *c, enum metric m, int cpu)
{
	return c->kernel_mode ? perf_event_open_kernel(m, &c->kinds, cpu)
			      : perf_event_open(m, &c->kinds, -1, cpu);
}

static int events_open(struct counter *c, enum metric m)
{
	int opened = 0, err = 0;

	for (int i = 0; !err && i < c->n_cpus; i++) {
		int fd = event_open(c, m, i);

		if (fd >= 0) {
			c->cpus[i].fd = fd;
			opened++;
		} else if (fd != -ENODEV) { /* offline */
			err = fd == -ENOENT && opened ? -ENXIO : fd;
		}
	}
	if (!err)
		err = opened ? events_prove(c) : -ENOENT;
	if (err)
		events_close(c);
	else
		c->metric = m;
	return err;
}

static void caution_set(struct counter *c)
{
	char names[128];

	if (c->metric != METRIC_CYCLES || !cpu_kinds_mixed(&c->kinds))
		return;
	cpu_kinds_names(&c->kinds, names, sizeof(names));
	snprintf(c->caution, sizeof(c->caution),
		 "CPUs of several kinds (%s): cycles of one are no cycles of the other, and the "
		 "calibration is of the one it ran on",
		 names);
}

static struct counter *counter_new(void)
{
	int n = libbpf_num_possible_cpus();
	struct counter *c = n > 0 ? calloc(1, sizeof(*c) + n * sizeof(*c->cpus)) : NULL;

	if (!c)
		return NULL;
	c->n_cpus = n;
	c->least = 1;
	c->metric = METRIC_TASK_CLOCK;
	for (int i = 0; i < n; i++)
		c->cpus[i].fd = -1;
	/* Unreadable is as good as alike. */
	cpu_kinds_read(CPU_KINDS_DIR, &c->kinds);
	return c;
}

int counter_open(enum metric wanted, struct counter **ret)
{
	struct counter *c = counter_new();
	int err = 0;

	if (!c)
		return -ENOMEM;
	if (wanted == METRIC_INSTRUCTIONS || wanted == METRIC_CYCLES) {
		err = events_open(c, wanted);
	} else if (!wanted) {
		int why = events_open(c, METRIC_INSTRUCTIONS);

		if (why) {
			counter_reason(why, c->reason, sizeof(c->reason));
			/* Who holds the PMU leaves too little of it for calibrating. */
			if (why != -EBUSY)
				events_open(c, METRIC_CYCLES);
		}
	}
	if (err) {
		counter_close(c);
		return err;
	}
	caution_set(c);
	*ret = c;
	return 0;
}

int counter_open_kernel(const struct counter *user, struct counter **ret)
{
	struct counter *c;
	int err;

	if (user->metric == METRIC_TASK_CLOCK)
		return -EINVAL;
	c = counter_new();
	if (!c)
		return -ENOMEM;
	c->kernel_mode = true;
	err = events_open(c, user->metric);
	if (err)
		counter_close(c);
	else
		*ret = c;
	return err;
}

void counter_close(struct counter *c)
{
	if (!c)
		return;
	events_close(c);
	free(c);
}

enum metric counter_metric(const struct counter *c)
{
	return c->metric;
}

const char *counter_fallback_reason(const struct counter *c)
{
	return *c->reason ? c->reason : NULL;
}

const char *counter_caution(const struct counter *c)
{
	return *c->caution ? c->caution : NULL;
}

static int publish(const struct counter *c, int cpu, int map_fd)
{
	return bpf_map_update_elem(map_fd, &cpu, &c->cpus[cpu].fd, BPF_ANY) ? -errno : 0;
}

int counter_publish(const struct counter *c, int map_fd)
{
	int err = 0;

	for (int cpu = 0; !err && cpu < c->n_cpus; cpu++)
		if (c->cpus[cpu].fd >= 0)
			err = publish(c, cpu, map_fd);
	return err;
}

/* An event's time stands still once its CPU has been offline: it is taken off for good. */
static bool event_is_alive(struct cpu_counter *cpu)
{
	struct perf_reading now;
	bool alive;

	if (cpu->fd < 0 || perf_event_read(cpu->fd, &now))
		return false;
	alive = now.enabled > cpu->last.enabled;
	cpu->last = now;
	return alive;
}

static int event_renew(struct counter *c, int i, int map_fd)
{
	struct cpu_counter *cpu = &c->cpus[i];
	int fd = event_open(c, c->metric, i);
	double share = perf_event_share(&cpu->from, &cpu->last);

	if (fd < 0)
		return fd == -ENODEV ? 0 : fd;
	if (share < c->least)
		c->least = share;
	if (cpu->fd >= 0)
		close(cpu->fd);
	*cpu = (struct cpu_counter){.fd = fd};
	return publish(c, i, map_fd);
}

int counter_follow_cpus(struct counter *c, int map_fd)
{
	bool kinds_read = false;
	struct cpu_list online;
	int err = 0, one;

	if (c->metric == METRIC_TASK_CLOCK || cpu_list_read(CPU_KINDS_ONLINE, &online))
		return 0;
	for (int i = 0; i < c->n_cpus; i++) {
		if (event_is_alive(&c->cpus[i]) || !cpu_list_has(&online, i))
			continue;
		if (!kinds_read) /* x86 leaves CPUs out that are offline */
			cpu_kinds_read(CPU_KINDS_DIR, &c->kinds);
		kinds_read = true;
		one = event_renew(c, i, map_fd);
		err = one ? one : err;
	}
	return err;
}

int counter_read(const struct counter *c, unsigned cpu, uint64_t *ret)
{
	struct perf_reading r;

	if (c->metric == METRIC_TASK_CLOCK) {
		*ret = clock_ns();
		return 0;
	}
	if (cpu >= (unsigned)c->n_cpus || c->cpus[cpu].fd < 0)
		return -ENODEV;
	if (perf_event_read(c->cpus[cpu].fd, &r))
		return -EIO;
	*ret = r.value;
	return 0;
}

void counter_start(struct counter *c)
{
	struct perf_reading now;

	c->least = 1;
	for (int i = 0; i < c->n_cpus; i++)
		if (c->cpus[i].fd >= 0 && !perf_event_read(c->cpus[i].fd, &now))
			c->cpus[i].from = c->cpus[i].last = now;
}

double counter_running(const struct counter *c)
{
	double least = c->least, share;
	struct perf_reading now;

	for (int i = 0; i < c->n_cpus; i++) {
		if (c->cpus[i].fd < 0 || perf_event_read(c->cpus[i].fd, &now))
			continue;
		share = perf_event_share(&c->cpus[i].from, &now);
		least = share < least ? share : least;
	}
	return least;
}
