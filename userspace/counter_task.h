/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A counter of a metric on one task alone, whichever CPU it runs on. */
#ifndef PYCOST_COUNTER_TASK_H
#define PYCOST_COUNTER_TASK_H

#include <sys/types.h>

#include "userspace/perf_event.h"

struct counter_task;

/*
 * Counts from now on, without the task's children and other threads.  Where CPUs
 * are of several kinds it is the sum of an event on each CPU, as one event counts
 * on its own kind alone.  -errno of perf_event_open(2).
 */
int counter_task_open(enum metric m, pid_t tid, struct counter_task **ret);
void counter_task_close(struct counter_task *c); /* NULL: nothing */

/*
 * What it counted since it was opened, with its times; -EIO when it cannot be read.
 * Where CPUs are of several kinds the times are equal, as they tell nothing there:
 * an event's time goes on while its task runs on another CPU.
 */
int counter_task_read(const struct counter_task *c, struct perf_reading *ret);

#endif
