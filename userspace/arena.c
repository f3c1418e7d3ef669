/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "userspace/arena.h"

#define CHUNK_SIZE (64 << 10)

struct arena_chunk {
	struct arena_chunk *next;
	char data[];
};

char *arena_alloc(struct arena *a, size_t size)
{
	char *ret;

	if (size > a->left) {
		size_t chunk_size = size > CHUNK_SIZE ? size : CHUNK_SIZE;
		struct arena_chunk *chunk = malloc(sizeof(*chunk) + chunk_size);

		if (!chunk)
			return NULL;
		chunk->next = a->chunks;
		a->chunks = chunk;
		a->at = chunk->data;
		a->left = chunk_size;
	}
	ret = a->at;
	a->at += size;
	a->left -= size;
	return ret;
}

void arena_free(struct arena *a)
{
	while (a->chunks) {
		struct arena_chunk *next = a->chunks->next;

		free(a->chunks);
		a->chunks = next;
	}
	*a = (struct arena){ 0 };
}
