// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/interval.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/saturate.h"

const struct request_field interval_fields[INTERVAL_FIELDS] = {
	{FIELD_ENDPOINT, "endpoint"}, {FIELD_VIEW, "view"}};

int moment_take(const struct profile *p, struct moment *ret)
{
	struct moment m = {.node_count = p->node_count, .duration_ns = p->duration_ns};
	int err = p->meta.requests ? request_moment_take(p, &m.requests) : 0;

	if (err)
		return err;
	m.nodes = reallocarray(NULL, p->node_count, sizeof(*m.nodes));
	if (!m.nodes) {
		moment_free(&m);
		return -ENOMEM;
	}
	memcpy(m.nodes, p->nodes, p->node_count * sizeof(*m.nodes));
	*ret = m;
	return 0;
}

void moment_free(struct moment *m)
{
	free(m->nodes);
	request_moment_free(&m->requests);
	*m = (struct moment){0};
}

/* Nodes are only added and only grow: see sink.h. */
static struct profile_node *nodes_gained(const struct profile *p, const struct moment *since)
{
	struct profile_node *nodes = reallocarray(NULL, p->node_count, sizeof(*nodes));

	if (!nodes)
		return NULL;
	memcpy(nodes, p->nodes, p->node_count * sizeof(*nodes));
	for (size_t i = 0; since->nodes && i < since->node_count; i++) {
		nodes[i].calls -= since->nodes[i].calls;
		nodes[i].self_raw -= since->nodes[i].self_raw;
		nodes[i].search_self -= since->nodes[i].search_self;
		nodes[i].search_caller -= since->nodes[i].search_caller;
		nodes[i].kernel_raw -= since->nodes[i].kernel_raw;
		nodes[i].lone_self -= since->nodes[i].lone_self;
		nodes[i].lone_caller -= since->nodes[i].lone_caller;
		nodes[i].samples -= since->nodes[i].samples;
	}
	return nodes;
}

static int requests_compute(struct interval *v, const struct moment *since)
{
	struct request_query q = {.by = interval_fields, .by_count = INTERVAL_FIELDS,
				  .views = &v->views, .since = &since->requests};
	int err;

	if (!v->profile->meta.requests)
		return 0;
	err = endpoint_views_compute(v->profile, &v->views);
	return err ? err : request_table_compute(v->profile, &q, &v->requests);
}

int interval_compute(const struct profile *p, const struct moment *since, struct interval *ret)
{
	static const struct recording_status live;
	struct interval v = {.profile = p};
	struct profile gained = *p; /* shares everything but the nodes */
	const struct costs *costs = &v.report.costs;
	int err;

	gained.nodes = nodes_gained(p, since);
	if (!gained.nodes)
		return -ENOMEM;
	err = report_compute(&gained, &live, false, SORT_SELF, &v.report);
	free(gained.nodes);
	if (err)
		return err;
	v.report.profile = p;
	v.seconds = (p->duration_ns - since->duration_ns) / 1e9;
	if (costs->cumulative_raw[0] > costs->cumulative[0])
		v.taken_out = costs->cumulative_raw[0] - costs->cumulative[0];
	for (size_t i = 1; i < v.report.functions.row_count; i++)
		v.calls = saturating_add(v.calls, v.report.functions.rows[i].costs.calls);
	err = requests_compute(&v, since);
	if (err)
		interval_free(&v);
	else
		*ret = v;
	return err;
}

void interval_free(struct interval *v)
{
	report_free(&v->report);
	request_table_free(&v->requests);
	endpoint_views_free(&v->views);
	*v = (struct interval){0};
}

/* ---- order ---- */

struct by {
	const struct function_costs *fc;
	enum report_sort sort;
	bool edges;
};

static uint64_t key_of(const struct by *by, uint32_t i)
{
	const struct call_costs *costs = by->edges ? &by->fc->edges[i].costs : &by->fc->rows[i].costs;

	return report_sort_key(costs, by->sort);
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
	return c->calls || c->self || c->cumulative || c->kernel_cumulative;
}

static bool row_matches(const struct interval *v, const struct function_row *row,
			const char *filter)
{
	return !filter || !*filter || strcasestr(row->name, filter) ||
	       strcasestr(v->profile->functions[row->function].file, filter);
}

int interval_order(const struct interval *v, enum report_sort sort, const char *filter,
		   uint32_t **ret, size_t *ret_count)
{
	const struct function_costs *fc = &v->report.functions;
	uint32_t *order = calloc(fc->row_count, sizeof(*order));
	struct by by = {fc, sort, false};
	size_t n = 0;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 1; i < fc->row_count; i++)
		if (is_active(&fc->rows[i].costs) && row_matches(v, &fc->rows[i], filter))
			order[n++] = i;
	qsort_r(order, n, sizeof(*order), index_compare, &by);
	*ret = order;
	*ret_count = n;
	return 0;
}

int interval_edges(const struct interval *v, enum report_sort sort, uint32_t row, bool callers,
		   uint32_t **ret, size_t *ret_count)
{
	const struct function_costs *fc = &v->report.functions;
	uint32_t *order = calloc(fc->edge_count + 1, sizeof(*order));
	struct by by = {fc, sort, true};
	size_t n = 0;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < fc->edge_count; i++) {
		const struct function_edge *edge = &fc->edges[i];

		if ((callers ? edge->callee : edge->caller) == row && is_active(&edge->costs))
			order[n++] = i;
	}
	qsort_r(order, n, sizeof(*order), index_compare, &by);
	*ret = order;
	*ret_count = n;
	return 0;
}
