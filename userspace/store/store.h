/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where batches are kept and asked for: one interface before two engines, DuckDB in one file
 * (the default) and ClickHouse. Both have the same tables (schema.h) and understand the same
 * SQL, within the dialect that schema.h describes.
 *
 * A batch is stored once, whole or not at all: facts are visible by an entry in the ledger,
 * which is made last. Facts are kept by the minute and with their hosts for a while, without
 * hosts by the hour and by the day for longer; store_maintain() makes the one from the other.
 *
 * Calls may come from several threads. Errors in words in err; -EAGAIN: worth another try.
 */
#ifndef PYCOST_STORE_H
#define PYCOST_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "userspace/fleet/batch.h"

struct store;

struct store_options {
	/* How long facts are kept, in days; 0: the default (2, 90, 800). */
	uint32_t minute_days, hour_days, day_days;
	/* How long a batch is known that is sent again: longer than any is accepted. 0: 8. */
	uint32_t ledger_days;
	uint64_t memory; /* bytes that the engine may use; 0: the default */
	const char *cluster; /* ClickHouse: tables are distributed over it; NULL: one server */
	const char *user, *password; /* ClickHouse; NULL: its default */
	const char *ca; /* ClickHouse by https: file of who signs its certificate; NULL: the system's */
};

/*
 * where: a directory (DuckDB), or http[s]://HOST:PORT/DATABASE, several with commas between
 * them (ClickHouse; the first that answers is used, and with a cluster they are its shards).
 * Makes the tables that are missing.
 */
int store_open(const char *where, const struct store_options *o, struct store **ret, char *err,
	       size_t errlen);
void store_close(struct store *s); /* NULL: nothing */

enum store_written { STORE_NEW = 1, STORE_DUPLICATE };

/*
 * All of them durably, in one go, or none. ret: n, what became of each. -EAGAIN: nothing is
 * known to be stored, but may be: the same batches again, and each counts once.
 */
int store_write(struct store *s, const struct batch *const *batches, size_t n,
		enum store_written *ret, char *err, size_t errlen);

enum store_type { STORE_U64 = 1, STORE_F64, STORE_TEXT };
struct store_value {
	enum store_type type;
	union {
		uint64_t u64;
		double f64;
		const char *text; /* for the call only */
	};
};
/* Not 0: no more rows are wanted, and store_select() returns it. */
typedef int (*store_row_fn)(void *arg, const struct store_value *values, size_t count);
int store_select(struct store *s, const char *sql, store_row_fn row, void *arg, char *err,
		 size_t errlen);

/* The same, given up at that time of CLOCK_MONOTONIC: -ETIMEDOUT. 0: never. */
int store_select_until(struct store *s, const char *sql, uint64_t until_ns, store_row_fn row,
		       void *arg, char *err, size_t errlen);

/* Writes text as a literal of the engine's SQL. */
void store_quote(const struct store *s, FILE *out, const char *text);

/* The tables of facts: schema.h has their columns. */
enum store_fact {
	FACT_COSTS,
	FACT_PATH_COSTS,
	FACT_REQUESTS,
	FACT_BINS,
	FACT_BACKENDS,
	FACT_USERS,
	FACT_COUNTERS,
	STORE_FACTS,
};

/* A part of the stretch, read from one table. Ends are multiples of its step. */
struct store_piece {
	uint32_t step_s; /* 60, 3600 or 86400 */
	uint64_t since, until;
};
#define STORE_PIECES_MAX 512

/* What a question about a stretch of time is answered from. */
struct store_source {
	uint32_t step_s; /* 60, 3600 or 86400: what t is a multiple of */
	/* The stretch, widened to whole minutes; to hours or days where no more is kept. */
	uint64_t since, until;
	bool by_host;
	struct store_piece pieces[STORE_PIECES_MAX]; /* one after the other */
	unsigned int piece_count;
};
/*
 * Chooses. step_s is what the asker divides time by, 0: chosen by the stretch. Who adds up
 * the whole stretch passes 86400, which is cheapest, and no less exact: what days do not
 * have, or not yet, comes from hours and minutes. by_host needs minutes; so do steps below
 * an hour. -ERANGE: they are not kept for so long; err says since when. -EAGAIN: too much
 * came late just now; store_maintain() sees to it.
 */
int store_source(struct store *s, uint64_t since, uint64_t until, uint32_t step_s, bool by_host,
		 struct store_source *ret, char *err, size_t errlen);
/*
 * Writes what stands for a fact's rows in a FROM: "(SELECT t, slice, ... FROM ...)", to be
 * followed by an alias: of visible facts in that stretch only. slice is the id with the host
 * when by_host, else the fleet's.
 */
void store_from(struct store *s, const struct store_source *source, enum store_fact fact,
		FILE *out);

/* About once a minute: hours and days are made anew that have got new facts; old facts go. */
int store_maintain(struct store *s, uint64_t now_s, char *err, size_t errlen);

struct store_status {
	uint64_t bytes; /* on disk; 0: not known */
	uint64_t batches, rows; /* written since it was opened */
	uint64_t rolled_until_s;
};
int store_status(struct store *s, struct store_status *ret, char *err, size_t errlen);

#endif
