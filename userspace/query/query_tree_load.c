/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call paths out of a store. The costs of paths come first; what the paths are is asked for
 * by their ids, then what their callers are, and so on up to the roots: a sample's callers
 * have no costs of their own.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Without memory, HASH_ADD leaves hh.tbl NULL instead of calling exit(). */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "userspace/query/query_tree.h"

/* 21 bytes each: ClickHouse takes 256 KiB of SQL. */
#define CHUNK 4000
#define DEPTH_MAX 4096
#define CUT_NAME "<paths beyond the limit>"

struct definition {
	uint64_t path, parent, function;
	bool known;
	UT_hash_handle hh;
};

struct name {
	uint64_t function;
	uint32_t index; /* in the tree */
	UT_hash_handle hh;
};

/* A path of a group. */
struct place {
	struct {
		uint64_t path, group;
	} key;
	uint64_t calls, samples;
	double self;
	uint32_t node; /* 0: not made yet */
	UT_hash_handle hh;
};

struct loading {
	struct query_run *run;
	struct query_tree *tree;
	const struct query_slices *slices;
	const struct query_total *total;
	double self; /* of the paths that were read, of this total */
	struct definition *definitions;
	struct name *names;
	struct place *places;
	uint64_t *ids; /* to be asked for */
	size_t id_count, id_capacity;
};

static int wanted_add(struct loading *l, uint64_t id)
{
	if (l->id_count == l->id_capacity) {
		size_t capacity = l->id_capacity * 2 + 1024;
		uint64_t *ids = reallocarray(l->ids, capacity, sizeof(*ids));

		if (!ids)
			return -ENOMEM;
		l->ids = ids;
		l->id_capacity = capacity;
	}
	l->ids[l->id_count++] = id;
	return 0;
}

/* Asked for once. */
static int definition_want(struct loading *l, uint64_t path)
{
	struct definition *d;

	HASH_FIND(hh, l->definitions, &path, sizeof(path), d);
	if (d || !path)
		return 0;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->path = path;
	HASH_ADD(hh, l->definitions, path, sizeof(d->path), d);
	if (!d->hh.tbl) {
		free(d);
		return -ENOMEM;
	}
	return wanted_add(l, path);
}

static struct place *place_get(struct loading *l, uint64_t path, uint32_t group)
{
	struct place *p, key = { .key = { path, group } };

	HASH_FIND(hh, l->places, &key.key, sizeof(key.key), p);
	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->key = key.key;
	HASH_ADD(hh, l->places, key, sizeof(p->key), p);
	if (p->hh.tbl)
		return p;
	free(p);
	return NULL;
}

/* Keys, path, calls, samples, self. */
static int cost_row(void *arg, const struct store_value *v, size_t count)
{
	struct loading *l = arg;
	struct query_tree_group g = { .pair = l->total->pair };
	struct place *p;
	uint32_t group;
	int err;

	for (unsigned i = 0; i < l->tree->key_count; i++)
		g.values[i] = query_text(v++);
	err = query_tree_add_group(l->tree, &g, &group);
	if (err)
		return err;
	p = place_get(l, query_u64(&v[0]), group);
	if (!p)
		return -ENOMEM;
	p->calls = query_u64(&v[1]);
	p->samples = query_u64(&v[2]);
	p->self = query_f64(&v[3]);
	l->self += p->self;
	return definition_want(l, p->key.path);
}

static int costs_load(struct loading *l, uint32_t limit)
{
	struct query_run *r = l->run;
	struct query_sql sql;
	int err = query_sql_begin(r, &sql);

	if (err)
		return err;
	fputs("SELECT ", sql.out);
	query_sql_keys(r, l->slices, sql.out);
	fputs("path, sum(calls), sum(samples), sum(self) AS all_self FROM ", sql.out);
	query_sql_from(r, FACT_PATH_COSTS, l->slices, sql.out);
	fputs(" GROUP BY ", sql.out);
	query_sql_keys(r, l->slices, sql.out);
	fprintf(sql.out, "path ORDER BY all_self DESC, path LIMIT %" PRIu32, limit);
	l->self = 0;
	return query_sql_select(r, &sql, cost_row, l);
}

