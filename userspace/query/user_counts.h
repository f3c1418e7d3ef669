/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many distinct users there were in each step, by the keys of a question. */
#ifndef PYCOST_QUERY_USER_COUNTS_H
#define PYCOST_QUERY_USER_COUNTS_H

#include "userspace/query/query_run.h"

struct user_count {
	uint64_t t;
	const char *values[QUERY_KEYS_MAX]; /* for the call only */
	const char *metric;
	double users, error; /* standard error */
};
typedef int (*user_count_fn)(void *arg, const struct user_count *u);

#define USER_COUNTS_ALL 0 /* for step_s: of the whole stretch, t is 0 */
/* In the order of t, then keys. -EINVAL: users are not told apart by such a key. */
int user_counts(struct query_run *r, uint32_t step_s, user_count_fn row, void *arg);

#endif
