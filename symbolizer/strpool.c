/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An open hash table of pointers into blocks that are filled front to back. */
#include "symbolizer/strpool.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define BLOCK_SIZE ((size_t)64 * 1024)

struct block {
	struct block *next;
	size_t used, size;
	char bytes[];
};

struct strpool {
	struct block *blocks; /* the first one is being filled */
	size_t bytes, max;
	const char **slots; /* n_slots is a power of two */
	size_t n_slots, n_strings;
};

struct strpool *strpool_new(size_t max)
{
	struct strpool *p = calloc(1, sizeof(*p));

	if (p)
		p->max = max;
	return p;
}

void strpool_free(struct strpool *p)
{
	if (!p)
		return;
	while (p->blocks) {
		struct block *next = p->blocks->next;

		free(p->blocks);
		p->blocks = next;
	}
	free(p->slots);
	free(p);
}

/* The slot that holds the string, or the empty one where it belongs. */
static const char **find_slot(const char **slots, size_t n_slots, const char *s, size_t len)
{
	size_t i = XXH3_64bits(s, len) & (n_slots - 1);

	while (slots[i] && strcmp(slots[i], s))
		i = (i + 1) & (n_slots - 1);
	return &slots[i];
}

static bool grow_slots(struct strpool *p)
{
	size_t n = p->n_slots ? 2 * p->n_slots : 1024;
	const char **slots = calloc(n, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < p->n_slots; i++)
		if (p->slots[i])
			*find_slot(slots, n, p->slots[i], strlen(p->slots[i])) = p->slots[i];
	free(p->slots);
	p->slots = slots;
	p->n_slots = n;
	return true;
}

static char *take_bytes(struct strpool *p, size_t size)
{
	struct block *b = p->blocks;

	if (size > p->max - p->bytes)
		return NULL;
	if (!b || size > b->size - b->used) {
		size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;

		b = malloc(sizeof(*b) + room);
		if (!b)
			return NULL;
		*b = (struct block){ .next = p->blocks, .size = room };
		p->blocks = b;
	}
	p->bytes += size;
	b->used += size;
	return b->bytes + b->used - size;
}

const char *strpool_intern(struct strpool *p, const char *s)
{
	size_t len = strlen(s);
	const char **slot;
	char *copy;

	if (p->n_strings >= p->n_slots / 4 * 3 && !grow_slots(p))
		return NULL;
	slot = find_slot(p->slots, p->n_slots, s, len);
	if (*slot)
		return *slot;
	copy = take_bytes(p, len + 1);
	if (!copy)
		return NULL;
	p->n_strings++;
	return *slot = memcpy(copy, s, len + 1);
}