/* Runs FRONT (ids) BACK for all ids that are wanted; more may be wanted on the way. */
static int ids_ask(struct loading *l, void (*front)(const struct query_run *r, FILE *out),
		   store_row_fn row)
{
	for (size_t at = 0; at < l->id_count;) {
		size_t end = at + CHUNK < l->id_count ? at + CHUNK : l->id_count;
		struct query_sql sql;
		int err = query_sql_begin(l->run, &sql);

		if (err)
			return err;
		front(l->run, sql.out);
		for (const char *comma = ""; at < end; at++, comma = ", ")
			fprintf(sql.out, "%s%" PRIu64, comma, l->ids[at]);
		fputs(")", sql.out);
		err = query_sql_select(l->run, &sql, row, l);
		if (err)
			return err;
	}
	l->id_count = 0;
	return 0;
}

static void definitions_front(const struct query_run *r, FILE *out)
{
	fputs("SELECT path, parent, function FROM paths WHERE path IN (", out);
}

static int definition_row(void *arg, const struct store_value *v, size_t count)
{
	struct loading *l = arg;
	uint64_t path = query_u64(&v[0]);
	struct definition *d;

	HASH_FIND(hh, l->definitions, &path, sizeof(path), d);
	if (!d)
		return 0;
	d->parent = query_u64(&v[1]);
	d->function = query_u64(&v[2]);
	d->known = true;
	return definition_want(l, d->parent);
}

static void names_front(const struct query_run *r, FILE *out)
{
	fputs("SELECT function, display, file, line FROM ", out);
	query_sql_functions(r, "", out);
	fputs(" AS known WHERE function IN (", out);
}

static int name_row(void *arg, const struct store_value *v, size_t count)
{
	struct loading *l = arg;
	struct query_tree_function f = { query_text(&v[1]), query_text(&v[2]), query_u64(&v[3]) };
	uint64_t function = query_u64(&v[0]);
	struct name *n;
	int err;

	HASH_FIND(hh, l->names, &function, sizeof(function), n);
	if (!n || n->index)
		return 0;
	err = query_tree_add_function(l->tree, &f);
	if (!err)
		n->index = l->tree->function_count - 1;
	return err;
}

/* Functions 0, 1 and 2 are no function, one without a name, and the paths that are cut. */
enum { FUNCTION_OUTSIDE, FUNCTION_UNNAMED, FUNCTION_CUT };

static int names_load(struct loading *l)
{
	static const struct query_tree_function fixed[] = {
		[FUNCTION_OUTSIDE] = { QUERY_OUTSIDE, "", 0 },
		[FUNCTION_UNNAMED] = { QUERY_UNNAMED, "", 0 },
		[FUNCTION_CUT] = { CUT_NAME, "", 0 },
	};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(fixed) / sizeof(*fixed); i++)
		err = query_tree_add_function(l->tree, &fixed[i]);
	for (struct definition *d = l->definitions; !err && d; d = d->hh.next) {
		struct name *n;

		HASH_FIND(hh, l->names, &d->function, sizeof(d->function), n);
		if (n || !d->function)
			continue;
		n = calloc(1, sizeof(*n));
		if (!n)
			return -ENOMEM;
		n->function = d->function;
		HASH_ADD(hh, l->names, function, sizeof(n->function), n);
		if (!n->hh.tbl) {
			free(n);
			return -ENOMEM;
		}
		err = wanted_add(l, n->function);
	}
	return err ? err : ids_ask(l, names_front, name_row);
}

static uint32_t function_of(const struct loading *l, const struct definition *d)
{
	struct name *n;

	if (!d || !d->known)
		return FUNCTION_UNNAMED;
	if (!d->function)
		return FUNCTION_OUTSIDE;
	HASH_FIND(hh, l->names, &d->function, sizeof(d->function), n);
	return n && n->index ? n->index : FUNCTION_UNNAMED;
}

