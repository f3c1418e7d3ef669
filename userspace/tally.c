/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/tally.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SLOTS_FIRST 64

static char *item_at(const struct tally *t, uint32_t index)
{
	return (char *)t->items + index * t->item_size;
}

/* Where the key is, or would be; fewer than all slots are taken. */
static uint32_t slot_of(const struct tally *t, const void *key)
{
	uint32_t at = XXH64(key, t->key_size, 0) & t->slot_mask;

	while (t->slots[at] && memcmp(item_at(t, t->slots[at] - 1), key, t->key_size))
		at = (at + 1) & t->slot_mask;
	return at;
}

static int slots_grow(struct tally *t)
{
	uint32_t *old = t->slots;
	uint64_t n = t->slots ? 2 * ((uint64_t)t->slot_mask + 1) : SLOTS_FIRST;

	if (n > UINT32_MAX)
		return -ENOSPC;
	t->slots = calloc(n, sizeof(*t->slots));
	if (!t->slots) {
		t->slots = old;
		return -ENOMEM;
	}
	t->slot_mask = n - 1;
	for (uint32_t i = 0; i < t->count; i++)
		t->slots[slot_of(t, item_at(t, i))] = i + 1;
	free(old);
	return 0;
}

static int items_grow(struct tally *t)
{
	uint32_t capacity = t->capacity + t->capacity / 2 + 32;
	void *grown = reallocarray(t->items, capacity, t->item_size);

	if (!grown)
		return -ENOMEM;
	t->items = grown;
	t->capacity = capacity;
	return 0;
}

int tally_at(struct tally *t, const void *key, void *ret_item)
{
	void **ret = ret_item;
	uint32_t slot;
	int err = 0;

	/* A third of the slots stays free. */
	if (!t->slots || (uint64_t)t->count * 3 >= ((uint64_t)t->slot_mask + 1) * 2)
		err = slots_grow(t);
	if (err)
		return err;
	slot = slot_of(t, key);
	if (!t->slots[slot]) {
		if (t->max && t->count >= t->max)
			return -ENOSPC;
		if (t->count == t->capacity)
			err = items_grow(t);
		if (err)
			return err;
		memset(item_at(t, t->count), 0, t->item_size);
		memcpy(item_at(t, t->count), key, t->key_size);
		t->slots[slot] = ++t->count;
	}
	*ret = item_at(t, t->slots[slot] - 1);
	return 0;
}

void *tally_find(const struct tally *t, const void *key)
{
	uint32_t index = t->slots ? t->slots[slot_of(t, key)] : 0;

	return index ? item_at(t, index - 1) : NULL;
}

void tally_empty(struct tally *t)
{
	if (t->slots)
		memset(t->slots, 0, ((size_t)t->slot_mask + 1) * sizeof(*t->slots));
	t->count = 0;
}

void tally_clear(struct tally *t)
{
	free(t->items);
	free(t->slots);
	t->items = NULL;
	t->slots = NULL;
	t->count = t->capacity = t->slot_mask = 0;
}
