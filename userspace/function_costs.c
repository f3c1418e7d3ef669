/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "userspace/estimate.h"
#include "userspace/function_costs.h"
#include "userspace/saturate.h"

#define OUTSIDE_NAME "<outside Python functions>"

/*
 * Open addressing over a table that never grows, since the most it can hold is
 * known: functions for the rows, nodes for the edges.  An entry is an index
 * plus 1; 0 is free.
 */
struct slots {
	uint32_t *entries;
	size_t mask;
};

static int slots_init(struct slots *s, size_t most)
{
	size_t size = 16;

	while (size < 2 * most)
		size *= 2;
	s->entries = calloc(size, sizeof(*s->entries));
	s->mask = size - 1;
	return s->entries ? 0 : -ENOMEM;
}

static char *row_name(struct arena *names, const struct sink_function *f)
{
	const char *dot = *f->module ? "." : "";
	const char *arrow = *f->wraps ? " \xe2\x86\x92 " : "";
	const char *qualname = *f->qualname ? f->qualname : *f->name ? f->name : "<unnamed>";
	size_t size = strlen(f->module) + strlen(dot) + strlen(qualname) + strlen(arrow) +
		      strlen(f->wraps) + 1;
	char *name = arena_alloc(names, size);

	if (name)
		snprintf(name, size, "%s%s%s%s%s", f->module, dot, qualname, arrow, f->wraps);
	return name;
}

static bool row_matches(const struct profile *p, const struct function_row *row,
			const char *name, const struct sink_function *f)
{
	const struct sink_function *known = &p->functions[row->function];

	return known->line == f->line && !strcmp(known->file, f->file) &&
	       !strcmp(row->name, name);
}

static int rows_intern(const struct profile *p, struct function_costs *fc)
{
	struct slots slots;
	int err = slots_init(&slots, p->function_count);

	if (err)
		return err;
	fc->rows[0].name = OUTSIDE_NAME;
	fc->row_count = 1;
	for (uint32_t id = 1; id < p->function_count; id++) {
		const struct sink_function *f = &p->functions[id];
		const char *name = row_name(&fc->names, f);
		size_t at;

		if (!name) {
			err = -ENOMEM;
			break;
		}
		at = XXH3_64bits_withSeed(name, strlen(name),
					  XXH3_64bits_withSeed(f->file, strlen(f->file), f->line));
		for (at &= slots.mask; slots.entries[at]; at = (at + 1) & slots.mask)
			if (row_matches(p, &fc->rows[slots.entries[at] - 1], name, f))
				break;
		if (!slots.entries[at]) {
			fc->rows[fc->row_count] = (struct function_row){ name, id };
			slots.entries[at] = ++fc->row_count;
		}
		fc->row_of[id] = slots.entries[at] - 1;
	}
	free(slots.entries);
	return err;
}

/* The edge from caller to callee, a new one if need be. */
static uint32_t edge_intern(struct function_costs *fc, struct slots *slots, uint32_t caller,
			    uint32_t callee)
{
	uint64_t key = (uint64_t)caller << 32 | callee;
	size_t at = XXH3_64bits(&key, sizeof(key)) & slots->mask;

	for (; slots->entries[at]; at = (at + 1) & slots->mask) {
		const struct function_edge *edge = &fc->edges[slots->entries[at] - 1];

		if (edge->caller == caller && edge->callee == callee)
			return slots->entries[at] - 1;
	}
	fc->edges[fc->edge_count] = (struct function_edge){ caller, callee };
	slots->entries[at] = ++fc->edge_count;
	return fc->edge_count - 1;
}

static void call_costs_add(struct call_costs *sum, const struct profile *p,
			   const struct costs *c, uint32_t node, bool outermost)
{
	const struct profile_node *n = &p->nodes[node];

	sum->calls = saturating_add(sum->calls, n->calls);
	sum->self = saturating_add(sum->self, c->self[node]);
	sum->self_raw = saturating_add(sum->self_raw, n->self_raw);
	/* One calibration is behind them all, so the errors add up. */
	sum->self_error += c->self_error[node];
	if (!outermost)
		return;
	sum->primitive_calls = saturating_add(sum->primitive_calls, n->calls);
	sum->cumulative = saturating_add(sum->cumulative, c->cumulative[node]);
	sum->cumulative_raw = saturating_add(sum->cumulative_raw, c->cumulative_raw[node]);
	sum->cumulative_error += c->cumulative_error[node];
}

