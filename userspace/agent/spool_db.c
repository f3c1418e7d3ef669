/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/agent/spool_db.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "userspace/fleet/batch.h"

#define SCHEMA_VERSION 1
#define DAMAGED ".damaged-"
#define DAMAGED_MAX 3 /* files kept */

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS batches(number INTEGER PRIMARY KEY AUTOINCREMENT,"
	" id BLOB NOT NULL, begin_s INTEGER NOT NULL, size INTEGER NOT NULL, sum INTEGER NOT NULL,"
	" names BLOB NOT NULL, bytes BLOB NOT NULL);"
	"CREATE TABLE IF NOT EXISTS poison(number INTEGER PRIMARY KEY AUTOINCREMENT,"
	" id BLOB NOT NULL, at_s INTEGER NOT NULL, why TEXT NOT NULL, bytes BLOB NOT NULL);"
	"CREATE TABLE IF NOT EXISTS names(collector INTEGER NOT NULL, id INTEGER NOT NULL,"
	" at_s INTEGER NOT NULL, PRIMARY KEY(collector, id)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL)"
	" WITHOUT ROWID;"
	"PRAGMA user_version=1;";

/* In the order of enum spool_count; on disk: never rename. */
static const char *const count_names[SPOOL_COUNTS] = {
	"put", "sent", "dropped", "dropped_bytes", "poison", "expired", "damaged", "set_aside",
};

int spool_db_error(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
		return -EBADMSG;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return -EACCES;
	default:
		return -EIO;
	}
}

/* ---- opening ---- */

static int first_number(sqlite3 *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	if (rc == SQLITE_OK) {
		rc = sqlite3_step(st);
		if (rc == SQLITE_ROW)
			*ret = sqlite3_column_int64(st, 0);
		sqlite3_finalize(st);
	}
	return rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? -ENODATA : spool_db_error(rc);
}

/* Any damage that SQLite can tell without reading all indexes twice. */
static int is_sound(sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &st, NULL);
	int err = spool_db_error(rc);

	if (rc != SQLITE_OK)
		return err;
	rc = sqlite3_step(st);
	err = spool_db_error(rc);
	if (rc == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(st, 0), "ok"))
		err = -EBADMSG;
	sqlite3_finalize(st);
	return err;
}

/*
 * Exclusive, as the directory is locked anyway: then the log's index is in memory, and a
 * full disk cannot fault a mapping of it.
 */
static int db_prepare(sqlite3 *db)
{
	int64_t version = 0;
	int err;

	sqlite3_busy_timeout(db, 1000);
	err = spool_db_error(sqlite3_exec(db,
					  "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;"
					  "PRAGMA synchronous=FULL; PRAGMA journal_size_limit=4194304;"
					  "PRAGMA cache_size=-512; PRAGMA temp_store=MEMORY;",
					  NULL, NULL, NULL));
	if (!err)
		err = is_sound(db);
	if (!err)
		err = first_number(db, "PRAGMA user_version", &version);
	if (!err && version > SCHEMA_VERSION)
		return -ENOTSUP;
	if (!err && !version)
		err = spool_db_error(sqlite3_exec(db, schema, NULL, NULL, NULL));
	return err;
}

int spool_db_open(const char *path, sqlite3 **ret, char *text, size_t len)
{
	sqlite3 *db = NULL;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	int err = spool_db_error(sqlite3_open_v2(path, &db, flags, NULL));

	if (!err)
		err = db_prepare(db);
	if (!err) {
		*ret = db;
		return 0;
	}
	if (err == -ENOTSUP)
		snprintf(text, len, "%s is of a later pycost: use that, or another directory", path);
	else
		snprintf(text, len, "%s: %s", path, db ? sqlite3_errmsg(db) : strerror(-err));
	sqlite3_close(db);
	return err;
}

/* ---- statements ---- */

static int bind_one(sqlite3_stmt *st, int at, char kind, va_list *ap)
{
	const void *blob;
	size_t size;

	if (kind == 'i')
		return sqlite3_bind_int64(st, at, va_arg(*ap, int64_t));
	if (kind == 't')
		return sqlite3_bind_text(st, at, va_arg(*ap, const char *), -1, SQLITE_STATIC);
	blob = va_arg(*ap, const void *);
	size = va_arg(*ap, size_t);
	return size ? sqlite3_bind_blob64(st, at, blob, size, SQLITE_STATIC)
		    : sqlite3_bind_zeroblob(st, at, 0);
}

int spool_db_run(sqlite3 *db, const char *sql, const char *kinds, ...)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	va_list ap;

	va_start(ap, kinds);
	for (int i = 0; rc == SQLITE_OK && kinds[i]; i++)
		rc = bind_one(st, i + 1, kinds[i], &ap);
	va_end(ap);
	while (rc == SQLITE_OK || rc == SQLITE_ROW)
		rc = sqlite3_step(st);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int spool_db_counts_read(sqlite3 *db, uint64_t ret[SPOOL_COUNTS])
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, "SELECT name, value FROM counters", -1, &st, NULL);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(st);
		for (int i = 0; rc == SQLITE_ROW && i < SPOOL_COUNTS; i++)
			if (!strcmp((const char *)sqlite3_column_text(st, 0), count_names[i]))
				ret[i] = sqlite3_column_int64(st, 1);
	}
	sqlite3_finalize(st);
	return spool_db_error(rc);
}

