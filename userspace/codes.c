// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/codes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "bpf/wire.h"
#include "symbolizer/line_table.h"
#include "symbolizer/pystr.h"
#include "symbolizer/resolver.h"
#include "userspace/code_traits.h"
#include "userspace/sink.h"

struct code {
	struct wire_code_key key;
	struct code_known known;
	UT_hash_handle hh;
};

/* key: module, file, line, qualname and wraps, NUL-separated. */
struct function {
	uint32_t id;
	struct line_table *lines; /* of the first build that it was met in; NULL: unknown */
	const struct line_costs *lines_of;
	UT_hash_handle hh;
	char key[];
};

struct codes {
	struct sink *sink;
	struct code *codes;
	struct function *functions;
	struct function **by_id; /* from 1 */
	uint32_t n_functions, capacity;
};

int codes_new(struct sink *sink, struct codes **ret)
{
	struct codes *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->sink = sink;
	*ret = c;
	return 0;
}

void codes_free(struct codes *c)
{
	struct code *code, *next_code;
	struct function *function, *next_function;

	if (!c)
		return;
	HASH_ITER(hh, c->codes, code, next_code)
	{
		HASH_DEL(c->codes, code);
		free(code);
	}
	HASH_ITER(hh, c->functions, function, next_function)
	{
		HASH_DEL(c->functions, function);
		free(function->lines);
		free(function);
	}
	free(c->by_id);
	free(c);
}

static struct code *code_find(const struct codes *c, const struct wire_code_key *key)
{
	struct code *found;

	HASH_FIND(hh, c->codes, key, sizeof(*key), found);
	return found;
}

static int code_add(struct codes *c, const struct wire_code_key *key, uint32_t function,
		    uint8_t traits)
{
	struct code *code = code_find(c, key);

	if (!code) {
		code = calloc(1, sizeof(*code));
		if (!code)
			return -ENOMEM;
		code->key = *key;
		HASH_ADD(hh, c->codes, key, sizeof(code->key), code);
	}
	code->known.function = function;
	code->known.traits = traits;
	return 0;
}

