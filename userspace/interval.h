/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stretch of a measurement cost: the difference of two reports on the
 * same growing profile, or one report's totals.
 *
 * Both reports have their rows in the order of first ids and ids are only added,
 * so a row of the earlier one is the same row of the later one.
 */
#ifndef PYCOST_INTERVAL_H
#define PYCOST_INTERVAL_H

#include "userspace/report.h"

struct interval {
	const struct report *report; /* the later one; has the names */
	double seconds;
	uint64_t calls;
	uint64_t total;	    /* all cost */
	uint64_t taken_out; /* on top of it: what calibration says are the probes' own */
	struct call_costs *rows;     /* by row of the report */
	struct function_edge *edges; /* the report's, in its order */
};

/*
 * before NULL: from the start.  A function that the second report charges less
 * than the first, as a better calibration takes more out, costs 0.
 */
int interval_compute(const struct report *before, const struct report *after, double seconds,
		     struct interval *ret);
void interval_free(struct interval *v);

double interval_percent(const struct interval *v, uint64_t cost);

/*
 * The rows that cost anything or were called, the greatest first; with a filter,
 * those whose name or file contains it, case aside.  Free *ret.
 */
int interval_order(const struct interval *v, enum report_sort sort, const char *filter,
		   uint32_t **ret, size_t *ret_count);

/* The edges into (callers) or out of a row, likewise. */
int interval_edges(const struct interval *v, enum report_sort sort, uint32_t row, bool callers,
		   uint32_t **ret, size_t *ret_count);

#endif
