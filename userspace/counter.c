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
	int *kernel_fds; /* likewise, in kernel mode; NULL: not counted */
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

static int event_open(const struct perf_event_attr *attr, pid_t pid, int cpu)
{
	int fd = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int counter_open_task(enum metric m, pid_t tid)
{
	struct perf_event_attr attr = attr_of(m);

	return event_open(&attr, tid, -1);
}

static int *fds_new(int n)
{
	int *fds = n > 0 ? malloc(n * sizeof(*fds)) : NULL;

	for (int i = 0; fds && i < n; i++)
		fds[i] = -1;
	return fds;
}

static void fds_close(int *fds, int n)
{
	for (int i = 0; fds && i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

static int events_open(const struct perf_event_attr *attr, int *fds, int n)
{
	int opened = 0;

	for (int cpu = 0; cpu < n; cpu++) {
		int fd = event_open(attr, -1, cpu);

		if (fd == -ENODEV) /* offline */
			continue;
		if (fd < 0) {
			fds_close(fds, cpu);
			return fd == -EOPNOTSUPP || fd == -EINVAL ? -ENOENT : fd;
		}
		fds[cpu] = fd;
		opened++;
	}
	return opened ? 0 : -ENOENT;
}

static int metric_open(struct counter *c, enum metric m)
{
	struct perf_event_attr attr = attr_of(m);
	int err = events_open(&attr, c->fds, c->n_cpus);

	if (!err)
		c->metric = m;
	return err;
}

int counter_open(enum metric wanted, struct counter **ret)
{
	struct counter *c = calloc(1, sizeof(*c));
	int err = 0;

	if (!c)
		return -ENOMEM;
	c->n_cpus = libbpf_num_possible_cpus();
	c->fds = fds_new(c->n_cpus);
	if (!c->fds) {
		free(c);
		return -ENOMEM;
	}
	c->metric = METRIC_TASK_CLOCK;
	if (wanted == METRIC_INSTRUCTIONS || wanted == METRIC_CYCLES) {
		err = metric_open(c, wanted);
	} else if (!wanted) {
		c->reason = metric_open(c, METRIC_INSTRUCTIONS);
		if (c->reason)
			metric_open(c, METRIC_CYCLES);
	}
	if (err) {
		counter_close(c);
		return err;
	}
	*ret = c;
	return 0;
}

int counter_open_kernel(struct counter *c)
{
	struct perf_event_attr attr = attr_of(c->metric);
	int err;

	if (c->metric == METRIC_TASK_CLOCK)
		return c->reason ? c->reason : -EINVAL;
	attr.exclude_kernel = 0;
	attr.exclude_user = 1;
	c->kernel_fds = fds_new(c->n_cpus);
	if (!c->kernel_fds)
		return -ENOMEM;
	err = events_open(&attr, c->kernel_fds, c->n_cpus);
	if (err) {
		free(c->kernel_fds);
		c->kernel_fds = NULL;
	}
	return err;
}

void counter_close(struct counter *c)
{
	if (!c)
		return;
	fds_close(c->fds, c->n_cpus);
	fds_close(c->kernel_fds, c->n_cpus);
	free(c->kernel_fds);
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

const char *counter_kernel_reason(int err)
{
	switch (err) {
	case -EACCES:
	case -EPERM:
		return "no right to count what the kernel does: run with CAP_PERFMON or lower "
		       "kernel.perf_event_paranoid to 1 or less";
	case -EINVAL:
		return "task-clock has the kernel's time in it already";
	default:
		return counter_reason(err);
	}
}

static int fds_publish(const int *fds, int n, int map_fd)
{
	for (int cpu = 0; fds && cpu < n; cpu++)
		if (fds[cpu] >= 0 && bpf_map_update_elem(map_fd, &cpu, &fds[cpu], BPF_ANY))
			return -errno;
	return 0;
}

int counter_publish(const struct counter *c, int map_fd)
{
	return fds_publish(c->fds, c->n_cpus, map_fd);
}

int counter_publish_kernel(const struct counter *c, int map_fd)
{
	return fds_publish(c->kernel_fds, c->n_cpus, map_fd);
}

bool counter_has_kernel(const struct counter *c)
{
	return c->kernel_fds;
}

static int fds_read(const struct counter *c, const int *fds, unsigned cpu, uint64_t *ret)
{
	struct reading r;

	if (!fds || cpu >= (unsigned)c->n_cpus || fds[cpu] < 0)
		return -ENODEV;
	if (read(fds[cpu], &r, sizeof(r)) != sizeof(r))
		return -EIO;
	*ret = r.value;
	return 0;
}

int counter_read(const struct counter *c, unsigned cpu, uint64_t *ret)
{
	struct timespec now;

	if (c->metric == METRIC_TASK_CLOCK) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		*ret = now.tv_sec * 1000000000ull + now.tv_nsec;
		return 0;
	}
	return fds_read(c, c->fds, cpu, ret);
}

int counter_read_kernel(const struct counter *c, unsigned cpu, uint64_t *ret)
{
	return fds_read(c, c->kernel_fds, cpu, ret);
}

static double fds_running(const int *fds, int n)
{
	double least = 1;
	struct reading r;

	for (int cpu = 0; fds && cpu < n; cpu++) {
		if (fds[cpu] < 0 || read(fds[cpu], &r, sizeof(r)) != sizeof(r) || !r.enabled)
			continue;
		if ((double)r.running / r.enabled < least)
			least = (double)r.running / r.enabled;
	}
	return least;
}

double counter_running(const struct counter *c)
{
	double user = fds_running(c->fds, c->n_cpus);
	double kernel = fds_running(c->kernel_fds, c->n_cpus);

	return user < kernel ? user : kernel;
}