static void kernel_costs_add(struct call_costs *sum, const struct profile *p,
			     const struct costs *kernel, uint32_t node, bool outermost)
{
	if (!kernel)
		return;
	sum->kernel_self = saturating_add(sum->kernel_self, kernel->self[node]);
	sum->kernel_self_raw = saturating_add(sum->kernel_self_raw, p->nodes[node].kernel_raw);
	sum->kernel_self_error += kernel->self_error[node];
	if (!outermost)
		return;
	sum->kernel_cumulative = saturating_add(sum->kernel_cumulative, kernel->cumulative[node]);
	sum->kernel_cumulative_raw =
		saturating_add(sum->kernel_cumulative_raw, kernel->cumulative_raw[node]);
	sum->kernel_cumulative_error += kernel->cumulative_error[node];
}

/* What is added up: the metric and, when it is not NULL, kernel mode. */
struct sources {
	const struct profile *profile;
	const struct costs *costs, *kernel;
};

static void sources_add(struct call_costs *sum, const struct sources *s, uint32_t node,
			bool outermost)
{
	call_costs_add(sum, s->profile, s->costs, node, outermost);
	kernel_costs_add(sum, s->profile, s->kernel, node, outermost);
}

/* Scratch of the walk: how often a row and an edge are active above, and each node's edge. */
struct activity {
	uint32_t *rows;
	uint32_t *edges;
	uint32_t *edge_of;
	struct slots slots;
};

static void tree_add_up(const struct sources *s, const struct call_tree *t,
			struct function_costs *fc, struct activity *active)
{
	const struct profile *p = s->profile;
	struct call_walk walk = { t, p->nodes };

	while (call_walk_next(&walk)) {
		const struct profile_node *node = &p->nodes[walk.node];
		uint32_t row = fc->row_of[node->function];
		uint32_t caller = fc->row_of[p->nodes[node->parent].function];
		uint32_t *edge = &active->edge_of[walk.node];

		/* A root that stands for no function was not called by anybody. */
		if (walk.leaving) {
			active->rows[row]--;
			if (row)
				active->edges[*edge]--;
			continue;
		}
		sources_add(&fc->rows[row].costs, s, walk.node, !active->rows[row]++);
		if (!row)
			continue;
		*edge = edge_intern(fc, &active->slots, caller, row);
		sources_add(&fc->edges[*edge].costs, s, walk.node, !active->edges[*edge]++);
	}
}

/* Errors of samples do not add up, but follow from the sum of the samples. */
static void estimate_finish(struct call_costs *sum, uint64_t all, uint64_t period)
{
	sum->samples = sum->self_raw / period;
	sum->cumulative_samples = sum->cumulative_raw / period;
	sum->self_error = estimate_error(sum->samples, all, period);
	sum->cumulative_error = estimate_error(sum->cumulative_samples, all, period);
}

static void estimates_finish(const struct sources *s, struct function_costs *fc)
{
	uint64_t period = s->profile->meta.period;
	uint64_t all = period ? s->costs->cumulative_raw[0] / period : 0;

	for (size_t i = 0; period && i < fc->row_count; i++)
		estimate_finish(&fc->rows[i].costs, all, period);
	for (size_t i = 0; period && i < fc->edge_count; i++)
		estimate_finish(&fc->edges[i].costs, all, period);
}

static int edge_compare(const void *a, const void *b)
{
	const struct function_edge *x = a, *y = b;

	if (x->caller != y->caller)
		return x->caller < y->caller ? -1 : 1;
	return x->callee < y->callee ? -1 : x->callee > y->callee;
}

int function_costs_compute(const struct profile *p, const struct costs *c,
			   const struct costs *kernel, const struct call_tree *t,
			   struct function_costs *ret)
{
	struct sources sources = { p, c, kernel };
	struct function_costs fc = {
		.rows = calloc(p->function_count, sizeof(*fc.rows)),
		.edges = calloc(p->node_count, sizeof(*fc.edges)),
		.row_of = calloc(p->function_count, sizeof(*fc.row_of)),
	};
	struct activity active = {
		.rows = calloc(p->function_count, sizeof(uint32_t)),
		.edges = calloc(p->node_count, sizeof(uint32_t)),
		.edge_of = calloc(p->node_count, sizeof(uint32_t)),
	};
	int err = slots_init(&active.slots, p->node_count);

	if (!fc.rows || !fc.edges || !fc.row_of || !active.rows || !active.edges ||
	    !active.edge_of)
		err = -ENOMEM;
	if (!err)
		err = rows_intern(p, &fc);
	if (!err) {
		tree_add_up(&sources, t, &fc, &active);
		estimates_finish(&sources, &fc);
		qsort(fc.edges, fc.edge_count, sizeof(*fc.edges), edge_compare);
		*ret = fc;
	} else {
		function_costs_free(&fc);
	}
	free(active.rows);
	free(active.edges);
	free(active.edge_of);
	free(active.slots.entries);
	return err;
}

void function_costs_free(struct function_costs *fc)
{
	free(fc->rows);
	free(fc->edges);
	free(fc->row_of);
	arena_free(&fc->names);
	*fc = (struct function_costs){ 0 };
}
