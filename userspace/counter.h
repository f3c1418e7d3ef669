/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The counter behind a metric: one user-mode hardware event on each CPU, or the
 * clock when there is none to be had; or the same event in kernel mode.
 *
 * Events are not pinned: others' keep their place on the PMU, and where there are
 * more than it has counters, the kernel lets them take turns.  A counter that is
 * off the PMU stands still.  That is never scaled up, it is told.
 */
#ifndef PYCOST_COUNTER_H
#define PYCOST_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

#include "userspace/sink.h"

struct counter;

/*
 * wanted 0: instructions where the PMU counts them, else cycles, else
 * task-clock; this at once when others hold the PMU.  A metric asked for by name
 * that is not to be had is an error:
 * -ENOENT no such event here (no PMU, or a virtual machine without one), -ENXIO
 * on some CPUs only, -ENODATA it stands still while we run, -EBUSY taken by
 * others, -EACCES, -EPERM or -ENOSYS no right to it; counter_reason() has words.
 *
 * An event that opens may still never get onto the PMU, so it is tried for a
 * millisecond, and for a quarter of a second before it is said to be taken.
 */
int counter_open(enum metric wanted, struct counter **ret);
/*
 * A counter of its own of the same metric in kernel mode, which for task-clock there
 * is none of: -EINVAL.
 */
int counter_open_kernel(const struct counter *user, struct counter **ret);
void counter_close(struct counter *c); /* NULL: nothing */

enum metric counter_metric(const struct counter *c);
/* One plain sentence on why it is not instructions; NULL when nothing is wrong. */
const char *counter_fallback_reason(const struct counter *c);
/* One on what to mind in the numbers of this metric on this machine, or NULL. */
const char *counter_caution(const struct counter *c);

/* Puts each CPU's event into the kernel's array; nothing to do for task-clock. */
int counter_publish(const struct counter *c, int map_fd);

/*
 * To be called about once a second: a CPU that came online since, or came back
 * (its event does not), gets an event, in the array too.  Returns 0, or -errno of
 * the last event that could not be had: what runs there is not counted.
 */
int counter_follow_cpus(struct counter *c, int map_fd);

/* The counter of one CPU as the kernel programs read it. */
int counter_read(const struct counter *c, unsigned cpu, uint64_t *ret);

/* counter_running() is about the time from here on; before it, since opening. */
void counter_start(struct counter *c);
/*
 * The share of the time that the events were really on the PMU, least over the
 * CPUs: 1 when they never had to share it, and for task-clock.
 */
double counter_running(const struct counter *c);

#endif