/* Its node, after those of its callers; without these, where there is no end to them. */
static int node_make(struct loading *l, struct place *place)
{
	struct place *chain[DEPTH_MAX];
	struct definition *d;
	uint32_t parent = 0;
	size_t depth = 0;
	int err = 0;

	for (struct place *p = place; p && !p->node && depth < DEPTH_MAX;) {
		chain[depth++] = p;
		HASH_FIND(hh, l->definitions, &p->key.path, sizeof(p->key.path), d);
		if (!d || !d->known || !d->parent)
			break;
		p = place_get(l, d->parent, p->key.group);
		if (!p)
			return -ENOMEM;
		parent = p->node;
	}
	if (depth == DEPTH_MAX)
		depth = 1;
	while (!err && depth--) {
		struct place *p = chain[depth];
		struct query_tree_node n = { .parent = parent, .group = p->key.group,
					     .calls = p->calls, .samples = p->samples,
					     .self = p->self };

		HASH_FIND(hh, l->definitions, &p->key.path, sizeof(p->key.path), d);
		n.function = function_of(l, d);
		err = query_tree_add_node(l->tree, &n);
		parent = p->node = l->tree->node_count - 1;
	}
	return err;
}

/* Callers are added to the places as they are met, at the end. */
static int nodes_make(struct loading *l)
{
	int err = 0;

	for (struct place *p = l->places; !err && p; p = p->hh.next)
		err = p->node ? 0 : node_make(l, p);
	return err;
}

static int cut_add(struct loading *l, double self)
{
	struct query_tree_node n = { .function = FUNCTION_CUT, .self = self };
	struct query_tree_group g = { .pair = l->total->pair };
	int err;

	for (unsigned i = 0; i < l->tree->key_count; i++)
		g.values[i] = "";
	err = query_tree_add_group(l->tree, &g, &n.group);
	return err ? err : query_tree_add_node(l->tree, &n);
}

static void loading_free(struct loading *l)
{
	struct definition *d, *d_next;
	struct name *n, *n_next;
	struct place *p, *p_next;

	HASH_ITER(hh, l->definitions, d, d_next) {
		HASH_DEL(l->definitions, d);
		free(d);
	}
	HASH_ITER(hh, l->names, n, n_next) {
		HASH_DEL(l->names, n);
		free(n);
	}
	HASH_ITER(hh, l->places, p, p_next) {
		HASH_DEL(l->places, p);
		free(p);
	}
	free(l->ids);
}

int query_tree_load(struct query_run *r, uint32_t limit, struct query_tree *ret)
{
	struct query_total totals[QUERY_PAIRS_MAX];
	double cut[QUERY_PAIRS_MAX];
	struct query_slices w = { .keys = true };
	struct query_tree tree = { .key_count = r->q->by_count };
	struct loading l = { .run = r, .tree = &tree, .slices = &w };
	size_t count = 0;
	int err = query_totals(r, FACT_PATH_COSTS, totals, &count);

	for (size_t i = 0; !err && i < count; i++) {
		l.total = &totals[i];
		w.pair = &totals[i].pair;
		err = costs_load(&l, limit);
		cut[i] = totals[i].self - l.self;
	}
	/* A round is a level of callers; ids_ask() goes on while there are more. */
	if (!err)
		err = ids_ask(&l, definitions_front, definition_row);
	if (!err)
		err = names_load(&l);
	if (!err)
		err = nodes_make(&l);
	for (size_t i = 0; !err && i < count; i++) {
		l.total = &totals[i];
		/* Sums of large amounts in another order differ in their last digits. */
		if (cut[i] > 1e-9 * totals[i].self)
			err = cut_add(&l, cut[i]);
	}
	loading_free(&l);
	if (err) {
		query_tree_free(&tree);
		return *r->err ? err : QUERY_FAIL(r, err, "call paths: %s", strerror(-err));
	}
	*ret = tree;
	return 0;
}
