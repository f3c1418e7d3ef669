// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/counter.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct counter {
	enum metric metric;
	int reason; /* -errno of the event that was preferred; 0: none was */
	int n_cpus;
	int *fds; /* -1: that CPU is offline */
};

struct reading {
	uint64_t value, enabled, running;
};

static struct perf_event_attr attr_of(enum metric m)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = m == METRIC_TASK_CLOCK ? PERF_TYPE_SOFTWARE : PERF_TYPE_HARDWARE,
		.config = m == METRIC_TASK_CLOCK     ? PERF_COUNT_SW_TASK_CLOCK
			  : m == METRIC_INSTRUCTIONS ? PERF_COUNT_HW_INSTRUCTIONS
						     : PERF_COUNT_HW_CPU_CYCLES,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
		.exclude_kernel = m != METRIC_TASK_CLOCK,
		.exclude_hv = m != METRIC_TASK_CLOCK,
	};

	return attr;
}

static int event_open(enum metric m, pid_t pid, int cpu)
{
	struct perf_event_attr attr = attr_of(m);
	int fd = syscall(SYS_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int counter_open_task(enum metric m, pid_t tid)
{
	return event_open(m, tid, -1);
}

static int events_open(struct counter *c, enum metric m)
{
	int opened = 0;

	for (int cpu = 0; cpu < c->n_cpus; cpu++) {
		int fd = event_open(m, -1, cpu);

		if (fd == -ENODEV) /* offline */
			continue;
		if (fd < 0) {
			while (cpu--) {
				if (c->fds[cpu] >= 0)
					close(c->fds[cpu]);
				c->fds[cpu] = -1;
			}
			return fd == -EOPNOTSUPP || fd == -EINVAL ? -ENOENT : fd;
		}
		c->fds[cpu] = fd;
		opened++;
	}
	c->metric = m;
	return opened ? 0 : -ENOENT;
}

int counter_open(enum metric wanted, struct counter **ret)
{
	struct counter *c = calloc(1, sizeof(*c));
	int err = 0;

	if (!c)
		return -ENOMEM;
	c->n_cpus = libbpf_num_possible_cpus();
	c->fds = c->n_cpus > 0 ? malloc(c->n_cpus * sizeof(*c->fds)) : NULL;
	if (!c->fds) {
		free(c);
		return -ENOMEM;
	}
	for (int i = 0; i < c->n_cpus; i++)
		c->fds[i] = -1;
	c->metric = METRIC_TASK_CLOCK;
	if (wanted == METRIC_INSTRUCTIONS || wanted == METRIC_CYCLES) {
		err = events_open(c, wanted);
	} else if (!wanted) {
		c->reason = events_open(c, METRIC_INSTRUCTIONS);
		if (c->reason)
			events_open(c, METRIC_CYCLES);
	}
	if (err) {
		counter_close(c);
		return err;
	}
	*ret = c;
	return 0;
}

void counter_close(struct counter *c)
{
	if (!c)
		return;
	for (int i = 0; i < c->n_cpus; i++)
		if (c->fds[i] >= 0)
			close(c->fds[i]);
	free(c->fds);
	free(c);
}

enum metric counter_metric(const struct counter *c)
{
	return c->metric;
}

const char *counter_fallback_reason(const struct counter *c)
{
	return counter_reason(c->reason);
}

const char *counter_reason(int err)
{
	switch (err) {
	case 0:
		return NULL;
	case -EACCES:
	case -EPERM:
		return "no right to count instructions: run with CAP_PERFMON or lower "
		       "kernel.perf_event_paranoid";
	case -EBUSY:
		return "the instruction counter is taken by someone else (another profiler, or "
		       "the NMI watchdog)";
	default:
		return "this machine shows no instruction counter (a virtual machine without a "
		       "virtual PMU?)";
	}
}

int counter_publish(const struct counter *c, int map_fd)
{
	for (int cpu = 0; cpu < c->n_cpus; cpu++)
		if (c->fds[cpu] >= 0 && bpf_map_update_elem(map_fd, &cpu, &c->fds[cpu], BPF_ANY))
			return -errno;
	return 0;
}

int counter_read(const struct counter *c, unsigned cpu, uint64_t *ret)
{
	struct timespec now;
	struct reading r;

	if (c->metric == METRIC_TASK_CLOCK) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		*ret = now.tv_sec * 1000000000ull + now.tv_nsec;
		return 0;
	}
	if (cpu >= (unsigned)c->n_cpus || c->fds[cpu] < 0)
		return -ENODEV;
	if (read(c->fds[cpu], &r, sizeof(r)) != sizeof(r))
		return -EIO;
	*ret = r.value;
	return 0;
}

double counter_running(const struct counter *c)
{
	double least = 1;
	struct reading r;

	for (int cpu = 0; cpu < c->n_cpus; cpu++) {
		if (c->fds[cpu] < 0 || read(c->fds[cpu], &r, sizeof(r)) != sizeof(r) || !r.enabled)
			continue;
		if ((double)r.running / r.enabled < least)
			least = (double)r.running / r.enabled;
	}
	return least;
}
