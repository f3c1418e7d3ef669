/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

void *arena_items(struct arena *a, size_t count, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	size_t bytes;
	char *at;

	if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
		return NULL;
	at = arena_alloc(a, bytes + align);
	if (!at)
		return NULL;
	at += -(uintptr_t)at % align;
	return memset(at, 0, bytes);
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
