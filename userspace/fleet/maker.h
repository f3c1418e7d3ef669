/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A batch under construction; its memory is used for the next one, too. */
#ifndef PYCOST_MAKER_H
#define PYCOST_MAKER_H

#include "userspace/fleet/slices.h"

struct maker_column {
	void *items;
	size_t count, capacity;
};

struct maker {
	const struct slices *slices;
	struct maker_column slice_rows, functions, paths, costs, path_costs, requests, users,
		counters;
	struct maker_column numbers; /* of slices: their place in the batch + 1 */
	struct arena memory; /* of what rows point to */
};

/* The place of a slice in the batch. */
int maker_slice(struct maker *m, uint32_t slice, uint32_t *ret);

/* A new row, all 0; NULL: no memory. It holds until the next of its kind. */
struct batch_function *maker_function(struct maker *m);
struct batch_path *maker_path(struct maker *m);
struct batch_cost *maker_cost(struct maker *m);
struct batch_path_cost *maker_path_cost(struct maker *m);
struct batch_requests *maker_requests(struct maker *m);
struct batch_users *maker_users(struct maker *m);
struct batch_counter *maker_counter(struct maker *m);

/* The batch, but for its head; it holds until the maker is emptied. Not to be freed. */
void maker_batch(struct maker *m, struct batch *ret);
void maker_empty(struct maker *m);
void maker_clear(struct maker *m);

#endif
