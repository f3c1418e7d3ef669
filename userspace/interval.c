// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/interval.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/saturate.h"

static uint64_t grown(uint64_t before, uint64_t after)
{
	return after > before ? after - before : 0;
}

static void costs_subtract(struct call_costs *from, const struct call_costs *c)
{
	from->calls = grown(c->calls, from->calls);
	from->primitive_calls = grown(c->primitive_calls, from->primitive_calls);
	from->self = grown(c->self, from->self);
	from->self_raw = grown(c->self_raw, from->self_raw);
	from->cumulative = grown(c->cumulative, from->cumulative);
	from->cumulative_raw = grown(c->cumulative_raw, from->cumulative_raw);
}

static int edge_compare(const struct function_edge *x, const struct function_edge *y)
{
	if (x->caller != y->caller)
		return x->caller < y->caller ? -1 : 1;
	return x->callee < y->callee ? -1 : x->callee > y->callee;
}

/* Both lists are sorted, and what the earlier one has the later one has too. */
static void edges_subtract(struct interval *v, const struct function_costs *before)
{
	size_t i = 0;

	for (size_t k = 0; k < v->report->functions.edge_count && i < before->edge_count; k++) {
		while (i < before->edge_count && edge_compare(&before->edges[i], &v->edges[k]) < 0)
			i++;
		if (i < before->edge_count && !edge_compare(&before->edges[i], &v->edges[k]))
			costs_subtract(&v->edges[k].costs, &before->edges[i].costs);
	}
}

int interval_compute(const struct report *before, const struct report *after, double seconds,
		     struct interval *ret)
{
	const struct function_costs *fc = &after->functions;
	uint64_t raw = after->costs.cumulative_raw[0];
	struct interval v = {
		.report = after,
		.seconds = seconds,
		.total = after->costs.cumulative[0],
		.rows = calloc(fc->row_count, sizeof(*v.rows)),
		.edges = calloc(fc->edge_count + 1, sizeof(*v.edges)),
	};

	if (!v.rows || !v.edges) {
		interval_free(&v);
		return -ENOMEM;
	}
	for (size_t i = 0; i < fc->row_count; i++) {
		v.rows[i] = fc->rows[i].costs;
		if (before && i < before->functions.row_count)
			costs_subtract(&v.rows[i], &before->functions.rows[i].costs);
		if (i)
			v.calls = saturating_add(v.calls, v.rows[i].calls);
	}
	if (fc->edge_count)
		memcpy(v.edges, fc->edges, fc->edge_count * sizeof(*v.edges));
	if (before) {
		edges_subtract(&v, &before->functions);
		v.total = grown(before->costs.cumulative[0], v.total);
		raw = grown(before->costs.cumulative_raw[0], raw);
	}
	v.taken_out = grown(v.total, raw);
	*ret = v;
	return 0;
}

void interval_free(struct interval *v)
{
	free(v->rows);
	free(v->edges);
	*v = (struct interval){0};
}

double interval_percent(const struct interval *v, uint64_t cost)
{
	return v->total ? 100.0 * cost / v->total : 0;
}

/* ---- order ---- */

struct by {
	const struct interval *v;
	enum report_sort sort;
	bool edges;
};

static uint64_t key_of(const struct by *by, uint32_t i)
{
	const struct call_costs *costs = by->edges ? &by->v->edges[i].costs : &by->v->rows[i];

	return by->sort == SORT_SELF	     ? costs->self
	       : by->sort == SORT_CUMULATIVE ? costs->cumulative
					     : costs->calls;
}

/* Equals stay in the order of their numbers, so that lines do not jump about. */
static int index_compare(const void *a, const void *b, void *arg)
{
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	uint64_t x = key_of(arg, i), y = key_of(arg, j);

	if (x != y)
		return x > y ? -1 : 1;
	return i < j ? -1 : i > j;
}

static bool is_active(const struct call_costs *c)
{
	return c->calls || c->self || c->cumulative;
}

static bool row_matches(const struct interval *v, uint32_t row, const char *filter)
{
	const struct function_row *r = &v->report->functions.rows[row];

	return !filter || !*filter || strcasestr(r->name, filter) ||
	       strcasestr(v->report->profile->functions[r->function].file, filter);
}

int interval_order(const struct interval *v, enum report_sort sort, const char *filter,
		   uint32_t **ret, size_t *ret_count)
{
	size_t rows = v->report->functions.row_count, n = 0;
	struct by by = {v, sort, false};
	uint32_t *order = calloc(rows, sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 1; i < rows; i++)
		if (is_active(&v->rows[i]) && row_matches(v, i, filter))
			order[n++] = i;
	qsort_r(order, n, sizeof(*order), index_compare, &by);
	*ret = order;
	*ret_count = n;
	return 0;
}

int interval_edges(const struct interval *v, enum report_sort sort, uint32_t row, bool callers,
		   uint32_t **ret, size_t *ret_count)
{
	size_t edges = v->report->functions.edge_count, n = 0;
	struct by by = {v, sort, true};
	uint32_t *order = calloc(edges + 1, sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < edges; i++) {
		const struct function_edge *edge = &v->edges[i];

		if ((callers ? edge->callee : edge->caller) == row && is_active(&edge->costs))
			order[n++] = i;
	}
	qsort_r(order, n, sizeof(*order), index_compare, &by);
	*ret = order;
	*ret_count = n;
	return 0;
}
