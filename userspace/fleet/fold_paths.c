/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call paths for flame graphs: those that cost little are one path below the nearest that
 * is kept. A path costs no more than the one that it goes on from, so what is kept has all
 * its callers.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/fleet/fold_parts.h"
#include "userspace/saturate.h"

/* Of a slice: all that its paths cost, and what is too rare and has no caller. */
struct total {
	uint64_t cost;
	uint64_t other_self, other_samples;
};

static int falling(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x > y ? -1 : x < y;
}

int fold_floor(const struct tally *items, size_t offset, uint32_t most, uint64_t *ret)
{
	uint64_t *values;

	*ret = 0;
	if (items->count <= most)
		return 0;
	values = calloc(items->count, sizeof(*values));
	if (!values)
		return -ENOMEM;
	for (uint32_t i = 0; i < items->count; i++)
		memcpy(&values[i], (char *)items->items + i * items->item_size + offset,
		       sizeof(*values));
	qsort(values, items->count, sizeof(*values), falling);
	*ret = values[most];
	free(values);
	return 0;
}

static uint32_t parent_find(const struct tally *paths, const struct fold_path *p)
{
	uint64_t key[2] = { p->parent, p->slice };
	const struct fold_path *parent = p->parent ? tally_find(paths, key) : NULL;

	return parent ? parent - (const struct fold_path *)paths->items : NO_PATH;
}

/* Callers come before what they call. Returns how many were cut. */
static uint64_t paths_cut(const struct fold *f, struct tally *paths, struct total *totals,
			  uint64_t floor)
{
	struct fold_path *at = paths->items;
	uint64_t cut = 0;

	for (uint32_t i = 0; i < paths->count; i++) {
		struct fold_path *p = &at[i];
		struct total *total = &totals[p->slice];
		uint32_t parent = parent_find(paths, p);

		/* Nothing was measured outside of functions. */
		if (!p->parent && !p->function && !p->self && !p->samples && !p->calls) {
			p->keeper = NO_PATH;
			continue;
		}

		if ((paths->count <= f->o.max_paths || p->cumulative > floor) &&
		    p->cumulative >= f->o.path_share * total->cost &&
		    (parent == NO_PATH ? !p->parent : at[parent].keeper == parent)) {
			p->keeper = i;
			continue;
		}
		cut++;
		p->keeper = parent == NO_PATH ? NO_PATH : at[parent].keeper;
		if (p->keeper == NO_PATH) {
			total->other_self = saturating_add(total->other_self, p->self);
			total->other_samples = saturating_add(total->other_samples, p->samples);
		} else {
			at[p->keeper].other_self = saturating_add(at[p->keeper].other_self, p->self);
			at[p->keeper].other_samples =
				saturating_add(at[p->keeper].other_samples, p->samples);
		}
	}
	return cut;
}

static int row_make(struct fold *f, uint32_t slice, const struct batch_path_cost *from)
{
	struct batch_path_cost *row;

	if (!from->self && !from->samples && !from->calls)
		return 0;
	row = maker_path_cost(&f->maker);
	if (!row)
		return -ENOMEM;
	*row = *from;
	return maker_slice(&f->maker, slice, &row->slice);
}

static int rows_make(struct fold *f, const struct tally *paths)
{
	const struct fold_path *at = paths->items;
	int err = 0;

	for (uint32_t i = 0; i < paths->count && !err; i++) {
		const struct fold_path *p = &at[i];
		struct batch_path_cost row = { 0, p->path, p->calls, p->samples, p->self };
		struct batch_path_cost other = { 0, 0, 0, p->other_samples, p->other_self };

		if (p->keeper != i)
			continue;
		if (other.self || other.samples)
			other.path = batch_path_id(p->path, f->names.other.id);
		err = row_make(f, p->slice, &row);
		if (!err)
			err = row_make(f, p->slice, &other);
	}
	return err;
}

static int others_make(struct fold *f, const struct total *totals, uint32_t slices)
{
	bool any = false;
	int err = 0;

	for (uint32_t i = 0; i < slices && !err; i++) {
		struct batch_path_cost row = { 0, f->names.other_path, 0, totals[i].other_samples,
					       totals[i].other_self };

		any |= row.self || row.samples;
		err = row_make(f, i, &row);
	}
	return err || !any ? err : fold_names_path_other(f);
}

int fold_paths_make(struct fold *f, struct tally *paths)
{
	const struct fold_path *at = paths->items;
	uint32_t slices = slices_count(f->slices);
	struct total *totals = calloc(slices + 1, sizeof(*totals));
	uint64_t floor, cut;
	int err = totals ? fold_floor(paths, offsetof(struct fold_path, cumulative),
				      f->o.max_paths, &floor)
			 : -ENOMEM;

	if (err) {
		free(totals);
		return err;
	}
	for (uint32_t i = 0; i < paths->count; i++)
		if (!at[i].parent)
			totals[at[i].slice].cost =
				saturating_add(totals[at[i].slice].cost, at[i].cumulative);
	cut = paths_cut(f, paths, totals, floor);
	err = rows_make(f, paths);
	if (!err)
		err = others_make(f, totals, slices);
	if (!err)
		err = fold_names_paths(f, paths);
	free(totals);
	return err || !cut ? err : fold_count_own(f, "cut.paths", cut);
}
