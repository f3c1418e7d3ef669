/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An array of items that are told apart by their first bytes, each there once. */
#ifndef PYCOST_TALLY_H
#define PYCOST_TALLY_H

#include <stddef.h>
#include <stdint.h>

struct tally {
	size_t item_size;
	size_t key_size; /* what an item begins with; no padding in it */
	uint32_t max;	 /* items; 0: as many as fit the memory */
	void *items;
	uint32_t count;
	/* private */
	uint32_t capacity;
	uint32_t *slots; /* item + 1; 0: free */
	uint32_t slot_mask;
};

/*
 * The item of this key: that which is there, or a new one, 0 but for its key.  The
 * address holds until the next call.  -ENOMEM, -ENOSPC.
 */
int tally_at(struct tally *t, const void *key, void *ret_item);
/* NULL: there is none. */
void *tally_find(const struct tally *t, const void *key);
/* Forgets the items, keeps the memory. */
void tally_empty(struct tally *t);
void tally_clear(struct tally *t);

#endif
