/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stretch of a measurement cost: a report on what a growing profile has
 * gained since some moment.  It is computed from the raw gains, so that the
 * correction holds within the stretch and nothing comes out above 100 %.
 */
#ifndef PYCOST_INTERVAL_H
#define PYCOST_INTERVAL_H

#include "userspace/report.h"
#include "userspace/request_table.h"

struct moment {
	struct profile_node *nodes; /* as they were; NULL: the start */
	size_t node_count;
	uint64_t duration_ns;
	struct request_moment requests;
};

int moment_take(const struct profile *p, struct moment *ret);
void moment_free(struct moment *m);

struct interval {
	const struct profile *profile; /* the growing one */
	struct report report;	       /* its rows have the same numbers in every interval */
	double seconds;
	uint64_t calls;
	uint64_t taken_out; /* beside the costs: what calibration says are the probes' own */
	/* By endpoint and view; empty when requests are not measured. */
	struct request_table requests;
	struct endpoint_views views; /* of the whole measurement */
};
/* What its requests are added up by. */
#define INTERVAL_FIELDS 2
extern const struct request_field interval_fields[INTERVAL_FIELDS];

int interval_compute(const struct profile *p, const struct moment *since, struct interval *ret);
void interval_free(struct interval *v);

/*
 * The rows that were called or cost anything, the greatest first; with a filter,
 * those whose name or file contains it, case aside.  Free *ret.
 */
int interval_order(const struct interval *v, enum report_sort sort, const char *filter,
		   uint32_t **ret, size_t *ret_count);

/* The report's edges into (callers) or out of a row, likewise. */
int interval_edges(const struct interval *v, enum report_sort sort, uint32_t row, bool callers,
		   uint32_t **ret, size_t *ret_count);

#endif
