/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a store has to be able to do: what is behind store.h, one of these for each engine.
 */
#ifndef PYCOST_STORE_ENGINE_H
#define PYCOST_STORE_ENGINE_H

#include "userspace/store/store.h"

/*
 * What is kept, and what of it has not been added up yet. An hour or a day is touched when it
 * has got facts that the table of hours or days does not have: it is read from the shorter
 * step then. Arrays are ascending, each once, and the receiver's: store_buckets_free().
 */
struct store_buckets {
	uint64_t *hours, *days;
	size_t hour_count, day_count;
	/* Whole days: what is before is not there any more. 0: nothing went yet. */
	uint64_t minutes_from, hours_from, days_from;
};

struct store_engine {
	int (*open)(const char *where, const struct store_options *o, struct store **ret,
		    char *err, size_t errlen);
	void (*close)(struct store *s);
	int (*write)(struct store *s, const struct batch *const *batches, size_t n,
		     enum store_written *ret, char *err, size_t errlen);
	/* until_ns: as of store_select_until(); 0: as long as it takes. */
	int (*select)(struct store *s, const char *sql, uint64_t until_ns, store_row_fn row,
		      void *arg, char *err, size_t errlen);
	void (*quote)(const struct store *s, FILE *out, const char *text);
	/* At least of what is touched between since and until. */
	int (*buckets)(struct store *s, uint64_t since, uint64_t until, struct store_buckets *ret,
		       char *err, size_t errlen);
	/* " AND ..." : which of the minutes' rows in that stretch are in the ledger. NULL: all. */
	void (*visible)(struct store *s, uint64_t since, uint64_t until, FILE *out);
	int (*maintain)(struct store *s, uint64_t now_s, char *err, size_t errlen);
	int (*status)(struct store *s, struct store_status *ret, char *err, size_t errlen);
};

/* An engine's own begins with this. */
struct store {
	const struct store_engine *engine;
};

extern const struct store_engine duckdb_engine;
extern const struct store_engine clickhouse_engine;

void store_buckets_free(struct store_buckets *b);

#endif
