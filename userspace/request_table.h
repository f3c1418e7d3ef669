/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requests of a profile, added up by whatever they can be told apart by.
 *
 * A request that was probed by the exact mode has in its cost what the probes themselves
 * cost.  The calibration takes that out of sums.  What is said of one request (mean, error,
 * quantiles) is of those that were not probed, as long as there are any; else the
 * mean is corrected likewise, and the quantiles are scaled by as much.
 */
#ifndef PYCOST_REQUEST_TABLE_H
#define PYCOST_REQUEST_TABLE_H

#include "userspace/request_field.h"

#define REQUEST_BY_MAX 8

enum request_quantile {
	QUANTILE_50,
	QUANTILE_90,
	QUANTILE_99,
	REQUEST_QUANTILES,
};
extern const double request_quantile_levels[REQUEST_QUANTILES]; /* 0.5, 0.9, 0.99 */
extern const char *const request_quantile_names[REQUEST_QUANTILES]; /* "p50"… */

struct request_row {
	const char *keys[REQUEST_BY_MAX]; /* the table's; "" where there is no value */
	uint64_t count;
	uint64_t failed;  /* of it, with a status from 500 on, or without one */
	uint64_t aborted; /* the client or the worker went before the end */
	uint64_t probed;  /* from their beginning to their end */
	uint64_t shared;  /* some of their cost was not told apart from another's */
	uint64_t by_ticks; /* their time in system calls is an estimate */
	int64_t sums[REQUEST_MEASURES];
	double squares[REQUEST_MEASURES]; /* sums of squares */
	uint64_t backend_calls[REQUEST_BACKENDS];
	uint64_t backend_ns[REQUEST_BACKENDS];
	double cost; /* the sum, without the probes' own */
	/*
	 * Of all requests, watched or not: what was seen or, with meta.budget, estimates
	 * like the sum of costs; with their standard errors.
	 */
	double estimate, estimate_error, total_error;
	/* Of a request: from cost_count of them. */
	uint64_t cost_count;
	double cost_mean, cost_error; /* half of the 95 % confidence interval; INFINITY: unknown */
	bool corrected;		      /* all were probed */
	double quantiles[REQUEST_DISTRIBUTIONS][REQUEST_QUANTILES];
};

/* As it was at some moment, so that only what came later is added up. */
struct request_moment {
	struct profile_group *groups;
	size_t count;
	uint64_t duration_ns;
};
int request_moment_take(const struct profile *p, struct request_moment *ret);
void request_moment_free(struct request_moment *m);

struct request_query {
	const struct request_field *by; /* at most REQUEST_BY_MAX; none: one row of all */
	size_t by_count;
	const struct request_filter *filters; /* all have to be passed */
	size_t filter_count;
	const struct endpoint_views *views;  /* NULL: not known */
	const struct request_moment *since; /* NULL: the beginning */
};

struct request_table {
	const struct profile *profile;
	struct request_row *rows; /* in the order in which they were met, until sorted */
	size_t row_count;
	struct request_row total; /* of all rows */
	double seconds;
	bool estimated; /* counts and sums are: see struct sink_phase */
	bool later; /* since a moment that was not the beginning */
	/* Of all workers, whatever is filtered: units of the metric. */
	bool has_workers;
	uint64_t workers_cost, workers_request_cost;
	/* private */
	struct arena strings;
};

/* -ENOMEM, -E2BIG for too many fields. */
int request_table_compute(const struct profile *p, const struct request_query *q,
			  struct request_table *ret);
void request_table_free(struct request_table *t);

enum request_sort {
	REQUEST_SORT_COST, /* the sum */
	REQUEST_SORT_COUNT,
	REQUEST_SORT_MEAN,
	REQUEST_SORT_P50,
	REQUEST_SORT_P90,
	REQUEST_SORT_P99,
	REQUEST_SORT_LATENCY, /* the median */
	REQUEST_SORT_LATENCY_P99,
	REQUEST_SORT_CPU, /* these of a request, on average */
	REQUEST_SORT_BLOCKED,
	REQUEST_SORT_GC,
	REQUEST_SORT_IMPORTS,
	REQUEST_SORT_RSS,
	REQUEST_SORT_FAILED, /* the number */
	REQUEST_SORT_NAME,   /* by the keys, ascending */
	REQUEST_SORTS,
};
/* As options name them. */
extern const char *const request_sort_names[REQUEST_SORTS];
/* The greatest first; equal ones by their keys. */
void request_table_sort(struct request_table *t, enum request_sort sort);

/* Of row.estimate, what `seen` are of row.count: those that failed, say. */
double request_row_part(const struct request_row *r, uint64_t seen);
/* The sum of a measure, of all of them. */
double request_row_sum(const struct request_row *r, enum request_measure m);
/* Of a request, on average; 0 without any. */
double request_row_mean(const struct request_row *r, enum request_measure m);
/* Neither on a CPU nor waiting for one: latency without both, never below 0. */
double request_row_blocked(const struct request_row *r);
/* Of the total's cost, in percent. */
double request_row_share(const struct request_table *t, const struct request_row *r);

#endif
