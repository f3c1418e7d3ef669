/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/samples.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Pages of it that are not needed are never touched. */
#define FRAMES_MAX (1u << 17)
#define NATIVES_MAX (1u << 16)
#define STACKS_MAX (1u << 14)
#define PLACES_MAX (1u << 15)

int samples_init(struct samples *s)
{
	*s = (struct samples){
		.stacks = {.item_size = sizeof(struct sample_stack),
			   .key_size = sizeof(((struct sample_stack *)0)->key),
			   .max = STACKS_MAX},
		.chains = {.item_size = sizeof(struct sample_chain),
			   .key_size = sizeof(((struct sample_chain *)0)->key),
			   .max = PLACES_MAX},
		.places = {.item_size = sizeof(struct sample_place),
			   .key_size = offsetof(struct sample_place, count), .max = PLACES_MAX},
		.frames = malloc(FRAMES_MAX * sizeof(*s->frames)),
		.natives = malloc(NATIVES_MAX * sizeof(*s->natives)),
	};
	return s->frames && s->natives ? 0 : -ENOMEM;
}

void samples_clear(struct samples *s)
{
	tally_clear(&s->stacks);
	tally_clear(&s->chains);
	tally_clear(&s->places);
	free(s->frames);
	free(s->natives);
	s->frames = NULL;
	s->natives = NULL;
}

void samples_empty(struct samples *s)
{
	tally_empty(&s->stacks);
	tally_empty(&s->chains);
	tally_empty(&s->places);
	s->n_frames = s->n_natives = 0;
}

/* Whose samples these are. */
struct owner {
	uint64_t class_id;
	uint32_t tgid, tid;
};

static void key_of(uint64_t ret[2], const void *data, size_t size, const struct owner *whose)
{
	XXH128_hash_t hash = XXH3_128bits_withSeed(data, size, XXH3_64bits(whose, sizeof(*whose)));

	ret[0] = hash.low64;
	ret[1] = hash.high64;
}

static int stack_at(struct samples *s, const struct wire_sample_frame *frames, uint32_t n,
		    const struct owner *whose, struct sample_stack **ret)
{
	uint64_t key[2];
	int err;

	key_of(key, frames, n * sizeof(*frames), whose);
	*ret = tally_find(&s->stacks, key);
	if (*ret)
		return 0;
	if (s->n_frames + n > FRAMES_MAX)
		return -ENOSPC;
	err = tally_at(&s->stacks, key, ret);
	if (err)
		return err;
	memcpy(s->frames + s->n_frames, frames, n * sizeof(*frames));
	(*ret)->tgid = whose->tgid;
	(*ret)->tid = whose->tid;
	(*ret)->class_id = whose->class_id;
	(*ret)->first = s->n_frames;
	(*ret)->frames = n;
	(*ret)->place = SAMPLES_NO_PLACE;
	s->n_frames += n;
	return 0;
}

/* Its number + 1; 0: no addresses. */
static int chain_at(struct samples *s, const uint64_t *natives, uint32_t n, uint32_t tgid,
		    uint32_t *ret)
{
	struct owner process = {.tgid = tgid};
	struct sample_chain *chain;
	uint64_t key[2];
	int err;

	*ret = 0;
	if (!n)
		return 0;
	key_of(key, natives, n * sizeof(*natives), &process);
	chain = tally_find(&s->chains, key);
	if (!chain) {
		if (s->n_natives + n > NATIVES_MAX)
			return -ENOSPC;
		err = tally_at(&s->chains, key, &chain);
		if (err)
			return err;
		memcpy(s->natives + s->n_natives, natives, n * sizeof(*natives));
		chain->first = s->n_natives;
		chain->natives = n;
		s->n_natives += n;
	}
	*ret = chain - (struct sample_chain *)s->chains.items + 1;
	return 0;
}

static int place_count(struct samples *s, struct sample_stack *stack,
		       const struct sample_place *key, uint64_t count)
{
	struct sample_place *place;
	uint32_t known = s->places.count;
	int err = tally_at(&s->places, key, &place);

	if (err)
		return err;
	if (s->places.count > known) {
		place->next = stack->place;
		stack->place = known;
	}
	place->count += count;
	stack->count += count;
	return 0;
}

static uint32_t stack_number(const struct samples *s, const struct sample_stack *stack)
{
	return stack - (const struct sample_stack *)s->stacks.items;
}

/*
 * 0 is no instruction of any minor, but an entry of the caches behind one: between a
 * call's return and the next instruction the frame of 3.11 and 3.12 points there
 * (Python/ceval.c, JUMPBY() before DISPATCH_INLINED()).  Which one it follows is not told.
 */
static bool has_opcode(const struct wire_sample *e, uint32_t frames)
{
	return frames && e->has_opcode && e->opcode;
}

int samples_add(struct samples *s, const struct wire_sample *e, size_t size, bool per_thread)
{
	const struct wire_sample_frame *frames = (const void *)(e + 1);
	struct owner whose = {.class_id = e->class_id, .tgid = e->head.tgid,
			      .tid = per_thread ? e->tid : 0};
	const uint64_t *natives;
	struct sample_place place;
	struct sample_stack *stack;
	uint32_t n = 0;
	int err;

	if (size < sizeof(*e) || e->frames > WIRE_SAMPLE_FRAMES + WIRE_SAMPLE_AWAITS ||
	    e->natives > WIRE_SAMPLE_NATIVES ||
	    size < sizeof(*e) + e->frames * sizeof(*frames) + e->natives * sizeof(*natives))
		return -EINVAL;
	natives = (const void *)(frames + e->frames);
	if (!(e->flags & SAMPLES_NO_PATH))
		n = e->frames;
	place = (struct sample_place){.flags = e->flags, .state = e->state,
				      .opcode = has_opcode(e, n) ? e->opcode : 0,
				      .has_opcode = has_opcode(e, n), .in_kernel = !!e->in_kernel};
	err = stack_at(s, frames, n, &whose, &stack);
	if (!err)
		err = chain_at(s, natives, e->natives, e->head.tgid, &place.chain);
	if (err)
		return err;
	place.stack = stack_number(s, stack);
	return place_count(s, stack, &place, 1);
}

int samples_move(struct samples *to, const struct samples *from, const struct sample_stack *old)
{
	const struct sample_place *places = from->places.items;
	const struct sample_chain *chains = from->chains.items;
	struct owner whose = {.class_id = old->class_id, .tgid = old->tgid, .tid = old->tid};
	struct sample_stack *stack;
	int err = stack_at(to, from->frames + old->first, old->frames, &whose, &stack);

	if (err)
		return err;
	stack->waited = true;
	for (uint32_t i = old->place; !err && i != SAMPLES_NO_PLACE; i = places[i].next) {
		struct sample_place place = places[i];
		const struct sample_chain *chain = chains + place.chain - 1;

		place.stack = stack_number(to, stack);
		if (place.chain)
			err = chain_at(to, from->natives + chain->first, chain->natives, old->tgid,
				       &place.chain);
		if (!err)
			err = place_count(to, stack, &place, places[i].count);
	}
	return err;
}
