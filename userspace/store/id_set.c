// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/store/id_set.h"

#define SIZE_MIN 1024

/* Ids are hashes already, but those of a hostile sender may be anything. */
static size_t place(const struct id_set *s, uint64_t id)
{
	uint64_t h = id * 0x9e3779b97f4a7c15ull;

	return (h ^ h >> 32) & (s->size - 1);
}

static uint64_t *find(const struct id_set *s, uint64_t id)
{
	size_t i = place(s, id);

	while (s->slots[i] && s->slots[i] != id)
		i = (i + 1) & (s->size - 1);
	return &s->slots[i];
}

bool id_set_has(const struct id_set *s, uint64_t id)
{
	return id && s->size && *find(s, id);
}

static int grow(struct id_set *s)
{
	struct id_set larger = { .size = s->size ? s->size * 2 : SIZE_MIN, .count = s->count };

	larger.slots = calloc(larger.size, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < s->size; i++)
		if (s->slots[i])
			*find(&larger, s->slots[i]) = s->slots[i];
	free(s->slots);
	*s = larger;
	return 0;
}

int id_set_add(struct id_set *s, uint64_t id)
{
	uint64_t *slot;
	int err;

	if (!id || id_set_has(s, id))
		return 0;
	if (2 * (s->count + 1) > s->size) {
		err = grow(s);
		if (err)
			return err;
	}
	slot = find(s, id);
	*slot = id;
	s->count++;
	return 1;
}

/* What was put further on because of it moves up. */
void id_set_remove(struct id_set *s, uint64_t id)
{
	size_t hole, mask = s->size - 1;

	if (!id_set_has(s, id))
		return;
	hole = (size_t)(find(s, id) - s->slots);
	for (size_t i = (hole + 1) & mask; s->slots[i]; i = (i + 1) & mask) {
		size_t home = place(s, s->slots[i]);

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		s->slots[hole] = s->slots[i];
		hole = i;
	}
	s->slots[hole] = 0;
	s->count--;
}

int id_set_join(struct id_set *s, const struct id_set *other)
{
	for (size_t i = 0; i < other->size; i++) {
		int added = id_set_add(s, other->slots[i]);

		if (added < 0)
			return added;
	}
	return 0;
}

void id_set_empty(struct id_set *s)
{
	if (s->slots)
		memset(s->slots, 0, s->size * sizeof(*s->slots));
	s->count = 0;
}

void id_set_free(struct id_set *s)
{
	free(s->slots);
	memset(s, 0, sizeof(*s));
}
