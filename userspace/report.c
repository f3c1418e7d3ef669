/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/report.h"
#include "userspace/text.h"

struct order_by {
	const struct function_row *rows;
	enum report_sort sort;
};

const char *const report_sort_names[SORTS] = {
	[SORT_SELF] = "self",
	[SORT_CUMULATIVE] = "cumulative",
	[SORT_CALLS] = "calls",
	[SORT_KERNEL] = "kernel",
	[SORT_KERNEL_CUMULATIVE] = "kernel-cumulative",
};

bool report_sort_is_kernel(enum report_sort sort)
{
	return sort == SORT_KERNEL || sort == SORT_KERNEL_CUMULATIVE;
}

bool report_has_kernel(const struct report *r)
{
	return r->profile->meta.kernel_mode;
}

bool report_is_sampled(const struct report *r)
{
	return r->profile->meta.period > 0;
}

uint64_t report_samples(const struct report *r)
{
	return report_is_sampled(r) ? r->costs.cumulative_raw[0] / r->profile->meta.period : 0;
}

uint64_t report_sort_key(const struct call_costs *costs, enum report_sort sort)
{
	switch (sort) {
	case SORT_SELF:
		return costs->self;
	case SORT_CUMULATIVE:
		return costs->cumulative;
	case SORT_CALLS:
		return costs->calls;
	case SORT_KERNEL:
		return costs->kernel_self;
	case SORT_KERNEL_CUMULATIVE:
		return costs->kernel_cumulative;
	}
	return 0;
}

static int row_compare(const void *a, const void *b, void *arg)
{
	const struct order_by *by = arg;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	uint64_t x = report_sort_key(&by->rows[i].costs, by->sort);
	uint64_t y = report_sort_key(&by->rows[j].costs, by->sort);

	if (x != y)
		return x > y ? -1 : 1;
	return i < j ? -1 : i > j;
}

int report_order(struct report *r, enum report_sort sort)
{
	struct order_by by = { r->functions.rows, sort };

	r->order = calloc(r->functions.row_count, sizeof(*r->order));
	if (!r->order)
		return -ENOMEM;
	for (uint32_t i = 1; i < r->functions.row_count; i++) {
		const struct call_costs *costs = &by.rows[i].costs;

		if (costs->calls || costs->cumulative || costs->cumulative_raw ||
		    costs->kernel_cumulative_raw)
			r->order[r->order_count++] = i;
	}
	qsort_r(r->order, r->order_count, sizeof(*r->order), row_compare, &by);
	return 0;
}

int report_compute(const struct profile *p, const struct recording_status *status, bool raw,
		   enum report_sort sort, struct report *ret)
{
	struct report r = { .profile = p, .status = *status, .raw = raw };
	int err = costs_compute(p, COST_METRIC, raw, &r.costs);

	if (!err && report_has_kernel(&r))
		err = costs_compute(p, COST_KERNEL, raw, &r.kernel);
	if (!err)
		err = call_tree_build(p, r.costs.cumulative, &r.tree);
	if (!err)
		err = function_costs_compute(p, &r.costs, report_has_kernel(&r) ? &r.kernel : NULL,
					     &r.tree, &r.functions);
	if (!err)
		err = report_order(&r, sort);
	if (err) {
		report_free(&r);
		return err;
	}
	memcpy(r.losses, p->losses, sizeof(r.losses));
	r.losses[LOSS_CLAMPED] = r.costs.clamped;
	*ret = r;
	return 0;
}

void report_free(struct report *r)
{
	costs_free(&r->costs);
	costs_free(&r->kernel);
	call_tree_free(&r->tree);
	function_costs_free(&r->functions);
	free(r->order);
	*r = (struct report){ 0 };
}

const struct function_row *report_row(const struct report *r, uint32_t node)
{
	return &r->functions.rows[r->functions.row_of[r->profile->nodes[node].function]];
}

double report_percent(const struct report *r, uint64_t cost)
{
	uint64_t total = r->costs.cumulative[0];

	return total ? 100.0 * cost / total : 0;
}

double report_kernel_percent(const struct report *r, uint64_t cost)
{
	uint64_t total = report_has_kernel(r) ? r->kernel.cumulative[0] : 0;

	return total ? 100.0 * cost / total : 0;
}

static bool row_is_named(const struct report *r, uint32_t row, const char *name)
{
	const struct function_row *candidate = &r->functions.rows[row];
	const struct sink_function *f = &r->profile->functions[candidate->function];
	size_t module = strlen(f->module);

	return !strcmp(f->qualname, name) || !strcmp(candidate->name, name) ||
	       (module && !strncmp(name, f->module, module) && name[module] == '.' &&
		!strcmp(name + module + 1, f->qualname));
}

/* Edits to the closest thing the row could be called. */
static unsigned int row_distance(const struct report *r, uint32_t row, const char *name)
{
	const struct function_row *candidate = &r->functions.rows[row];
	const struct sink_function *f = &r->profile->functions[candidate->function];
	unsigned int best = text_distance(name, candidate->name);
	unsigned int qualname = text_distance(name, f->qualname);
	unsigned int bare = text_distance(name, f->name);

	best = qualname < best ? qualname : best;
	return bare < best ? bare : best;
}

#define NEAREST 3

static void nearest_describe(const struct report *r, const char *name, char *err, size_t errlen)
{
	uint32_t rows[NEAREST] = { 0 };
	unsigned int distances[NEAREST] = { 0 };
	size_t used;

	for (size_t i = 0; i < r->order_count; i++) {
		uint32_t row = r->order[i];
		unsigned int distance = row_distance(r, row, name);

		for (size_t j = 0; j < NEAREST; j++) {
			uint32_t worse_row = rows[j];
			unsigned int worse = distances[j];

			if (worse_row && worse <= distance)
				continue;
			rows[j] = row;
			distances[j] = distance;
			if (!worse_row)
				break;
			row = worse_row;
			distance = worse;
		}
	}
	used = snprintf(err, errlen, "no function is called '%s'", name);
	for (size_t j = 0; j < NEAREST && rows[j] && used < errlen; j++)
		used += snprintf(err + used, errlen - used, "%s%s", j ? ", " : "; nearest: ",
				 r->functions.rows[rows[j]].name);
}

int report_find(const struct report *r, const char *name, uint32_t **ret_rows,
		size_t *ret_count, char *err, size_t errlen)
{
	uint32_t *rows = calloc(r->order_count + 1, sizeof(*rows));
	size_t count = 0;

	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < r->order_count; i++)
		if (row_is_named(r, r->order[i], name))
			rows[count++] = r->order[i];
	if (!count)
		for (size_t i = 0; i < r->order_count; i++)
			if (strstr(r->functions.rows[r->order[i]].name, name))
				rows[count++] = r->order[i];
	if (!count) {
		nearest_describe(r, name, err, errlen);
		free(rows);
		return -ENOENT;
	}
	*ret_rows = rows;
	*ret_count = count;
	return 0;
}
