/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Within a budget: samples taken while nothing was watched, given to endpoints by their view. */
#include <errno.h>
#include <stdlib.h>

#include "userspace/fleet/fold_parts.h"
#include "userspace/profile_keep.h"

static bool is_wanted(const struct fold *f)
{
	return view_owners_are_needed(f->profile);
}

int fold_views_node(struct fold *f, struct sink_node *n)
{
	struct fold_views *v = &f->views;
	int err;

	if (!is_wanted(f))
		return 0;
	if (n->id != v->node_count || n->parent >= n->id)
		return -EINVAL;
	err = profile_grow(&v->nodes, v->node_count, &v->node_capacity, sizeof(*v->nodes));
	if (err)
		return err;
	n->id = v->nodes[v->node_count++] = f->profile->node_count;
	n->parent = v->nodes[n->parent];
	return 0;
}

uint32_t fold_views_id(const struct fold *f, uint32_t told)
{
	if (!is_wanted(f))
		return told;
	return told < f->views.node_count ? f->views.nodes[told] : 0;
}

static int homes_grow(struct fold_views *v, size_t count)
{
	int err = 0;

	while (!err && v->home_capacity < count)
		err = profile_grow(&v->homes, v->home_capacity, &v->home_capacity,
				   sizeof(*v->homes));
	return err;
}

int fold_views_root(struct fold *f, const struct sink_node *n)
{
	uint32_t process = f->profile->nodes[n->id].process, slice;
	int err;

	if (!is_wanted(f))
		return 0;
	err = homes_grow(&f->views, process + 1);
	if (err || f->views.homes[process])
		return err;
	err = fold_slice_costs(f, n->pid, 0, metric_name(f->profile->meta.metric), &slice);
	f->views.homes[process] = slice + 1;
	return err;
}

/* Roots of trees that nobody told of. */
static int roots_add(struct fold *f, size_t since)
{
	int err = 0;

	for (size_t i = since; i < f->profile->node_count && !err; i++) {
		const struct profile_node *n = &f->profile->nodes[i];
		struct fold_root root = { i, NO_SLICE, NO_SLICE };

		if (n->parent)
			continue;
		err = fold_slice_endpoint(f, f->views.homes[n->process] - 1, n->endpoint,
					  &root.slice);
		if (!err)
			err = profile_grow(&f->roots, f->root_count, &f->root_capacity,
					   sizeof(*f->roots));
		if (!err)
			f->roots[f->root_count++] = root;
	}
	return err;
}

static uint32_t slice_of(const struct fold *f, uint32_t node)
{
	size_t low = 0, high = f->root_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (f->roots[middle].node <= node)
			low = middle;
		else
			high = middle;
	}
	return f->roots[low].slice;
}

int fold_views_make(struct fold *f)
{
	size_t nodes = f->profile->node_count;
	const struct profile_rehomed *at;
	struct tally moved;
	int err;

	if (!is_wanted(f))
		return 0;
	err = homes_grow(&f->views, f->profile->process_count);
	if (err)
		return err;
	err = view_owners_apply(&f->views.owners, f->profile, f->views.homes, &moved);
	if (!err)
		err = roots_add(f, nodes);
	at = moved.items;
	for (uint32_t i = 0; i < moved.count && !err; i++)
		err = fold_count(f, slice_of(f, at[i].root), "costs.by_view", at[i].cost);
	tally_clear(&moved);
	return err;
}

/* Slot 0 stands for no node. */
int fold_views_init(struct fold *f)
{
	struct fold_views *v = &f->views;

	view_owners_init(&v->owners);
	v->node_count = 1;
	return profile_grow(&v->nodes, 0, &v->node_capacity, sizeof(*v->nodes));
}

void fold_views_clear(struct fold *f)
{
	view_owners_clear(&f->views.owners);
	free(f->views.nodes);
	free(f->views.homes);
}