static size_t key_build(const struct sink_function *f, char *ret, size_t size)
{
	int n = snprintf(ret, size, "%s%c%s%c%u%c%s%c%s", f->module, 0, f->file, 0, f->line, 0,
			 f->qualname, 0, f->wraps);

	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

static int function_number(struct codes *c, struct function *f)
{
	uint32_t id = c->n_functions + 1;

	if (id >= c->capacity) {
		uint32_t capacity = 2 * id + 62;
		struct function **grown = realloc(c->by_id, capacity * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		c->by_id = grown;
		c->capacity = capacity;
	}
	f->id = c->n_functions = id;
	c->by_id[id] = f;
	return 0;
}

/* The id of this function; new ones are told to the sink. */
static int function_intern(struct codes *c, struct sink_function *f, uint32_t *ret)
{
	char key[4096];
	size_t len = key_build(f, key, sizeof(key));
	struct function *found;
	int err;

	HASH_FIND(hh, c->functions, key, len, found);
	if (!found) {
		found = calloc(1, sizeof(*found) + len);
		if (!found || function_number(c, found)) {
			free(found);
			return -ENOMEM;
		}
		memcpy(found->key, key, len);
		f->id = found->id;
		HASH_ADD_KEYPTR(hh, c->functions, found->key, len, found);
		err = c->sink->function(c->sink, f);
		if (err)
			return err;
	}
	*ret = found->id;
	return 0;
}

static const char *text_of(const struct wire_str *s, const uint8_t *data, size_t max, char *ret,
			   size_t size)
{
	struct pystr str = {.kind = s->kind, .length = s->length, .bytes = data, .size = s->bytes};
	bool cut;

	if (!s->kind || s->bytes > max || pystr_decode(&str, ret, size, &cut) < 0)
		return NULL;
	return ret;
}

/* A table that makes no sense is as good as none. */
static int lines_learn(struct function *f, const struct wire_event_code *e, int minor,
		       const struct line_costs *costs)
{
	size_t size = e->linetable_size < WIRE_LINETABLE_MAX ? e->linetable_size
							     : WIRE_LINETABLE_MAX;

	if (f->lines || e->linetable_size == WIRE_LINETABLE_UNREAD || !costs)
		return 0;
	f->lines_of = costs;
	return line_table_read(minor, e->firstlineno, e->linetable, size, e->linetable_size, costs,
			       &f->lines) == -ENOMEM ? -ENOMEM : 0;
}

int codes_learn(struct codes *c, const struct wire_event_code *e, struct resolver *r, int minor,
		const struct line_costs *lines)
{
	struct wire_code_key key = {.code = e->code, .wrapped = e->wrapped, .tgid = e->head.tgid,
				    .print = e->print};
	/* UTF-8 takes up to three bytes for each two of the target's. */
	char file[WIRE_FILE_MAX * 2], name[WIRE_NAME_MAX * 2], qualname[WIRE_QUALNAME_MAX * 2],
		wraps[WIRE_QUALNAME_MAX * 2];
	struct code_facts facts = {
		.filename = text_of(&e->file, e->file_data, WIRE_FILE_MAX, file, sizeof(file)),
		.name = text_of(&e->name, e->name_data, WIRE_NAME_MAX, name, sizeof(name)),
		.qualname = text_of(&e->qualname, e->qualname_data, WIRE_QUALNAME_MAX, qualname,
				    sizeof(qualname)),
		.wrapped_qualname = text_of(&e->wraps, e->wraps_data, WIRE_QUALNAME_MAX, wraps,
				   sizeof(wraps)),
		.firstlineno = e->firstlineno,
		.minor = minor,
	};
	struct code_name named;
	uint32_t id;
	int err;

	if (!facts.filename)
		facts.filename = "";
	if (!facts.name)
		facts.name = "?";
	err = resolver_resolve(r, &facts, &named);
	if (err)
		return err;
	struct sink_function f = {
		.name = named.name, .qualname = named.qualname, .class_name = named.class_name,
		.module = named.module, .file = named.file, .wraps = named.wraps,
		.line = named.line, .unresolved = named.unresolved,
	};
	err = function_intern(c, &f, &id);
	if (!err)
		err = lines_learn(c->by_id[id], e, minor, lines);
	if (err)
		return err;
	return code_add(c, &key, id, code_traits(e->flags, f.module, f.file, f.name));
}

const struct line_table *codes_lines(const struct codes *c, uint32_t function,
				     const struct line_costs *costs)
{
	if (!function || function > c->n_functions || c->by_id[function]->lines_of != costs)
		return NULL;
	return c->by_id[function]->lines;
}

static struct wire_code_key key_of(const struct wire_node *n)
{
	return (struct wire_code_key){.code = n->code, .wrapped = n->wrapped, .tgid = n->tgid,
				      .print = n->print};
}

uint32_t codes_function(const struct codes *c, const struct wire_node *n)
{
	struct wire_code_key key = key_of(n);
	struct code *code = code_find(c, &key);

	return code ? code->known.function : 0;
}

struct code_known *codes_known(const struct codes *c, const struct wire_code_key *key)
{
	struct code *code = code_find(c, key);

	return code ? &code->known : NULL;
}

int codes_invent_key(struct codes *c, const struct wire_code_key *key, uint32_t *ret)
{
	char name[64];
	struct sink_function f = {.name = name, .qualname = name, .class_name = "", .module = "",
				  .file = "", .wraps = "", .unresolved = true};
	int err;

	snprintf(name, sizeof(name), "<code %#llx of %u>", (unsigned long long)key->code, key->tgid);
	err = function_intern(c, &f, ret);
	return err ? err : code_add(c, key, *ret, 0);
}

int codes_invent(struct codes *c, const struct wire_node *n, uint32_t *ret)
{
	struct wire_code_key key = key_of(n);

	return codes_invent_key(c, &key, ret);
}

void codes_forget(struct codes *c, uint32_t tgid,
		  void (*gone)(void *arg, const struct wire_code_key *key), void *arg)
{
	struct code *code, *next;

	HASH_ITER(hh, c->codes, code, next)
	{
		if (code->key.tgid != tgid)
			continue;
		if (gone)
			gone(arg, &code->key);
		HASH_DEL(c->codes, code);
		free(code);
	}
}
