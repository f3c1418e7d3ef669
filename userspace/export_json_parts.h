/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values that more than one JSON document has. */
#ifndef PYCOST_EXPORT_JSON_PARTS_H
#define PYCOST_EXPORT_JSON_PARTS_H

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "userspace/places.h"

/* JSON's integers are signed in most readers. */
static inline json_t *json_count(uint64_t value)
{
	return json_integer(value < INT64_MAX ? (json_int_t)value : INT64_MAX);
}

static inline json_t *json_string_or_null(const char *s)
{
	return *s ? json_string(s) : json_null();
}

/* Each kind of loss by its name. */
static inline json_t *json_losses(const uint64_t losses[LOSS_MAX])
{
	json_t *object = json_object();

	for (int i = 1; object && i < LOSS_MAX; i++)
		json_object_set_new(object, loss_name(i), json_count(losses[i]));
	return object;
}

/*
 * A whole document, on a line; takes it.  -ENOMEM: it is NULL.  A failed write stays in the
 * stream for its owner to find.
 */
static inline int json_print(json_t *json, FILE *out)
{
	if (!json)
		return -ENOMEM;
	json_dumpf(json, out, JSON_COMPACT);
	fputc('\n', out);
	json_decref(json);
	return 0;
}

/* {"runs": samples, "gc": ..., "import": ..., "gil": ..., "kernel": ...}, of one row or of them all. */
json_t *json_states(const struct place *v, size_t count);
/* [{"symbol", "object", "samples", "kernel"}], the most first. */
json_t *json_natives(const struct report *r, const struct place *v, size_t count);
/* [{"python", "opcode", "name", "family", "samples", "share", "share_error"}], likewise. */
json_t *json_opcodes(const struct place *v, size_t count);

#endif
