/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/sample_event.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "userspace/counter.h"
#include "userspace/perf_event.h"

struct cpu_event {
	int fd; /* -1: that CPU was offline */
	struct perf_event_mmap_page *notes; /* where the kernel tells of throttling; or NULL */
	struct perf_reading from, last;
};

struct sample_events {
	enum metric metric;
	uint64_t period, throttled;
	char reason[256], caution[256]; /* "": none */
	struct cpu_kinds kinds;
	double least; /* share of events that are closed by now */
	int program; /* -1: not started */
	int n_cpus;
	struct cpu_event cpus[];
};

/* A page for the head, and one for the notes. */
static size_t notes_size(void)
{
	return 2 * (size_t)sysconf(_SC_PAGESIZE);
}

static int event_open(struct sample_events *e, int cpu)
{
	struct cpu_event *c = &e->cpus[cpu];
	int fd = perf_event_open_sampling(e->metric, &e->kinds, cpu, e->period);
	void *notes;

	if (fd < 0)
		return fd;
	*c = (struct cpu_event){.fd = fd};
	/* Beyond a limit on locked memory it goes without. */
	notes = mmap(NULL, notes_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (notes != MAP_FAILED)
		c->notes = notes;
	return 0;
}

/* What has been noted since last looked at: nothing but throttling is interesting. */
static void notes_take(struct sample_events *e, struct cpu_event *c)
{
	uint64_t page = sysconf(_SC_PAGESIZE), head, tail;
	const char *data = (const char *)c->notes + page;
	struct perf_event_header record;

	if (!c->notes)
		return;
	head = __atomic_load_n(&c->notes->data_head, __ATOMIC_ACQUIRE);
	for (tail = c->notes->data_tail; tail < head; tail += record.size) {
		/* Records are whole multiples of 8 bytes, so a header never wraps. */
		memcpy(&record, data + tail % page, sizeof(record));
		if (record.size < sizeof(record))
			break;
		e->throttled += record.type == PERF_RECORD_THROTTLE;
	}
	__atomic_store_n(&c->notes->data_tail, head, __ATOMIC_RELEASE);
}

static void event_close(struct sample_events *e, struct cpu_event *c)
{
	notes_take(e, c);
	if (c->notes)
		munmap(c->notes, notes_size());
	if (c->fd >= 0)
		close(c->fd);
	*c = (struct cpu_event){.fd = -1};
}

static int events_open(struct sample_events *e)
{
	int opened = 0, err = 0;

	for (int i = 0; !err && i < e->n_cpus; i++) {
		err = event_open(e, i);
		opened += !err;
		err = err == -ENODEV ? 0 : err;
	}
	if (!err && !opened)
		err = -ENOENT;
	for (int i = 0; err && i < e->n_cpus; i++)
		event_close(e, &e->cpus[i]);
	return err;
}

static uint64_t period_of(enum metric m, unsigned rate)
{
	uint64_t a_second = m == METRIC_TASK_CLOCK ? 1000000000ull : SAMPLE_NOMINAL;

	/* Odd, so that loops of round lengths are met everywhere. */
	return a_second / rate | 1;
}

/* The metric that a counter of everything proves to be there. */
static int metric_choose(struct sample_events *e, enum metric wanted)
{
	struct counter *counter;
	int err = counter_open(wanted, &counter);

	if (err)
		return err;
	e->metric = counter_metric(counter);
	if (counter_fallback_reason(counter))
		snprintf(e->reason, sizeof(e->reason), "%s", counter_fallback_reason(counter));
	if (counter_caution(counter) && e->metric == METRIC_CYCLES)
		snprintf(e->caution, sizeof(e->caution),
			 "CPUs of several kinds: cycles of one are no cycles of the other");
	counter_close(counter);
	return 0;
}

static int choice_open(struct sample_events *e, enum metric wanted, unsigned rate, uint64_t period)
{
	int err = metric_choose(e, wanted);

	if (err)
		return err;
	e->period = period ? period : period_of(e->metric, rate);
	err = events_open(e);
	if (err != -ENOENT || wanted || e->metric == METRIC_TASK_CLOCK)
		return err;
	snprintf(e->reason, sizeof(e->reason),
		 "this machine's PMU counts but cannot interrupt, so nothing can be sampled by it");
	*e->caution = 0;
	e->metric = METRIC_TASK_CLOCK;
	e->period = period ? period : period_of(e->metric, rate);
	return events_open(e);
}

int sample_events_open(enum metric wanted, unsigned rate, uint64_t period,
		       struct sample_events **ret)
{
	int n = libbpf_num_possible_cpus(), err;
	struct sample_events *e = n > 0 ? calloc(1, sizeof(*e) + n * sizeof(*e->cpus)) : NULL;

	if (!e)
		return -ENOMEM;
	e->n_cpus = n;
	e->least = 1;
	e->program = -1;
	for (int i = 0; i < n; i++)
		e->cpus[i].fd = -1;
	/* Unreadable is as good as alike. */
	cpu_kinds_read(CPU_KINDS_DIR, &e->kinds);
	err = choice_open(e, wanted, rate ? rate : SAMPLE_RATE_DEFAULT, period);
	if (err) {
		sample_events_close(e);
		return err;
	}
	*ret = e;
	return 0;
}

void sample_events_close(struct sample_events *e)
{
	if (!e)
		return;
	for (int i = 0; i < e->n_cpus; i++)
		event_close(e, &e->cpus[i]);
	free(e);
}

enum metric sample_events_metric(const struct sample_events *e)
{
	return e->metric;
}

uint64_t sample_events_period(const struct sample_events *e)
{
	return e->period;
}

const char *sample_events_fallback_reason(const struct sample_events *e)
{
	return *e->reason ? e->reason : NULL;
}

const char *sample_events_caution(const struct sample_events *e)
{
	return *e->caution ? e->caution : NULL;
}

static int event_start(const struct sample_events *e, struct cpu_event *c)
{
	if (ioctl(c->fd, PERF_EVENT_IOC_SET_BPF, e->program) ||
	    ioctl(c->fd, PERF_EVENT_IOC_ENABLE, 0))
		return -errno;
	if (!perf_event_read(c->fd, &c->from))
		c->last = c->from;
	return 0;
}

int sample_events_start(struct sample_events *e, int program_fd)
{
	int err = 0;

	e->program = program_fd;
	for (int i = 0; !err && i < e->n_cpus; i++)
		if (e->cpus[i].fd >= 0)
			err = event_start(e, &e->cpus[i]);
	return err;
}

void sample_events_stop(struct sample_events *e)
{
	for (int i = 0; i < e->n_cpus; i++)
		if (e->cpus[i].fd >= 0)
			ioctl(e->cpus[i].fd, PERF_EVENT_IOC_DISABLE, 0);
}

/* An event's time stands still once its CPU has been offline: it is taken off for good. */
static bool event_is_alive(struct cpu_event *c)
{
	struct perf_reading now;
	bool alive;

	if (c->fd < 0 || perf_event_read(c->fd, &now))
		return false;
	alive = now.enabled > c->last.enabled;
	c->last = now;
	return alive;
}

static int event_renew(struct sample_events *e, int cpu)
{
	struct cpu_event *c = &e->cpus[cpu];
	double share = perf_event_share(&c->from, &c->last);
	int err;

	if (c->fd >= 0 && share < e->least)
		e->least = share;
	event_close(e, c);
	err = event_open(e, cpu);
	if (err)
		return err == -ENODEV ? 0 : err;
	return event_start(e, c);
}

int sample_events_follow_cpus(struct sample_events *e)
{
	struct cpu_list online;
	int err = 0, one;

	if (e->program < 0 || cpu_list_read(CPU_KINDS_ONLINE, &online))
		return 0;
	for (int i = 0; i < e->n_cpus; i++) {
		if (event_is_alive(&e->cpus[i]) || !cpu_list_has(&online, i))
			continue;
		one = event_renew(e, i);
		err = one ? one : err;
	}
	return err;
}

uint64_t sample_events_throttled(struct sample_events *e)
{
	for (int i = 0; i < e->n_cpus; i++)
		notes_take(e, &e->cpus[i]);
	return e->throttled;
}

double sample_events_running(const struct sample_events *e)
{
	double least = e->least, share;
	struct perf_reading now;

	for (int i = 0; i < e->n_cpus; i++) {
		if (e->cpus[i].fd < 0 || perf_event_read(e->cpus[i].fd, &now))
			continue;
		share = perf_event_share(&e->cpus[i].from, &now);
		least = share < least ? share : least;
	}
	return least;
}
