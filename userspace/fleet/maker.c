/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/fleet/maker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void *column_add(struct maker_column *c, size_t size)
{
	char *at;

	if (c->count == c->capacity) {
		size_t capacity = c->capacity + c->capacity / 2 + 16;

		at = reallocarray(c->items, capacity, size);
		if (!at)
			return NULL;
		c->items = at;
		c->capacity = capacity;
	}
	at = (char *)c->items + c->count++ * size;
	return memset(at, 0, size);
}

int maker_slice(struct maker *m, uint32_t slice, uint32_t *ret)
{
	uint32_t *numbers;

	while (m->numbers.count <= slice)
		if (!column_add(&m->numbers, sizeof(uint32_t)))
			return -ENOMEM;
	numbers = m->numbers.items;
	if (!numbers[slice]) {
		struct batch_slice *row = column_add(&m->slice_rows, sizeof(*row));

		if (!row)
			return -ENOMEM;
		*row = *slices_get(m->slices, slice);
		numbers[slice] = m->slice_rows.count;
	}
	*ret = numbers[slice] - 1;
	return 0;
}

struct batch_function *maker_function(struct maker *m)
{
	return column_add(&m->functions, sizeof(struct batch_function));
}

struct batch_path *maker_path(struct maker *m)
{
	return column_add(&m->paths, sizeof(struct batch_path));
}

struct batch_cost *maker_cost(struct maker *m)
{
	return column_add(&m->costs, sizeof(struct batch_cost));
}

struct batch_path_cost *maker_path_cost(struct maker *m)
{
	return column_add(&m->path_costs, sizeof(struct batch_path_cost));
}

struct batch_requests *maker_requests(struct maker *m)
{
	return column_add(&m->requests, sizeof(struct batch_requests));
}

struct batch_users *maker_users(struct maker *m)
{
	return column_add(&m->users, sizeof(struct batch_users));
}

struct batch_counter *maker_counter(struct maker *m)
{
	return column_add(&m->counters, sizeof(struct batch_counter));
}

void maker_batch(struct maker *m, struct batch *ret)
{
	*ret = (struct batch){
		.slices = m->slice_rows.items,
		.functions = m->functions.items,
		.paths = m->paths.items,
		.costs = m->costs.items,
		.path_costs = m->path_costs.items,
		.requests = m->requests.items,
		.users = m->users.items,
		.counters = m->counters.items,
		.slice_count = m->slice_rows.count,
		.function_count = m->functions.count,
		.path_count = m->paths.count,
		.cost_count = m->costs.count,
		.path_cost_count = m->path_costs.count,
		.request_count = m->requests.count,
		.user_count = m->users.count,
		.counter_count = m->counters.count,
	};
}

static struct maker_column *column_at(struct maker *m, int i)
{
	struct maker_column *all[] = { &m->slice_rows, &m->functions, &m->paths,
				       &m->costs,      &m->path_costs, &m->requests,
				       &m->users,      &m->counters,   &m->numbers, NULL };

	return all[i];
}

void maker_empty(struct maker *m)
{
	for (int i = 0; column_at(m, i); i++)
		column_at(m, i)->count = 0;
	arena_free(&m->memory);
}

void maker_clear(struct maker *m)
{
	for (int i = 0; column_at(m, i); i++)
		free(column_at(m, i)->items);
	arena_free(&m->memory);
	*m = (struct maker){ 0 };
}
