/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes out of a fold, as a receiver has it. */
#ifndef PYCOST_TESTS_RECEIVED_H
#define PYCOST_TESTS_RECEIVED_H

#include "userspace/fleet/fold.h"

#define BATCHES_MAX 8

struct received {
	struct batch batches[BATCHES_MAX];
	int count;
	bool knows; /* all names */
};

/* Of the service "shop" unless o has tags; its batches go to r, which is emptied. */
struct fold *shop_fold(struct received *r, struct fold_options o);
void received_free(struct received *r);

const struct batch_function *function_of(const struct received *r, uint64_t id);
/* Sums of own costs: of functions; of paths, each of which is followed to its outermost caller. */
uint64_t costs_sum(const struct received *r);
uint64_t paths_sum(const struct received *r);
double counter(const struct received *r, const char *name);

#endif
