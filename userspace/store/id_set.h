/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ids that are known: hashes of 64 bits, none of which is 0. */
#ifndef PYCOST_ID_SET_H
#define PYCOST_ID_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero: empty. */
struct id_set {
	uint64_t *slots; /* 0: empty; a power of two of them, at most half full */
	size_t size, count;
};

bool id_set_has(const struct id_set *s, uint64_t id);
/* 1: it is new. 0: it was there, or is 0. -ENOMEM. */
int id_set_add(struct id_set *s, uint64_t id);
void id_set_remove(struct id_set *s, uint64_t id);
/* All of another's. */
int id_set_join(struct id_set *s, const struct id_set *other);
/* Keeps the memory. */
void id_set_empty(struct id_set *s);
void id_set_free(struct id_set *s);

#endif
