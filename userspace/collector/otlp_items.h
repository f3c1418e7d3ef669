/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What messages of OpenTelemetry are made of: all of it in one arena, which is looked at once
 * in the end. Without memory nothing is made any more, and everything made is NULL.
 */
#ifndef PYCOST_OTLP_ITEMS_H
#define PYCOST_OTLP_ITEMS_H

#include <stdbool.h>
#include <stddef.h>

#include "otlp.pb-c.h"
#include "userspace/arena.h"

struct otlp_items {
	struct arena memory;
	bool failed; /* no memory */
};

static inline void *otlp_items(struct otlp_items *m, size_t count, size_t size)
{
	void *ret = m->failed ? NULL : arena_items(&m->memory, count, size);

	if (!ret)
		m->failed = true;
	return ret;
}

/* A message as protobuf-c wants it to begin with. */
#define OTLP_NEW(m, type, init)                                \
	({                                                     \
		type *new_ = otlp_items((m), 1, sizeof(type)); \
		if (new_)                                      \
			*new_ = (type)init;                    \
		new_;                                          \
	})

static inline Otlp__Attribute *otlp_attribute(struct otlp_items *m, const char *key, const char *text)
{
	Otlp__Attribute *a = OTLP_NEW(m, Otlp__Attribute, OTLP__ATTRIBUTE__INIT);
	Otlp__Value *v = OTLP_NEW(m, Otlp__Value, OTLP__VALUE__INIT);

	if (!v)
		return NULL;
	v->value_case = OTLP__VALUE__VALUE_TEXT;
	v->text = (char *)text;
	a->key = (char *)key;
	a->value = v;
	return a;
}

#endif
