// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/store/ledger_filter.h"

/* With 10 to 20 bits an id, seven of them are set: at most 1 % are taken for others. */
#define BITS_EACH 10
#define SET_EACH 7

struct batch_halves batch_halves(const uint8_t *id)
{
	struct batch_halves h;

	memcpy(&h.high, id, sizeof(h.high));
	memcpy(&h.low, id + sizeof(h.high), sizeof(h.low));
	h.high = be64toh(h.high);
	h.low = be64toh(h.low);
	return h;
}

int ledger_filter_make(struct ledger_filter *f, uint64_t capacity)
{
	struct ledger_filter made = { .bits = 1024, .capacity = capacity };

	while (made.bits < capacity * BITS_EACH)
		made.bits *= 2;
	made.words = calloc(made.bits / 64, sizeof(*made.words));
	if (!made.words)
		return -ENOMEM;
	free(f->words);
	*f = made;
	return 0;
}

/* Ids should be evenly spread, but are whatever their senders make of them. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93ull;
	return (x ^ x >> 32) * 0xd6e8feb86659fd93ull;
}

/* The step is odd, so that the places differ. */
static uint64_t place(const struct ledger_filter *f, struct batch_halves id, unsigned int i)
{
	return (mix(id.low) + id.high + i * (mix(id.high ^ id.low) >> 16 | 1)) & (f->bits - 1);
}

void ledger_filter_add(struct ledger_filter *f, struct batch_halves id)
{
	for (unsigned int i = 0; i < SET_EACH; i++) {
		uint64_t bit = place(f, id, i);

		f->words[bit / 64] |= 1ull << bit % 64;
	}
	f->count++;
}

bool ledger_filter_may_have(const struct ledger_filter *f, struct batch_halves id)
{
	for (unsigned int i = 0; i < SET_EACH; i++) {
		uint64_t bit = place(f, id, i);

		if (!(f->words[bit / 64] >> bit % 64 & 1))
			return false;
	}
	return true;
}

void ledger_filter_free(struct ledger_filter *f)
{
	free(f->words);
	memset(f, 0, sizeof(*f));
}
