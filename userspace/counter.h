/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The counter behind a metric: one user-mode hardware event on each CPU, or the
 * clock when there is none to be had; on demand, a second event in kernel mode.
 */
#ifndef PYCOST_COUNTER_H
#define PYCOST_COUNTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/sink.h"

struct counter;

/*
 * wanted 0: instructions where the PMU counts them, else cycles, else
 * task-clock.  A metric asked for by name that is not to be had is an error:
 * -ENOENT no such event here (no PMU, or a virtual machine without one),
 * -EACCES no right to it, -EBUSY taken by others.
 */
int counter_open(enum metric wanted, struct counter **ret);
/*
 * Counts the same in kernel mode, too.  Errors as above; -EINVAL: the metric is
 * task-clock, by choice.
 */
int counter_open_kernel(struct counter *c);
bool counter_has_kernel(const struct counter *c);
void counter_close(struct counter *c);

enum metric counter_metric(const struct counter *c);
/* One plain sentence on why it is not instructions; NULL when it is. */
/* The same for an error of counter_open(). */
const char *counter_reason(int err);
const char *counter_kernel_reason(int err); /* of counter_open_kernel() */
const char *counter_fallback_reason(const struct counter *c);

/* Puts each CPU's event into the kernel's array; nothing to do for task-clock. */
int counter_publish(const struct counter *c, int map_fd);
int counter_publish_kernel(const struct counter *c, int map_fd);

/* The counter of one CPU as the kernel programs read it. */
int counter_read(const struct counter *c, unsigned cpu, uint64_t *ret);
int counter_read_kernel(const struct counter *c, unsigned cpu, uint64_t *ret);

/*
 * The share of the time since opening that the events were really on the PMU,
 * least over the CPUs: 1 when they never had to share it.
 */
double counter_running(const struct counter *c);

/* A counter of the same metric on one task alone (its threads not included). */
int counter_open_task(enum metric m, pid_t tid);

#endif
