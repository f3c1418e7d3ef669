/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions and call paths by the ids that all senders agree on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/fleet/fold_parts.h"
#include "userspace/profile_keep.h"

struct known_id {
	uint64_t id;
	uint32_t function; /* the first with this id; 0: FOLD_OTHER */
	uint32_t unused;
};

/* What belongs to the profile is repaired already. */
static int keep_text(struct fold *f, const char **text, const char *from)
{
	*text = strlen(from) > BATCH_TEXT_MAX ? batch_text(&f->texts, from) : from;
	return *text ? 0 : -ENOMEM;
}

static int function_keep(struct fold *f, const struct sink_function *from,
			 struct batch_function *to)
{
	int err = keep_text(f, &to->name, from->name);

	err |= keep_text(f, &to->qualname, from->qualname);
	err |= keep_text(f, &to->class_name, from->class_name);
	err |= keep_text(f, &to->module, from->module);
	err |= keep_text(f, &to->file, from->file);
	err |= keep_text(f, &to->wraps, from->wraps);
	to->line = from->line;
	if (!err)
		to->id = batch_function_id(to);
	return err ? -ENOMEM : 0;
}

int fold_names_function(struct fold *f, uint32_t id)
{
	struct fold_names *n = &f->names;
	struct known_id *known;
	int err = profile_grow(&n->functions, id, &n->function_capacity, sizeof(*n->functions));

	if (!err)
		err = profile_grow(&n->rows, id, &n->row_capacity, sizeof(*n->rows));
	if (!err)
		err = function_keep(f, &f->profile->functions[id], &n->functions[id]);
	if (!err)
		err = tally_at(&n->ids, &n->functions[id].id, &known);
	if (err)
		return err;
	if (!known->function && known->id != n->other.id)
		known->function = id;
	n->rows[id] = known->function;
	return 0;
}

int fold_names_init(struct fold *f)
{
	struct fold_names *n = &f->names;
	struct known_id *known;
	int err;

	n->ids = (struct tally){ .item_size = sizeof(struct known_id), .key_size = 8 };
	n->put = (struct tally){ .item_size = 8, .key_size = 8 };
	n->other = (struct batch_function){ 0, FOLD_OTHER, FOLD_OTHER, "", "", "", "", 0 };
	n->other.id = batch_function_id(&n->other);
	n->other_path = batch_path_id(0, n->other.id);
	err = tally_at(&n->ids, &n->other.id, &known);
	if (!err)
		err = profile_grow(&n->functions, 0, &n->function_capacity, sizeof(*n->functions));
	return err ? err : profile_grow(&n->rows, 0, &n->row_capacity, sizeof(*n->rows));
}

void fold_names_clear(struct fold *f)
{
	free(f->names.functions);
	free(f->names.rows);
	free(f->names.paths);
	tally_clear(&f->names.ids);
	tally_clear(&f->names.put);
}

/* What is outside any function calls nobody: what is called from there has no caller. */
int fold_names_path(struct fold *f, uint32_t node, uint64_t *ret, uint64_t *ret_parent)
{
	struct fold_names *n = &f->names;
	const struct profile_node *at = &f->profile->nodes[node];
	const struct profile_node *caller = &f->profile->nodes[at->parent];
	int err = 0;

	while (!err && n->path_capacity < f->profile->node_count)
		err = profile_grow(&n->paths, n->path_capacity, &n->path_capacity,
				   sizeof(*n->paths));
	if (err)
		return err;
	*ret_parent = at->parent && caller->function ? n->paths[at->parent] : 0;
	if (!n->paths[node])
		n->paths[node] = batch_path_id(*ret_parent, n->functions[at->function].id);
	*ret = n->paths[node];
	return 0;
}

/* Whether a name has to be put into the batch: once, unless the receiver knows it. */
static int is_wanted(struct fold *f, uint64_t id, bool *ret)
{
	uint32_t before = f->names.put.count;
	uint64_t *item;
	int err = tally_at(&f->names.put, &id, &item);

	*ret = !err && f->names.put.count > before &&
	       !(f->o.is_known && f->o.is_known(f->o.arg, id));
	return err;
}

static int function_put(struct fold *f, uint64_t id)
{
	const struct known_id *known = tally_find(&f->names.ids, &id);
	struct batch_function *row;
	bool wanted;
	int err;

	if (!known)
		return 0; /* outside any function */
	err = is_wanted(f, id, &wanted);
	if (err || !wanted)
		return err;
	row = maker_function(&f->maker);
	if (!row)
		return -ENOMEM;
	*row = known->function ? f->names.functions[known->function] : f->names.other;
	return 0;
}

static int path_put(struct fold *f, uint64_t path, uint64_t parent, uint64_t function)
{
	struct batch_path *row;
	bool wanted;
	int err = is_wanted(f, path, &wanted);

	if (!err && wanted) {
		row = maker_path(&f->maker);
		if (!row)
			return -ENOMEM;
		*row = (struct batch_path){ path, parent, function };
	}
	return err ? err : function_put(f, function);
}

/* A path, and that of all that is too rare below it. */
static int kept_put(struct fold *f, const struct fold_path *p)
{
	uint64_t other = batch_path_id(p->path, f->names.other.id);
	int err = path_put(f, p->path, p->parent, p->function);

	return err || (!p->other_self && !p->other_samples)
		       ? err
		       : path_put(f, other, p->path, f->names.other.id);
}

int fold_names_path_other(struct fold *f)
{
	return path_put(f, f->names.other_path, 0, f->names.other.id);
}

int fold_names_paths(struct fold *f, const struct tally *paths)
{
	const struct fold_path *at = paths->items;
	int err = 0;

	for (uint32_t i = 0; i < paths->count && !err; i++)
		if (at[i].keeper == i)
			err = kept_put(f, &at[i]);
	return err;
}

int fold_names_functions(struct fold *f)
{
	const struct batch_cost *costs = f->maker.costs.items;
	int err = 0;

	for (size_t i = 0; i < f->maker.costs.count && !err; i++)
		err = function_put(f, costs[i].function);
	tally_empty(&f->names.put);
	return err;
}
