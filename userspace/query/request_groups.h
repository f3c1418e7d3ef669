/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of a store, added up by the keys of a question and by their metric. */
#ifndef PYCOST_QUERY_REQUEST_GROUPS_H
#define PYCOST_QUERY_REQUEST_GROUPS_H

#include <uthash.h>

#include "userspace/histogram.h"
#include "userspace/query/query_run.h"

struct request_group {
	const char *values[QUERY_KEYS_MAX];
	const char *metric;
	uint64_t count, failed; /* a status from 500 on, or none */
	/* How many they stand for, its variance, and what it adds to that of sums: below */
	double estimate, estimate_variance, weight;
	double cost; /* of all that they stand for */
	double sums[REQUEST_MEASURES], squares[REQUEST_MEASURES];
	struct histogram bins[REQUEST_DISTRIBUTIONS];
	json_t *backends;
	double order; /* what it is sorted by */
	UT_hash_handle hh; /* by the texts behind it */
	char key[];
};

/*
 * A minute's or an hour's requests are n of N (the estimate), of values x. So all of them
 * cost sum(x) * N / n, and the variance of that over all minutes is
 *	mean^2 * var(N) + s^2 * sum of N * (N - n) / n
 * with the mean and deviation s of them all: the first from how many there were, the second
 * from which of them were seen. Nothing of it is left where all were.
 */
#define REQUEST_GROUP_WEIGHT "sum(CASE WHEN n > 0 THEN estimate * (estimate - n) / n ELSE 0 END)"
#define REQUEST_GROUP_COST "sum(CASE WHEN n > 0 THEN cost_sum * estimate / n ELSE 0 END)"
double request_group_cost_error(const struct request_group *g);
double request_group_mean(const struct request_group *g); /* cost */

/* keys: also of each status. */
int request_groups_load(struct query_run *r, struct request_group **ret);
void request_groups_free(struct request_group *groups);

#endif
