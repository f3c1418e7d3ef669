/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/event_table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Without memory, HASH_ADD leaves hh.tbl NULL instead of calling exit(). */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "userspace/request_field.h"
#include "userspace/saturate.h"

#define KEY_SIZE 4096

const char *const event_field_names[EVENT_FIELDS] = {
	[EVENT_ENDPOINT] = "endpoint", [EVENT_FUNCTION] = "function",
	[EVENT_MODULE] = "module",     [EVENT_PACKAGE] = "package",
	[EVENT_GENERATION] = "generation",
};

const char *const event_sort_names[EVENT_SORTS] = {
	[EVENT_SORT_COST] = "cost",   [EVENT_SORT_TIME] = "time",
	[EVENT_SORT_COUNT] = "count", [EVENT_SORT_WHOLE] = "whole",
	[EVENT_SORT_COLLECTED] = "collected", [EVENT_SORT_NAME] = "name",
};

enum event_field event_field_by_name(enum event_kind kind, const char *name)
{
	for (int f = 0; f < EVENT_FIELDS; f++) {
		bool of_imports = f == EVENT_MODULE || f == EVENT_PACKAGE;
		bool of_collections = f == EVENT_GENERATION;

		if (strcmp(name, event_field_names[f]))
			continue;
		return kind == EVENT_IMPORT ? (of_collections ? EVENT_FIELDS : f)
					    : (of_imports ? EVENT_FIELDS : f);
	}
	return EVENT_FIELDS;
}

/* What both kinds have in common. */
struct event {
	uint32_t endpoint, function, generation;
	const char *module;
	struct event_row amounts;
};

struct entry {
	struct event_row row;
	UT_hash_handle hh;
};

static size_t field_text(const struct profile *p, const struct event *e, enum event_field f,
			 char *out, size_t size)
{
	const struct sink_function *function = &p->functions[e->function];
	char text[REQUEST_FIELD_SIZE];
	int used = 0;

	switch (f) {
	case EVENT_ENDPOINT:
		endpoint_text(p, e->endpoint, text);
		used = snprintf(out, size, "%s", text);
		break;
	case EVENT_FUNCTION:
		used = snprintf(out, size, "%s%s%s", function->module,
				*function->module ? "." : "", e->function ? function->qualname : "-");
		break;
	case EVENT_MODULE:
		used = snprintf(out, size, "%s", e->module);
		break;
	case EVENT_PACKAGE:
		used = snprintf(out, size, "%.*s", (int)strcspn(e->module, "."), e->module);
		break;
	case EVENT_GENERATION:
		used = snprintf(out, size, "%" PRIu32, e->generation);
		break;
	case EVENT_FIELDS:
		*out = 0;
	}
	return ((size_t)used < size ? (size_t)used : size - 1) + 1;
}

static void row_add(struct event_row *to, const struct event_row *from)
{
	to->count = saturating_add(to->count, from->count);
	to->ns = saturating_add(to->ns, from->ns);
	to->cost = saturating_add(to->cost, from->cost);
	to->whole_ns = saturating_add(to->whole_ns, from->whole_ns);
	to->whole_cost = saturating_add(to->whole_cost, from->whole_cost);
	to->collected = saturating_add(to->collected, from->collected);
}

static int entry_new(struct event_table *t, struct entry **entries, const char *key, size_t size,
		     struct entry **ret)
{
	struct entry *e = calloc(1, sizeof(*e));
	char *copy = arena_alloc(&t->strings, size ? size : 1);

	if (!e || !copy) {
		free(e);
		return -ENOMEM;
	}
	memcpy(copy, key, size);
	HASH_ADD_KEYPTR(hh, *entries, copy, size, e);
	if (!e->hh.tbl) {
		free(e);
		return -ENOMEM;
	}
	for (size_t i = 0; i < t->by_count; i++) {
		e->row.keys[i] = copy;
		copy += strlen(copy) + 1;
	}
	*ret = e;
	return 0;
}