int spool_db_counts_write(sqlite3 *db, const uint64_t counts[SPOOL_COUNTS])
{
	int rc = SQLITE_OK;

	for (int i = 0; i < SPOOL_COUNTS && rc == SQLITE_OK; i++)
		if (counts[i])
			rc = spool_db_run(db, "INSERT OR REPLACE INTO counters VALUES(?,?)", "ti",
					  count_names[i], (int64_t)counts[i]);
	return rc;
}

/* ---- damage ---- */

void spool_row_read(sqlite3_stmt *st, struct spool_row *ret)
{
	ret->number = sqlite3_column_int64(st, 0);
	ret->id = sqlite3_column_blob(st, 1);
	ret->id_size = sqlite3_column_bytes(st, 1);
	ret->begin_s = sqlite3_column_int64(st, 2);
	ret->sum = sqlite3_column_int64(st, 3);
	ret->names = sqlite3_column_blob(st, 4);
	ret->names_size = sqlite3_column_bytes(st, 4);
	ret->bytes = sqlite3_column_blob(st, 5);
	ret->size = sqlite3_column_bytes(st, 5);
}

uint64_t spool_row_sum(const struct spool_row *r)
{
	uint64_t sum = XXH64(r->bytes, r->size, r->begin_s);

	return XXH64(r->names, r->names_size, sum) ^ XXH64(r->id, r->id_size, 0);
}

bool spool_row_is_whole(const struct spool_row *r)
{
	return r->id_size == BATCH_ID_SIZE && r->size && r->names_size % sizeof(uint64_t) == 0 &&
	       spool_row_sum(r) == r->sum;
}

/* The oldest of them beyond so many. */
static void damaged_forget(const char *path)
{
	const char *base = strrchr(path, '/') + 1;
	char directory[PATH_MAX], name[PATH_MAX + 256];
	struct dirent **found;
	size_t head = strlen(base);
	int n, kept = 0;

	snprintf(directory, sizeof(directory), "%.*s", (int)(base - path), path);
	n = scandir(directory, &found, NULL, alphasort);
	while (n > 0) {
		const char *each = found[--n]->d_name;

		snprintf(name, sizeof(name), "%s%s", directory, each);
		if (!strncmp(each, base, head) && !strncmp(each + head, DAMAGED, strlen(DAMAGED))) {
			kept += !strstr(each + head, "-wal");
			if (kept > DAMAGED_MAX)
				unlink(name);
		}
		free(found[n]);
		if (!n)
			free(found);
	}
}

int spool_db_set_aside(const char *path, char *ret, size_t size)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(ret, size, "%s" DAMAGED "%010lld%03ld", path, (long long)now.tv_sec,
		 now.tv_nsec / 1000000);
	if (rename(path, ret))
		return -errno;
	/* What was committed last may be in it. */
	snprintf(from, sizeof(from), "%s-wal", path);
	snprintf(to, sizeof(to), "%s-wal", ret);
	rename(from, to);
	snprintf(from, sizeof(from), "%s-shm", path);
	unlink(from);
	damaged_forget(path);
	return 0;
}

#define ROW "SELECT number, id, begin_s, sum, names, bytes FROM batches "

struct salvage {
	void (*row)(void *arg, const struct spool_row *r);
	void *arg;
	int64_t low, high; /* numbers there were; low 0: none */
	int64_t next;	   /* after the last that was read from the front */
	uint64_t found;
};

/* Until the damage, from one end; *at: the last number there. Whether the end was reached. */
static bool salvage_from(sqlite3 *db, struct salvage *s, const char *sql, int64_t bound,
			 int64_t *at)
{
	sqlite3_stmt *st = NULL;
	struct spool_row r;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(st, 1, bound);
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(st);
		if (rc != SQLITE_ROW)
			break;
		spool_row_read(st, &r);
		*at = r.number;
		if (!s->low || r.number < s->low)
			s->low = r.number;
		if (r.number > s->high)
			s->high = r.number;
		if (!spool_row_is_whole(&r))
			continue;
		s->row(s->arg, &r);
		s->found++;
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE;
}

uint64_t spool_db_salvage(const char *path, void (*row)(void *arg, const struct spool_row *r),
			  void *arg)
{
	struct salvage s = {.row = row, .arg = arg};
	int64_t front = 0, back = 0, last = 0;
	sqlite3 *db = NULL;
	uint64_t span;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
	    SQLITE_OK) {
		sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA cell_size_check=ON", NULL,
			     NULL, NULL);
		if (!salvage_from(db, &s, ROW "WHERE number>? ORDER BY number", 0, &front))
			salvage_from(db, &s, ROW "WHERE number>? ORDER BY number DESC", front, &back);
		if (!first_number(db, "SELECT seq FROM sqlite_sequence WHERE name='batches'", &last) &&
		    s.low && last > s.high)
			s.high = last;
	}
	sqlite3_close(db);
	span = s.low ? s.high - s.low + 1 : last;
	return span > s.found ? span - s.found : 0;
}
