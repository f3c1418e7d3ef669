/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The call trees of a minute, added up by slice and function, and by slice and path. */
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/call_tree.h"
#include "userspace/fleet/fold_parts.h"
#include "userspace/profile_keep.h"
#include "userspace/saturate.h"

#define VARIANCE_MAX 0x1p1000 /* finite, whatever a calibration says */

/* Of a function in a slice. */
struct row {
	uint32_t slice, function; /* the key */
	uint64_t calls, self, cumulative;
	double self_error, cumulative_error; /* of exact costs */
};

struct adding {
	struct fold *f;
	struct costs costs;
	struct call_tree tree;
	bool *active; /* nodes in whose subtree anything happened */
	uint32_t *above; /* by function: how often it is active above */
	struct tally rows, paths;
	enum cost_of what;
};

int fold_costs_root(struct fold *f, const struct sink_node *n)
{
	struct fold_root *root;
	int err = profile_grow(&f->roots, f->root_count, &f->root_capacity, sizeof(*f->roots));

	if (err)
		return err;
	root = &f->roots[f->root_count];
	*root = (struct fold_root){ n->id, NO_SLICE, NO_SLICE };
	err = fold_slice_costs(f, n->pid, n->endpoint, metric_name(f->profile->meta.metric),
			       &root->slice);
	if (!err && f->profile->meta.kernel_mode)
		err = fold_slice_costs(f, n->pid, n->endpoint,
				       metric_kernel_name(f->profile->meta.metric),
				       &root->kernel_slice);
	if (!err)
		err = fold_views_root(f, n);
	if (!err)
		f->root_count++;
	return err;
}

static void active_find(struct adding *a)
{
	const struct profile *p = a->f->profile;

	for (size_t i = p->node_count; --i > 0;) {
		const struct profile_node *n = &p->nodes[i];

		a->active[i] |= n->calls || n->self_raw || n->kernel_raw || n->samples ||
				a->costs.cumulative[i];
		a->active[n->parent] |= a->active[i];
	}
}

static int row_add(struct adding *a, uint32_t slice, uint32_t node, bool outermost)
{
	const struct profile_node *n = &a->f->profile->nodes[node];
	uint32_t key[2] = { slice, a->f->names.rows[n->function] };
	struct row *row;
	int err = tally_at(&a->rows, key, &row);

	if (err)
		return err;
	row->calls = saturating_add(row->calls, n->calls);
	row->self = saturating_add(row->self, a->costs.self[node]);
	/* One calibration is behind them all, so the errors add up. */
	row->self_error += a->costs.self_error[node];
	if (outermost) {
		row->cumulative = saturating_add(row->cumulative, a->costs.cumulative[node]);
		row->cumulative_error += a->costs.cumulative_error[node];
	}
	return 0;
}

static int path_add(struct adding *a, uint32_t slice, uint32_t node)
{
	const struct profile_node *n = &a->f->profile->nodes[node];
	uint64_t key[2] = { 0, slice }, parent;
	struct fold_path *path;
	int err = fold_names_path(a->f, node, &key[0], &parent);

	if (!err)
		err = tally_at(&a->paths, key, &path);
	if (err)
		return err;
	path->parent = parent;
	path->function = a->f->names.functions[n->function].id;
	path->calls = saturating_add(path->calls, n->calls);
	path->samples = saturating_add(path->samples, n->samples);
	path->self = saturating_add(path->self, a->costs.self[node]);
	/* What is outside any function has no callees in here. */
	path->cumulative = saturating_add(path->cumulative, n->function ? a->costs.cumulative[node]
									 : a->costs.self[node]);
	return 0;
}

/* Roots come by their ids, in the walk as in the list. */
static int tree_add(struct adding *a)
{
	const struct fold *f = a->f;
	const struct profile *p = f->profile;
	struct call_walk walk = { &a->tree, p->nodes };
	uint32_t slice = NO_SLICE;
	size_t root = 0;
	int err = 0;

	while (!err && call_walk_next(&walk)) {
		const struct profile_node *n = &p->nodes[walk.node];
		uint32_t *above = &a->above[f->names.rows[n->function]];

		if (walk.leaving) {
			--*above;
			continue;
		}
		if (!n->parent) {
			while (f->roots[root].node != walk.node)
				root++;
			slice = a->what == COST_METRIC ? f->roots[root].slice
						       : f->roots[root].kernel_slice;
		}
		if (!a->active[walk.node] || slice == NO_SLICE) {
			walk.leaving = true;
			err = a->active[walk.node] && a->what == COST_METRIC
				      ? fold_count_own(a->f, "cut.facts", 1)
				      : 0;
			continue;
		}
		err = row_add(a, slice, walk.node, !(*above)++);
		if (!err)
			err = path_add(a, slice, walk.node);
	}
	return err;
}

