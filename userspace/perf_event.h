/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One event of perf_event_open(2): opened, read, and what its times tell. */
#ifndef PYCOST_PERF_EVENT_H
#define PYCOST_PERF_EVENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/cpu_kinds.h"
#include "userspace/sink.h"

/* As the kernel fills it in (PERF_FORMAT_TOTAL_TIME_*); times in ns. */
struct perf_reading {
	uint64_t value;
	uint64_t enabled; /* that it should have counted; stands still while its CPU is offline */
	uint64_t running; /* that it did count: less when others hold the PMU's counters */
};

/*
 * A counter of the metric on a task (tid, or -1 for all) and a CPU (or -1 for
 * all), that of its CPU's kind where there are several.  The descriptor, to be
 * closed, or -errno of perf_event_open(); of those that mean that there is no
 * such event, always -ENOENT.  -ENODEV: this CPU is offline.
 */
int perf_event_open(enum metric m, const struct cpu_kinds *kinds, pid_t tid, int cpu);

/* The same in kernel mode, of a CPU; not for task-clock. */
int perf_event_open_kernel(enum metric m, const struct cpu_kinds *kinds, int cpu);

/*
 * One that fires on a CPU whenever the metric has gone on by a period, off until it is
 * enabled.  The clock stands still while the CPU is idle.  -ENOENT also for a PMU that
 * counts but cannot interrupt.
 */
int perf_event_open_sampling(enum metric m, const struct cpu_kinds *kinds, int cpu,
			     uint64_t period);

/* Any event of a task, on all CPUs.  The descriptor, to be closed, or -errno. */
struct perf_event_attr;
int perf_event_open_task(struct perf_event_attr *attr, pid_t tid);

/* One of a single task, by its time on a CPU. */
int perf_event_open_sampling_task(pid_t tid, uint64_t period_ns);

/* -EIO when it cannot be read. */
int perf_event_read(int fd, struct perf_reading *ret);

/*
 * What events say that have had time to get their turn: 0; -EAGAIN: one has not
 * been on the PMU yet; -ENODATA: all were, and none has counted a thing, although
 * we have run on one of their CPUs meanwhile.  Events of offline CPUs say nothing.
 */
int perf_event_judge(const struct perf_reading *v, size_t n);

/* The share of the time between two readings that it counted: 1 when in doubt. */
double perf_event_share(const struct perf_reading *from, const struct perf_reading *to);

#endif
