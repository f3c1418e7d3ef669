/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The counter of a measurement's metric, and that of kernel mode when it is asked for:
 * opened, started, followed and closed together.
 */
#ifndef PYCOST_COUNTERS_H
#define PYCOST_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>

#include "userspace/counter.h"

/* Zeroed: none is open.  To be read by all, written by counters_*() only. */
struct counters {
	struct counter *user, *kernel; /* its own; the latter NULL: not counted */
	bool told_uncounted, told_shared;
	bool finished;
	double running; /* of both, when it was finished */
};

/*
 * wanted as for counter_open().  Returns 0, or -errno of counter_open() or
 * counter_open_kernel() with the reason in words in text; then none is open.
 */
int counters_open(struct counters *c, enum metric wanted, bool kernel_mode, char *text,
		  size_t len);
void counters_close(struct counters *c); /* zeroed: nothing */

/* The metric and how it is counted. */
void counters_meta(const struct counters *c, struct sink_meta *ret);

/* counters_running() is about the time from here on, */
void counters_start(struct counters *c);
/* and up to here. */
void counters_finish(struct counters *c);
/* counter_running(), the least of both. */
double counters_running(const struct counters *c);
/* Adds what is missing of the time. */
void counters_losses(const struct counters *c, uint64_t losses[LOSS_MAX]);

/*
 * To be called about once a second, as it follows CPUs that come online, into the
 * arrays of both.  What the user should know of it is told once each, and only when
 * the last was taken: when `notice` is "".
 */
void counters_look(struct counters *c, int map_fd, int kernel_map_fd, char *notice,
		   size_t size);

#endif
