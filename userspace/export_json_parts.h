/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values that more than one JSON document has. */
#ifndef PYCOST_EXPORT_JSON_PARTS_H
#define PYCOST_EXPORT_JSON_PARTS_H

#include <jansson.h>

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

/* {"runs": samples, "gc": ..., "import": ..., "gil": ..., "kernel": ...}, of one row or of them all. */
json_t *json_states(const struct place *v, size_t count);
/* [{"symbol", "object", "samples", "kernel"}], the most first. */
json_t *json_natives(const struct report *r, const struct place *v, size_t count);
/* [{"python", "opcode", "name", "family", "samples", "share", "share_error"}], likewise. */
json_t *json_opcodes(const struct place *v, size_t count);

#endif
