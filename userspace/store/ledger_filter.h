/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which batches are surely not in the ledger: a Bloom filter over their ids, which are
 * hashes themselves. One in a hundred that is not there may be taken for one that is; the
 * ledger itself is asked about those.
 */
#ifndef PYCOST_LEDGER_FILTER_H
#define PYCOST_LEDGER_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The two halves of an id, as the ledger has them. */
struct batch_halves {
	uint64_t high, low;
};
struct batch_halves batch_halves(const uint8_t *id);

/* All zero: nothing may be added. */
struct ledger_filter {
	uint64_t *words;
	uint64_t bits; /* a power of two */
	uint64_t count, capacity; /* beyond, more are taken for what they are not */
};

/* Empty, for so many. -ENOMEM: it is as it was. */
int ledger_filter_make(struct ledger_filter *f, uint64_t capacity);
void ledger_filter_add(struct ledger_filter *f, struct batch_halves id);
bool ledger_filter_may_have(const struct ledger_filter *f, struct batch_halves id);
void ledger_filter_free(struct ledger_filter *f);

#endif
