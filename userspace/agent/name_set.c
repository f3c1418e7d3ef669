/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/agent/name_set.h"

#include <errno.h>
#include <stdlib.h>

#define SIZE_FIRST 1024

/* Ids are hashes: their low bits are as good as any. The slot of an id, or where it belongs. */
static struct name_slot *slot_of(const struct name_set *s, uint64_t id)
{
	size_t at = id & (s->size - 1);

	while (s->slots[at].id && s->slots[at].id != id)
		at = (at + 1) & (s->size - 1);
	return &s->slots[at];
}

static int grow(struct name_set *s)
{
	struct name_set larger = {.size = s->size ? 2 * s->size : SIZE_FIRST, .count = s->count};

	larger.slots = calloc(larger.size, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < s->size; i++)
		if (s->slots[i].id)
			*slot_of(&larger, s->slots[i].id) = s->slots[i];
	free(s->slots);
	*s = larger;
	return 0;
}

int name_set_add(struct name_set *s, uint64_t id, uint32_t at_s)
{
	struct name_slot *slot;
	int err = s->count + 1 > s->size / 4 * 3 ? grow(s) : 0;

	if (err || !id)
		return err;
	slot = slot_of(s, id);
	s->count += !slot->id;
	*slot = (struct name_slot){.id = id, .at_s = at_s};
	return 0;
}

const struct name_slot *name_set_find(const struct name_set *s, uint64_t id)
{
	const struct name_slot *slot = s->size && id ? slot_of(s, id) : NULL;

	return slot && slot->id ? slot : NULL;
}

void name_set_clear(struct name_set *s)
{
	free(s->slots);
	*s = (struct name_set){0};
}
