/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of one object, in the order of their addresses: 16 bytes and the
 * name for each.  First names are added, then the table is sealed, then it is
 * asked.
 */
#ifndef PYCOST_NATIVE_TABLE_H
#define PYCOST_NATIVE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct native_table;

/* How a name ranks among others of the same address: the lowest is kept. */
enum native_rank {
	RANK_GLOBAL, /* or weak */
	RANK_LOCAL,
	RANK_MADE, /* by us, such as foo@plt */
};

/* Takes at most max_bytes of memory.  NULL: no memory. */
struct native_table *native_table_new(size_t max_bytes);
void native_table_free(struct native_table *t);

/*
 * size bytes from start on have this name, which is copied; a version ("@@GLIBC")
 * is left out.  Nothing is added for a size of 0.  -ENOSPC when the table is full
 * (which native_table_lost() counts), -ENOMEM.
 */
int native_table_add(struct native_table *t, uint64_t start, uint64_t size, enum native_rank rank,
		     const char *name, size_t name_len);

/*
 * Sorts and keeps one name for each start: by rank, then the one with fewer
 * leading underscores, then the shorter, then the first in the alphabet.  With
 * newest, the one added last instead.  More may be added afterwards, and the
 * table sealed again.
 */
int native_table_seal(struct native_table *t, bool newest);

struct native_function {
	const char *name; /* owned by the table, until it changes */
	uint64_t offset;  /* of the address from the function's start, bytes */
	size_t index;	  /* in the table, until it changes */
};

/* The function that has this address within its size, the innermost. */
bool native_table_find(const struct native_table *t, uint64_t address,
		       struct native_function *ret);

/* By index, below native_table_count(). */
const char *native_table_name(const struct native_table *t, size_t index);
size_t native_table_count(const struct native_table *t);
size_t native_table_bytes(const struct native_table *t); /* of memory */
uint64_t native_table_lost(const struct native_table *t);

/* Equal content, to keep one of both. */
uint64_t native_table_hash(const struct native_table *t);
bool native_table_equal(const struct native_table *a, const struct native_table *b);

#endif
