/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What messages of OpenTelemetry are made of: all of it in one arena, which is looked at once
 * in the end. Without memory nothing is made any more, and everything made is NULL.
 */
#ifndef PYCOST_OTLP_ITEMS_H
#define PYCOST_OTLP_ITEMS_H

#include <stdbool.h>
#include <stddef.h>

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

#endif
