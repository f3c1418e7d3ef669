/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A store in a directory:
 *
 *	pycost.duckdb, pycost.duckdb.wal	all facts, of DuckDB's format
 *	spill/			what a large question does not keep in memory
 *	lock			held by the one process that has it open; tells its PID
 *
 * A group of batches is one transaction; so is an hour or a day that is made anew. Readers
 * see what was committed when they began, and hold nobody up.
 *
 * Beside the tables of schema.h there are
 *	ledger		a row for each batch: its id in two halves, when, whence, how much
 *	touched		hours and days that have facts of minutes not yet added up
 *	state		the version of the tables; since when each step is kept
 *
 * An hour is touched in the transaction that writes facts of it, once until it is made
 * anew, so that nothing that came late is forgotten. Facts of minutes that are not kept any
 * more go right into their hour (or day), in that same transaction.
 */
#ifndef PYCOST_DUCKDB_STORE_H
#define PYCOST_DUCKDB_STORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "userspace/store/duckdb_link.h"
#include "userspace/store/duckdb_watch.h"
#include "userspace/store/engine.h"
#include "userspace/store/id_set.h"
#include "userspace/store/ledger_filter.h"
#include "userspace/tally.h"

#define DUCK_IDLE_MAX 8
/* Ids that are known to have names; beyond, all are asked for again. */
#define DUCK_KNOWN_MAX 1000000
/* Minutes that are noted as loose, with how many groups wrote to them. */
#define DUCK_LOOSE_MAX 4096
/* What must be free on the disk before anything is written: a checkpoint's worth, and more. */
#define DUCK_DISK_MIN (64ull << 20)

enum duck_step {
	DUCK_MINUTE,
	DUCK_HOUR,
	DUCK_DAY,
	DUCK_STEPS,
};
extern const uint32_t duck_step_seconds[DUCK_STEPS];

struct duck_store {
	struct store base;
	const struct duck_api *api;
	struct store_options options; /* nothing left to its default; no strings */
	char *directory;
	int lock_fd;

	/* Held by whoever uses the database; for writing, to close and open it. */
	pthread_rwlock_t in_use;
	void *db;
	atomic_bool broken; /* to be opened anew before it is used */

	struct duck_watch watch; /* of questions that may take so long */
	pthread_mutex_t idle_lock;
	void *idle[DUCK_IDLE_MAX];
	unsigned int idle_count;

	/* Held by the one who writes facts, who has a connection then; all below it is his. */
	pthread_mutex_t writing;
	struct id_set known[SCHEMA_NAMES]; /* have their names in the store */
	struct ledger_filter ledger;

	/* By hours and days; taken after `writing`. */
	pthread_mutex_t state_lock;
	struct id_set touched[DUCK_STEPS]; /* begins */
	struct tally loose; /* minutes of which several groups have written rows of the same keys */
	uint64_t kept_from[DUCK_STEPS]; /* raised with `writing` held */
	uint64_t rolled_until;
	/* Being made anew: who writes facts of it touches it once more. */
	int rolling_step; /* 0: nothing is */
	uint64_t rolling;
	bool rolling_touched;

	pthread_mutex_t maintaining;
	uint64_t swept; /* when old facts were last looked for */
	atomic_ullong batches, rows;
};

/* duckdb_store.c: a connection while the database is open; opens it anew if it must. */
int duck_take(struct duck_store *s, struct duck_link *ret, char *err, size_t errlen);
/* result: what came of it, 0 or -errno; returns it as callers of the store see it. */
int duck_give(struct duck_store *s, struct duck_link *l, int result);

/* duckdb_tables.c: makes what is missing, and reads what is kept in memory. */
int duck_tables(struct duck_store *s, struct duck_link *l, char *err, size_t errlen);
/* steps[v] leads from version v to v + 1. */
int duck_upgrade(struct duck_link *l, const char *const *steps, uint64_t from, uint64_t to,
		 char *err, size_t errlen);
/* The filter, from the ledger as it is; with `writing` held. */
int duck_load_ledger(struct duck_store *s, struct duck_link *l, char *err, size_t errlen);

/* duckdb_write.c */
int duck_write(struct store *s, const struct batch *const *batches, size_t n,
	       enum store_written *ret, char *err, size_t errlen);
/* duckdb_names.c: rows of names that the store lacks; fresh: their ids, by schema_names. */
int duck_write_names(struct duck_store *s, struct duck_link *l, const struct batch *const *batches,
		     size_t n, struct id_set *fresh, char *err, size_t errlen);
/* duckdb_pack.c: notes that a group has written to a minute; with state_lock held. */
void duck_loosen(struct duck_store *s, uint64_t minute);
/* Adds up the rows of minutes that are over. */
int duck_pack(struct duck_store *s, uint64_t now_s, char *err, size_t errlen);
/* duckdb_rollup.c */
int duck_maintain(struct store *s, uint64_t now_s, char *err, size_t errlen);
/* The oldest hour or day that is touched; UINT64_MAX: none. */
uint64_t duck_oldest_touched(struct duck_store *s, int step);
/* duckdb_sweep.c: takes away what is older than it is kept for. Once an hour is enough. */
int duck_sweep(struct duck_store *s, uint64_t now_s, char *err, size_t errlen);

#endif
