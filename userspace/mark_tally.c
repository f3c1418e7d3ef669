/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/mark_tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "userspace/sink.h"

/* Of a second: an interpreter that imports names as it goes has no more in it than that. */
#define TALLY_MAX 65536

/* The key is all up to `module`'s end; of a collection that is "". */
struct tallied {
	uint64_t class_id;
	uint32_t function;
	uint32_t generation;
	uint64_t count, ns, cost;
	uint64_t self_ns, self_cost, collected;
	UT_hash_handle hh;
	uint32_t key_size;
	char key[]; /* class, function, generation + 1 or 0, module */
};

struct mark_tally {
	struct tallied *imports, *collections;
	unsigned n;
};

int mark_tally_new(struct mark_tally **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static void tallied_drop(struct mark_tally *t, struct tallied **table, struct tallied *one)
{
	HASH_DEL(*table, one);
	free(one);
	t->n--;
}

void mark_tally_free(struct mark_tally *t)
{
	struct tallied *one, *next;

	if (!t)
		return;
	HASH_ITER(hh, t->imports, one, next)
		tallied_drop(t, &t->imports, one);
	HASH_ITER(hh, t->collections, one, next)
		tallied_drop(t, &t->collections, one);
	free(t);
}

#define KEY_HEAD 16

static int tallied_get(struct mark_tally *t, struct tallied **table, uint64_t class_id,
		       uint32_t function, uint32_t generation, const char *module,
		       struct tallied **ret)
{
	size_t length = strlen(module);
	char key[KEY_HEAD + WIRE_MODULE_MAX];
	struct tallied *one;

	memcpy(key, &class_id, 8);
	memcpy(key + 8, &function, 4);
	memcpy(key + 12, &generation, 4);
	memcpy(key + KEY_HEAD, module, length);
	HASH_FIND(hh, *table, key, KEY_HEAD + length, one);
	*ret = one;
	if (one)
		return 0;
	if (t->n == TALLY_MAX)
		return -ENOSPC;
	*ret = one = calloc(1, sizeof(*one) + KEY_HEAD + length + 1);
	if (!one)
		return -ENOMEM;
	one->class_id = class_id;
	one->function = function;
	one->generation = generation;
	memcpy(one->key, key, KEY_HEAD + length);
	HASH_ADD_KEYPTR(hh, *table, one->key, KEY_HEAD + length, one);
	t->n++;
	return 0;
}

int mark_tally_import(struct mark_tally *t, const struct wire_event_import *e, uint32_t function)
{
	char module[WIRE_MODULE_MAX] = "?";
	struct tallied *one;
	int err;

	if (e->length && e->length < sizeof(module)) {
		memcpy(module, e->module, e->length);
		module[e->length] = 0;
	}
	err = tallied_get(t, &t->imports, e->place.class_id, function, 0, module, &one);
	if (err)
		return err;
	one->count++;
	one->ns += e->ns;
	one->cost += e->cost;
	one->self_ns += e->self_ns;
	one->self_cost += e->self_cost;
	return 0;
}

int mark_tally_collection(struct mark_tally *t, const struct wire_event_collection *e,
			  uint32_t function)
{
	struct tallied *one;
	int err = tallied_get(t, &t->collections, e->place.class_id, function, e->generation, "",
			      &one);

	if (err)
		return err;
	one->count++;
	one->ns += e->ns;
	one->cost += e->cost;
	one->collected += e->collected;
	return 0;
}

static int import_tell(struct sink *sink, const struct tallied *one, uint32_t endpoint)
{
	struct sink_import fact = {
		.endpoint = endpoint, .function = one->function, .module = one->key + KEY_HEAD,
		.count = one->count, .ns = one->ns, .cost = one->cost,
		.self_ns = one->self_ns, .self_cost = one->self_cost,
	};

	return sink->import ? sink->import(sink, &fact) : 0;
}

static int collection_tell(struct sink *sink, const struct tallied *one, uint32_t endpoint)
{
	struct sink_collection fact = {
		.endpoint = endpoint, .function = one->function, .generation = one->generation,
		.count = one->count, .ns = one->ns, .cost = one->cost,
		.collected = one->collected,
	};

	return sink->collection ? sink->collection(sink, &fact) : 0;
}

static int table_tell(struct mark_tally *t, struct tallied **table, struct sink *sink,
		      int (*tell)(struct sink *, const struct tallied *, uint32_t),
		      uint32_t (*endpoint)(void *arg, uint64_t class_id), void *arg, bool last)
{
	struct tallied *one, *next;
	int err = 0;

	HASH_ITER(hh, *table, one, next) {
		uint32_t id = one->class_id && endpoint ? endpoint(arg, one->class_id) : 0;

		if (one->class_id && !id && !last)
			continue;
		if (!err)
			err = tell(sink, one, id);
		tallied_drop(t, table, one);
	}
	return err;
}

int mark_tally_tell(struct mark_tally *t, struct sink *sink,
		    uint32_t (*endpoint)(void *arg, uint64_t class_id), void *arg, bool last)
{
	int err = table_tell(t, &t->imports, sink, import_tell, endpoint, arg, last);

	return err ? err : table_tell(t, &t->collections, sink, collection_tell, endpoint, arg, last);
}
