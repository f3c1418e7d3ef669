/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of a store, added up by the keys of a question and by their metric. */
#ifndef PYCOST_QUERY_GROUPS_H
#define PYCOST_QUERY_GROUPS_H

#include <uthash.h>

#include "userspace/histogram.h"
#include "userspace/query/query_run.h"

struct query_group {
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
double query_group_cost_error(const struct query_group *g);
double query_group_mean(const struct query_group *g); /* cost */

/* keys: also of each status. */
int query_groups_load(struct query_run *r, struct query_group **ret);
void query_groups_free(struct query_group *groups);

#endif
