/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many small strings that live and die together. */
#ifndef PYCOST_ARENA_H
#define PYCOST_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;
	char *at;
	size_t left;
};

/* Unaligned bytes; NULL without memory. */
char *arena_alloc(struct arena *a, size_t size);
/* So many items, aligned for any type and all zero; not NULL when it is none. */
void *arena_items(struct arena *a, size_t count, size_t size);
void arena_free(struct arena *a);

#endif
