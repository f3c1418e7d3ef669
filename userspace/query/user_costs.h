/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What requests cost in each step, by the keys of a question: beside the users of that step. */
#ifndef PYCOST_QUERY_USER_COSTS_H
#define PYCOST_QUERY_USER_COSTS_H

#include "userspace/query/user_counts.h"

struct user_cost {
	uint64_t t;
	double cost, error; /* of all requests that those seen stand for */
};

struct user_costs {
	struct user_cost_entry *entries;
	size_t count;
};
int user_costs_load(struct query_run *r, struct user_costs *ret);
const struct user_cost *user_costs_find(const struct user_costs *c, const struct user_count *u);
void user_costs_free(struct user_costs *c);

#endif
