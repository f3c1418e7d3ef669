/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who calls a function, and whom it calls: out of the call paths, by the rules of
 * function_costs.h. Functions are known by what they are called, as in query_functions.c.
 * Errors are those of samples, whose period is taken to be what they cost on average.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/estimate.h"
#include "userspace/query/query_kind.h"
#include "userspace/query/query_tree.h"
#include "userspace/report.h"

#define FUNCTIONS_MAX 200 /* each of them looks at every pair of functions */

struct calling {
	struct query_run *run;
	const struct query_pair *pair;
	struct report report;
	enum report_sort sort;
	double samples, period; /* in all; 0: exact */
};

static int columns_add(struct query_run *r)
{
	static const struct {
		const char *name, *unit;
		enum query_column_use use;
	} columns[] = {
		{ TAG_KEY_METRIC, "text", QUERY_SHOWN },   { TAG_KEY_MODE, "text", QUERY_SHOWN },
		{ "function", "text", QUERY_DETAIL },	   { "is", "text", QUERY_SHOWN },
		{ "other", "text", QUERY_SHOWN },	   { "calls", "count", QUERY_SHOWN },
		{ "self", "cost", QUERY_SHOWN },	   { "cumulative", "cost", QUERY_SHOWN },
		{ "cumulative_error", "cost", QUERY_ERROR }, { "share", "percent", QUERY_SHOWN },
	};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(columns) / sizeof(*columns); i++)
		err = query_column(r, columns[i].name, columns[i].unit, columns[i].use);
	return err;
}

static json_t *error_json(const struct calling *c, uint64_t cost)
{
	if (c->period <= 0)
		return json_null();
	return query_amount(estimate_error(cost / c->period + 0.5, c->samples, c->period + 0.5));
}

/* share: of the function's own cumulative cost. */
static int row_add(const struct calling *c, uint32_t function, const char *is, uint32_t other,
		   const struct call_costs *costs)
{
	const struct function_row *rows = c->report.functions.rows;
	uint64_t all = rows[function].costs.cumulative;
	json_t *row = json_array();

	json_array_append_new(row, query_string(c->pair->metric));
	json_array_append_new(row, query_string(c->pair->mode));
	json_array_append_new(row, query_string(rows[function].name));
	json_array_append_new(row, json_string(is));
	json_array_append_new(row, query_string(rows[other].name));
	/* Of samples, it is not known how often anything was called. */
	json_array_append_new(row, c->samples > 0 ? json_null() : json_integer(costs->calls));
	json_array_append_new(row, query_amount(costs->self));
	json_array_append_new(row, query_amount(costs->cumulative));
	json_array_append_new(row, error_json(c, costs->cumulative));
	json_array_append_new(row, all ? json_real(100.0 * costs->cumulative / all) : json_null());
	return query_row(c->run, row);
}

static int edge_order(const void *a, const void *b, void *arg)
{
	const struct function_edge *x = *(const struct function_edge *const *)a;
	const struct function_edge *y = *(const struct function_edge *const *)b;
	const enum report_sort *sort = arg;
	uint64_t p = report_sort_key(&x->costs, *sort), q = report_sort_key(&y->costs, *sort);

	return p != q ? p > q ? -1 : 1 : x < y ? -1 : x > y;
}

static int edges_add(struct calling *c, uint32_t function, bool callers)
{
	const struct function_costs *f = &c->report.functions;
	const struct function_edge **found = calloc(f->edge_count + 1, sizeof(*found));
	size_t count = 0;
	int err = found ? 0 : -ENOMEM;

	for (size_t i = 0; found && i < f->edge_count; i++)
		if ((callers ? f->edges[i].callee : f->edges[i].caller) == function)
			found[count++] = &f->edges[i];
	if (found)
		qsort_r(found, count, sizeof(*found), edge_order, &c->sort);
	for (size_t i = 0; !err && i < count; i++) {
		if (i == c->run->q->limit) {
			json_object_set_new(c->run->answer, "truncated", json_true());
			break;
		}
		err = row_add(c, function, callers ? "caller" : "callee",
			      callers ? found[i]->caller : found[i]->callee, &found[i]->costs);
	}
	free(found);
	return err;
}

static int functions_add(struct calling *c)
{
	const struct report *report = &c->report;
	uint32_t limit = c->run->q->limit < FUNCTIONS_MAX ? c->run->q->limit : FUNCTIONS_MAX;
	uint32_t shown = 0;
	int err = 0;

	for (size_t i = 0; !err && i < report->order_count; i++) {
		uint32_t row = report->order[i];

		if (!query_name_matches(c->run->q->function, report->functions.rows[row].name))
			continue;
		if (shown++ == limit) {
			json_object_set_new(c->run->answer, "truncated", json_true());
			break;
		}
		err = row_add(c, row, "itself", row, &report->functions.rows[row].costs);
		if (!err)
			err = edges_add(c, row, true);
		if (!err)
			err = edges_add(c, row, false);
	}
	return err;
}

static void sums_find(struct calling *c, const struct query_tree *t)
{
	double self = 0;

	c->samples = c->period = 0;
	for (size_t i = 1; i < t->node_count; i++) {
		const struct query_tree_group *g = &t->groups[t->nodes[i].group];

		if (strcmp(g->pair.metric, c->pair->metric) || strcmp(g->pair.mode, c->pair->mode) ||
		    !t->nodes[i].samples)
			continue;
		c->samples += t->nodes[i].samples;
		self += t->nodes[i].self;
	}
	if (c->samples > 0)
		c->period = self / c->samples;
}

static int pair_add(struct calling *c, const struct query_tree *t)
{
	const struct recording_status status = { 0 };
	const struct query *q = c->run->q;
	struct profile *profile;
	int err = query_tree_profile(t, c->pair, q->since, q->until, &profile);

	if (err)
		return err;
	sums_find(c, t);
	err = report_compute(profile, &status, true, c->sort, &c->report);
	if (!err) {
		err = functions_add(c);
		report_free(&c->report);
	}
	profile_free(profile);
	return err;
}

int query_callers_run(struct query_run *r)
{
	struct calling c = { .run = r, .sort = SORT_CUMULATIVE };
	struct query_tree tree;
	int err;

	if (!*r->q->function)
		return QUERY_FAIL(r, -EINVAL, "function: callers of which function? (its name, or a glob)");
	for (int i = SORT_SELF; i <= SORT_CALLS; i++)
		if (!strcmp(r->q->sort, report_sort_names[i]))
			c.sort = i;
	err = columns_add(r);
	if (!err)
		err = query_tree_load(r, QUERY_LIMIT_MAX, &tree);
	if (err)
		return err;
	for (size_t i = 0; i < tree.function_count; i++) {
		tree.functions[i].file = "";
		tree.functions[i].line = 0;
	}
	/* Without keys, there is one group for each metric and mode. */
	for (size_t i = 0; !err && i < tree.group_count; i++) {
		c.pair = &tree.groups[i].pair;
		err = pair_add(&c, &tree);
	}
	query_tree_free(&tree);
	return err && !*r->err ? QUERY_FAIL(r, err, "callers: %s", strerror(-err)) : err;
}
