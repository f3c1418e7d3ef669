/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trees as rows of an answer, and back. The rows: keys, metric, mode, node (from 1, after its
 * parent), parent (0: none), function, file, line, calls, samples, self.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "userspace/query/query_tree.h"

#define COLUMNS 10 /* after the keys */

int query_tree_write(struct query_run *r, const struct query_tree *t)
{
	static const char *const columns[COLUMNS][2] = {
		{ TAG_KEY_METRIC, "text" }, { TAG_KEY_MODE, "text" }, { "node", "id" },
		{ "parent", "id" },	    { "function", "text" },   { "file", "text" },
		{ "line", "line" },	    { "calls", "count" },     { "samples", "count" },
		{ "self", "cost" },
	};
	const struct query_slices w = { .keys = true };
	int err = query_key_columns(r, &w);

	for (int i = 0; !err && i < COLUMNS; i++)
		err = query_column(r, columns[i][0], columns[i][1], QUERY_SHOWN);
	for (size_t i = 1; !err && i < t->node_count; i++) {
		const struct query_tree_node *n = &t->nodes[i];
		const struct query_tree_group *g = &t->groups[n->group];
		const struct query_tree_function *f = &t->functions[n->function];
		json_t *row = json_array();

		for (unsigned k = 0; k < t->key_count; k++)
			json_array_append_new(row, query_string(g->values[k]));
		json_array_append_new(row, query_string(g->pair.metric));
		json_array_append_new(row, query_string(g->pair.mode));
		json_array_append_new(row, json_integer(i));
		json_array_append_new(row, json_integer(n->parent));
		json_array_append_new(row, query_string(f->name));
		json_array_append_new(row, query_string(f->file));
		json_array_append_new(row, json_integer(f->line));
		json_array_append_new(row, json_integer(n->calls));
		json_array_append_new(row, json_integer(n->samples));
		json_array_append_new(row, query_amount(n->self));
		err = query_row(r, row);
	}
	return err;
}

static bool pair_read(const json_t *row, unsigned at, struct query_pair *ret)
{
	const char *metric = json_string_value(json_array_get(row, at));
	const char *mode = json_string_value(json_array_get(row, at + 1));

	if (!metric || !mode || strlen(metric) >= sizeof(ret->metric) ||
	    strlen(mode) >= sizeof(ret->mode))
		return false;
	strcpy(ret->metric, metric);
	strcpy(ret->mode, mode);
	return true;
}

static bool count_read(const json_t *value, uint64_t most, uint64_t *ret)
{
	json_int_t n = json_integer_value(value);

	*ret = n;
	return json_is_integer(value) && n >= 0 && (uint64_t)n <= most;
}

/* Functions that follow each other are often the same; else each row has one of its own. */
static int function_read(struct query_tree *t, const json_t *row, unsigned at, uint32_t *ret)
{
	struct query_tree_function f = { json_string_value(json_array_get(row, at)),
					 json_string_value(json_array_get(row, at + 1)) };
	uint64_t line;
	int err;

	if (!f.name || !f.file || !count_read(json_array_get(row, at + 2), UINT32_MAX, &line))
		return -EBADMSG;
	f.line = line;
	err = query_tree_add_function(t, &f);
	*ret = t->function_count - 1;
	return err;
}

static int row_parse(struct query_tree *t, const json_t *row)
{
	struct query_tree_node n = { 0 };
	struct query_tree_group g = { 0 };
	unsigned at = t->key_count;
	uint64_t node, parent;
	int err;

	if (json_array_size(row) != t->key_count + COLUMNS || !pair_read(row, at, &g.pair))
		return -EBADMSG;
	for (unsigned i = 0; i < t->key_count; i++) {
		g.values[i] = json_string_value(json_array_get(row, i));
		if (!g.values[i])
			return -EBADMSG;
	}
	n.self = json_number_value(json_array_get(row, at + 9));
	if (!count_read(json_array_get(row, at + 2), UINT32_MAX, &node) ||
	    node != (t->node_count ? t->node_count : 1) ||
	    !count_read(json_array_get(row, at + 3), node - 1, &parent) ||
	    !count_read(json_array_get(row, at + 7), UINT64_MAX, &n.calls) ||
	    !count_read(json_array_get(row, at + 8), UINT64_MAX, &n.samples) ||
	    !json_is_number(json_array_get(row, at + 9)) || !isfinite(n.self) || n.self < 0)
		return -EBADMSG;
	n.parent = parent;
	err = query_tree_add_group(t, &g, &n.group);
	if (!err && parent && t->nodes[parent].group != n.group)
		err = -EBADMSG;
	if (!err)
		err = function_read(t, row, at + 4, &n.function);
	return err ? err : query_tree_add_node(t, &n);
}

int query_tree_parse(const json_t *answer, struct query_tree *ret)
{
	const json_t *columns = json_object_get(answer, "columns");
	const json_t *rows = json_object_get(answer, "rows"), *row;
	size_t size = json_array_size(columns), i;
	struct query_tree t = { 0 };
	int err = 0;

	if (!json_is_array(rows) || size < COLUMNS || size > COLUMNS + QUERY_KEYS_MAX)
		return -EBADMSG;
	t.key_count = size - COLUMNS;
	json_array_foreach((json_t *)rows, i, row) {
		err = row_parse(&t, row);
		if (err)
			break;
	}
	if (err)
		query_tree_free(&t);
	else
		*ret = t;
	return err;
}