static double error_square(uint64_t n, uint64_t all, uint64_t period)
{
	return all ? (double)n * (1 - (double)n / all) * period * period : 0;
}

static int row_make(struct adding *a, const struct row *row, uint64_t all)
{
	uint64_t period = a->f->profile->meta.period;
	struct batch_cost *cost = maker_cost(&a->f->maker);

	if (!cost)
		return -ENOMEM;
	*cost = (struct batch_cost){
		.function = a->f->names.functions[row->function].id,
		.calls = row->calls,
		.self = row->self,
		.cumulative = row->cumulative,
		.self_variance = fmin(row->self_error * row->self_error, VARIANCE_MAX),
		.cumulative_variance =
			fmin(row->cumulative_error * row->cumulative_error, VARIANCE_MAX),
	};
	if (period) {
		cost->samples = row->self / period;
		cost->self_variance = error_square(cost->samples, all, period);
		cost->cumulative_variance = error_square(row->cumulative / period, all, period);
	}
	return maker_slice(&a->f->maker, row->slice, &cost->slice);
}

/* FOLD_OTHER of one slice, when its functions are done. */
static int other_make(struct adding *a, const struct row *other, uint64_t all)
{
	struct batch_cost *costs;
	int err = row_make(a, other, all);

	costs = a->f->maker.costs.items;
	if (!err)
		costs[a->f->maker.costs.count - 1].function = a->f->names.other.id;
	return err;
}

static int rows_make(struct adding *a)
{
	const struct row *at = a->rows.items;
	uint64_t period = a->f->profile->meta.period, floor, cut = 0;
	uint64_t all = period ? a->costs.cumulative_raw[0] / period : 0;
	uint32_t slices = slices_count(a->f->slices);
	struct row *others = calloc(slices + 1, sizeof(*others));
	int err = others ? fold_floor(&a->rows, offsetof(struct row, cumulative),
				      a->f->o.max_costs, &floor) : -ENOMEM;

	for (uint32_t i = 0; i < a->rows.count && !err; i++) {
		struct row *other = &others[at[i].slice];

		if (a->rows.count <= a->f->o.max_costs || at[i].cumulative > floor) {
			err = row_make(a, &at[i], all);
			continue;
		}
		other->slice = at[i].slice;
		other->calls = saturating_add(other->calls, at[i].calls);
		other->self = saturating_add(other->self, at[i].self);
		other->cumulative = other->self;
		other->self_error += at[i].self_error;
		other->cumulative_error = other->self_error;
		cut++;
	}
	for (uint32_t i = 0; i < slices && !err; i++)
		if (others[i].self || others[i].calls)
			err = other_make(a, &others[i], all);
	free(others);
	return err || !cut ? err : fold_count_own(a->f, "cut.functions", cut);
}

static int adding_init(struct adding *a, struct fold *f, enum cost_of what)
{
	const struct profile *p = f->profile;
	int err;

	*a = (struct adding){
		.f = f,
		.active = calloc(p->node_count, sizeof(*a->active)),
		.above = calloc(p->function_count, sizeof(*a->above)),
		.rows = { .item_size = sizeof(struct row), .key_size = 8 },
		.paths = { .item_size = sizeof(struct fold_path), .key_size = 16 },
		.what = what,
	};
	if (!a->active || !a->above)
		return -ENOMEM;
	err = costs_compute(p, what, false, &a->costs);
	if (!err)
		err = call_tree_build(p, NULL, &a->tree);
	if (!err)
		active_find(a);
	return err;
}

static int costs_make(struct fold *f, enum cost_of what)
{
	struct adding a;
	int err = adding_init(&a, f, what);

	if (!err)
		err = tree_add(&a);
	if (!err)
		err = rows_make(&a);
	if (!err)
		err = fold_paths_make(f, &a.paths);
	if (!err && a.costs.clamped && what == COST_METRIC)
		err = fold_count_own(f, "loss.clamped", a.costs.clamped);
	costs_free(&a.costs);
	call_tree_free(&a.tree);
	tally_clear(&a.rows);
	tally_clear(&a.paths);
	free(a.active);
	free(a.above);
	return err;
}

int fold_costs_make(struct fold *f)
{
	int err;

	if (f->profile->meta.no_functions)
		return 0;
	err = costs_make(f, COST_METRIC);
	if (!err && f->profile->meta.kernel_mode)
		err = costs_make(f, COST_KERNEL);
	if (!err)
		err = fold_names_functions(f);
	if (!err)
		profile_zero(f->profile);
	return err;
}
