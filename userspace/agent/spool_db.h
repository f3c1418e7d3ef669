/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The spool's file: an SQLite database whose commits are on disk when they return.
 * Private to the spool.
 */
#ifndef PYCOST_SPOOL_DB_H
#define PYCOST_SPOOL_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kept in the file under their names. */
enum spool_count {
	COUNT_PUT,
	COUNT_SENT,
	COUNT_DROPPED,
	COUNT_DROPPED_BYTES,
	COUNT_POISON,
	COUNT_EXPIRED,
	COUNT_DAMAGED,
	COUNT_SET_ASIDE,
	SPOOL_COUNTS,
};

/* A row of the batches: pointers are borrowed. */
struct spool_row {
	int64_t number;
	const void *id, *bytes, *names;
	size_t id_size, size, names_size;
	uint64_t begin_s, sum;
};

/*
 * Opens or makes it. -EBADMSG: it is damaged; -ENOTSUP: of a later version; -EIO, -ENOSPC,
 * -EACCES. SQLite's own words in err.
 */
int spool_db_open(const char *path, sqlite3 **ret, char *err, size_t errlen);

/*
 * Moves a damaged file out of the way, with what belongs to it; of such only the last few
 * are kept. ret: where it is now.
 */
int spool_db_set_aside(const char *path, char *ret, size_t size);

/*
 * Every row of a damaged file that can be read and is whole, in order of their making as
 * far as possible. Returns how many there must have been besides, at least.
 */
uint64_t spool_db_salvage(const char *path, void (*row)(void *arg, const struct spool_row *r),
			  void *arg);

/* SQLite's result as -errno: -EBADMSG is damage, -ENOSPC a full disk, all else -EIO. */
int spool_db_error(int rc);
/* Of a SELECT number, id, begin_s, sum, names, bytes. */
void spool_row_read(sqlite3_stmt *st, struct spool_row *ret);
bool spool_row_is_whole(const struct spool_row *r);
uint64_t spool_row_sum(const struct spool_row *r);

int spool_db_counts_read(sqlite3 *db, uint64_t ret[SPOOL_COUNTS]);
int spool_db_counts_write(sqlite3 *db, const uint64_t counts[SPOOL_COUNTS]);

/* Runs a statement whose parameters are numbers and blobs, as "iib" says; SQLite's result. */
int spool_db_run(sqlite3 *db, const char *sql, const char *kinds, ...);

#endif
