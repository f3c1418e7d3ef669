// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/perf_event.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static int open_any(struct perf_event_attr *attr, pid_t tid, int cpu)
{
	int fd = syscall(SYS_perf_event_open, attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int perf_event_open_task(struct perf_event_attr *attr, pid_t tid)
{
	return open_any(attr, tid, -1);
}

static int open_one(struct perf_event_attr *attr, pid_t tid, int cpu)
{
	int fd = open_any(attr, tid, cpu);

	return fd == -EOPNOTSUPP || fd == -EINVAL ? -ENOENT : fd;
}

/*
 * Arm's plain event finds the PMU of its CPU by itself, and is all that its
 * kernels before 6.6 know; on x86 it may be the other kind's (commits
 * 55bcf6ef314a and 5c816728651a).
 */
static int open_of_kind(enum metric m, struct perf_event_attr attr, const struct cpu_kinds *kinds,
			pid_t tid, int cpu)
{
	struct perf_event_attr plain = attr;
	const struct cpu_kind *kind = NULL;
	int fd;

	if (m != METRIC_TASK_CLOCK && cpu >= 0 && cpu_kinds_mixed(kinds))
		kind = cpu_kinds_of(kinds, cpu);
	attr.config = cpu_kind_config(kind, attr.config);
	fd = open_one(&attr, tid, cpu);
	return fd == -ENOENT && kind ? open_one(&plain, tid, cpu) : fd;
}

int perf_event_open(enum metric m, const struct cpu_kinds *kinds, pid_t tid, int cpu)
{
	return open_of_kind(m, attr_of(m), kinds, tid, cpu);
}

int perf_event_open_kernel(enum metric m, const struct cpu_kinds *kinds, int cpu)
{
	struct perf_event_attr attr = attr_of(m);

	attr.exclude_kernel = 0;
	attr.exclude_user = 1;
	return open_of_kind(m, attr, kinds, -1, cpu);
}

int perf_event_open_sampling(enum metric m, const struct cpu_kinds *kinds, int cpu, uint64_t period)
{
	struct perf_event_attr attr = attr_of(m);

	if (m == METRIC_TASK_CLOCK) {
		attr.config = PERF_COUNT_SW_CPU_CLOCK;
		attr.exclude_idle = 1;
	}
	attr.sample_period = period;
	attr.disabled = 1;
	return open_of_kind(m, attr, kinds, -1, cpu);
}

int perf_event_open_sampling_task(pid_t tid, uint64_t period_ns)
{
	struct perf_event_attr attr = attr_of(METRIC_TASK_CLOCK);

	attr.config = PERF_COUNT_SW_CPU_CLOCK;
	attr.sample_period = period_ns;
	attr.disabled = 1;
	return open_one(&attr, tid, -1);
}

int perf_event_read(int fd, struct perf_reading *ret)
{
	return read(fd, ret, sizeof(*ret)) == sizeof(*ret) ? 0 : -EIO;
}

int perf_event_judge(const struct perf_reading *v, size_t n)
{
	uint64_t counted = 0;
	size_t enabled = 0;

	for (size_t i = 0; i < n; i++) {
		if (!v[i].enabled)
			continue;
		if (!v[i].running)
			return -EAGAIN;
		enabled++;
		counted |= v[i].value;
	}
	return enabled && !counted ? -ENODATA : 0;
}

double perf_event_share(const struct perf_reading *from, const struct perf_reading *to)
{
	uint64_t enabled = to->enabled - from->enabled, running = to->running - from->running;

	if (to->enabled <= from->enabled || to->running < from->running || running >= enabled)
		return 1;
	return (double)running / enabled;
}
