/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Batches as the rows of the tables: the same for every engine.
 *
 * Values are in the order of schema_fact_columns() of the minute, or of schema_names();
 * texts are the batch's own. Empty facts make no row: users' registers of rank 0 and bins
 * without a count.
 */
#ifndef PYCOST_ROWS_H
#define PYCOST_ROWS_H

#include "userspace/fleet/batch.h"
#include "userspace/store/schema.h"

/* Returns 0 or -errno, which ends it. count is the table's. */
typedef int (*rows_fn)(void *arg, const struct store_value *values, size_t count);

/*
 * Of a group of batches, written by one attempt. Where a fact is not kept by host, its rows of
 * the same keys are one. So what an attempt has written cannot be told apart by batch: if one
 * of a group turns out to have been stored by somebody else, the attempt is given up as a
 * whole, and the others are written by another.
 */
int rows_of_group(const struct batch *const *b, size_t n, uint64_t attempt, enum store_fact fact,
		  rows_fn row, void *arg);
/* The same of one batch, by host; for rows_of_group(). */
int rows_of_fact(const struct batch *b, uint64_t attempt, enum store_fact fact, rows_fn row,
		 void *arg);
/* Of tags: those of each slice, then those of its fleet when it is another. */
int rows_of_names(const struct batch *b, enum schema_names which, rows_fn row, void *arg);

/* The begin of the minute that a batch's facts are of. */
uint64_t rows_minute(const struct batch *b);
/* How many rows of facts it makes by itself. */
uint64_t rows_count(const struct batch *b);

#endif