static int event_add(struct event_table *t, struct entry **entries, const struct event *event)
{
	char key[KEY_SIZE];
	struct entry *e;
	size_t size = 0;
	int err = 0;

	for (size_t i = 0; i < t->by_count; i++)
		size += field_text(t->profile, event, t->by[i], key + size,
				   KEY_SIZE / EVENT_FIELDS);
	HASH_FIND(hh, *entries, key, size, e);
	if (!e)
		err = entry_new(t, entries, key, size, &e);
	if (err)
		return err;
	row_add(&e->row, &event->amounts);
	row_add(&t->total, &event->amounts);
	return 0;
}

static int imports_add(struct event_table *t, struct entry **entries, const char *endpoint)
{
	const struct profile_requests *r = &t->profile->requests;
	int err = 0;

	for (size_t i = 0; !err && i < r->import_count; i++) {
		const struct sink_import *m = &r->imports[i];
		struct event e = { m->endpoint, m->function, 0, m->module,
				   { .count = m->count, .ns = m->self_ns, .cost = m->self_cost,
				     .whole_ns = m->ns, .whole_cost = m->cost } };

		if (!endpoint || endpoint_matches(t->profile, m->endpoint, endpoint))
			err = event_add(t, entries, &e);
	}
	return err;
}

static int collections_add(struct event_table *t, struct entry **entries, const char *endpoint)
{
	const struct profile_requests *r = &t->profile->requests;
	int err = 0;

	for (size_t i = 0; !err && i < r->collection_count; i++) {
		const struct profile_collection *c = &r->collections[i];
		struct event e = { c->endpoint, c->function, c->generation, "",
				   { .count = c->count, .ns = c->ns, .cost = c->cost,
				     .whole_ns = c->ns, .whole_cost = c->cost,
				     .collected = c->collected } };

		if (!endpoint || endpoint_matches(t->profile, c->endpoint, endpoint))
			err = event_add(t, entries, &e);
	}
	return err;
}

static uint64_t sort_key(const struct event_row *r, enum event_sort sort)
{
	switch (sort) {
	case EVENT_SORT_COST:
		return r->cost;
	case EVENT_SORT_TIME:
		return r->ns;
	case EVENT_SORT_COUNT:
		return r->count;
	case EVENT_SORT_WHOLE:
		return r->whole_cost;
	case EVENT_SORT_COLLECTED:
		return r->collected;
	case EVENT_SORT_NAME:
	case EVENT_SORTS:
		break;
	}
	return 0;
}

static int row_compare(const void *x, const void *y, void *arg)
{
	const struct event_row *a = x, *b = y;
	enum event_sort sort = *(enum event_sort *)arg;
	uint64_t p = sort_key(a, sort), q = sort_key(b, sort);
	int order = 0;

	if (p != q)
		return p > q ? -1 : 1;
	for (size_t i = 0; !order && i < EVENT_FIELDS && a->keys[i]; i++)
		order = strcmp(a->keys[i], b->keys[i]);
	return order;
}

static int rows_make(struct event_table *t, struct entry *entries, enum event_sort sort)
{
	struct entry *e, *tmp;

	t->rows = calloc(HASH_COUNT(entries) + 1, sizeof(*t->rows));
	if (!t->rows)
		return -ENOMEM;
	HASH_ITER(hh, entries, e, tmp)
		t->rows[t->row_count++] = e->row;
	qsort_r(t->rows, t->row_count, sizeof(*t->rows), row_compare, &sort);
	return 0;
}

int event_table_compute(const struct profile *p, enum event_kind kind, const enum event_field *by,
			size_t by_count, const char *endpoint, enum event_sort sort,
			struct event_table *ret)
{
	struct event_table t = { .profile = p, .kind = kind, .by_count = by_count };
	struct entry *entries = NULL, *e, *tmp;
	int err;

	if (by_count > EVENT_FIELDS)
		return -E2BIG;
	memcpy(t.by, by, by_count * sizeof(*by));
	err = kind == EVENT_IMPORT ? imports_add(&t, &entries, endpoint)
				   : collections_add(&t, &entries, endpoint);
	if (!err)
		err = rows_make(&t, entries, sort);
	HASH_ITER(hh, entries, e, tmp) {
		HASH_DEL(entries, e);
		free(e);
	}
	if (err)
		event_table_free(&t);
	else
		*ret = t;
	return err;
}

void event_table_free(struct event_table *t)
{
	free(t->rows);
	arena_free(&t->strings);
	*t = (struct event_table){ 0 };
}
