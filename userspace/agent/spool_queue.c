/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Batches into the spool and out of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "userspace/agent/spool_parts.h"
#include "userspace/clock.h"

#define POISON_KEPT 16

/* What a transaction changes besides the file. */
struct change {
	uint64_t counts[SPOOL_COUNTS];
	uint64_t batches, bytes; /* on disk */
	int64_t done;
};

static int begin(struct spool *s, struct change *c)
{
	*c = (struct change){.batches = s->disk_batches, .bytes = s->disk_bytes, .done = s->done};
	memcpy(c->counts, s->counts, sizeof(c->counts));
	return s->db ? sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) : SQLITE_CANTOPEN;
}

/* rc: what came before. -errno; -EAGAIN: the file was damaged, and is another one now. */
static int commit(struct spool *s, const struct change *c, int rc)
{
	if (rc == SQLITE_OK && s->late)
		rc = spool_db_run(s->db, "DELETE FROM batches WHERE number<=?", "i", s->done);
	if (rc == SQLITE_OK)
		rc = spool_db_counts_write(s->db, c->counts);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return spool_disk_failed(s, rc);
	memcpy(s->counts, c->counts, sizeof(s->counts));
	s->disk_batches = c->batches;
	s->disk_bytes = c->bytes;
	s->done = c->done;
	s->late = false;
	*s->disk_error = 0;
	return 0;
}

/* ---- in ---- */

/* The oldest go for `size` bytes more, but not that which is being sent. */
static int make_room(struct spool *s, size_t size, struct change *c)
{
	int rc = SQLITE_OK;

	while (rc == SQLITE_OK && c->batches && c->bytes + size > s->options.limit) {
		sqlite3_stmt *st = NULL;
		int64_t number = 0, bytes = 0;

		rc = sqlite3_prepare_v2(s->db,
					"SELECT number, size FROM batches WHERE number>? AND number<>? "
					"ORDER BY number LIMIT 1", -1, &st, NULL);
		if (rc == SQLITE_OK)
			rc = sqlite3_bind_int64(st, 1, c->done);
		if (rc == SQLITE_OK)
			rc = sqlite3_bind_int64(st, 2, s->flight);
		if (rc == SQLITE_OK)
			rc = sqlite3_step(st);
		if (rc == SQLITE_ROW) {
			number = sqlite3_column_int64(st, 0);
			bytes = sqlite3_column_int64(st, 1);
		}
		sqlite3_finalize(st);
		if (rc != SQLITE_ROW)
			return rc == SQLITE_DONE ? SQLITE_OK : rc;
		rc = spool_db_run(s->db, "DELETE FROM batches WHERE number=?", "i", number);
		c->batches--;
		c->bytes -= bytes;
		c->counts[COUNT_DROPPED]++;
		c->counts[COUNT_DROPPED_BYTES] += bytes;
	}
	return rc;
}

static int row_write(struct spool *s, const struct spool_row *r, struct change *c)
{
	int rc = make_room(s, r->size, c);

	if (rc == SQLITE_OK)
		rc = spool_db_run(s->db,
				  "INSERT INTO batches(id, begin_s, size, sum, names, bytes) "
				  "VALUES(?,?,?,?,?,?)",
				  "biiibb", r->id, r->id_size, (int64_t)r->begin_s, (int64_t)r->size,
				  (int64_t)r->sum, r->names, r->names_size, r->bytes, r->size);
	c->batches++;
	c->bytes += r->size;
	return rc;
}

static struct spool_row kept_row(const struct spool_kept *k)
{
	struct spool_row r = {.id = k->id, .id_size = sizeof(k->id), .begin_s = k->begin_s,
			      .bytes = k->bytes, .size = k->size, .names = k->names,
			      .names_size = k->name_count * sizeof(uint64_t)};

	r.sum = spool_row_sum(&r);
	return r;
}

int spool_settle(struct spool *s)
{
	struct change c;
	int err = 0;

	while (!err && s->kept) {
		struct spool_row r = kept_row(s->kept);
		int rc = begin(s, &c);

		if (r.size > s->options.limit)
			break; /* while the limit is what it is */
		err = commit(s, &c, rc == SQLITE_OK ? row_write(s, &r, &c) : rc);
		if (!err)
			spool_kept_remove(s, &s->kept);
		else if (err == -EAGAIN)
			err = 0; /* once: then the file is new */
	}
	return err;
}

/* Straight to the disk, if nothing older waits for it. */
static int put_on_disk(struct spool *s, const struct spool_row *r)
{
	int err = spool_settle(s);
	struct change c;
	int rc;

	for (int tries = 0; tries < 2; tries++) {
		if (s->kept && !err)
			err = spool_settle(s);
		if (err)
			return err;
		rc = begin(s, &c);
		c.counts[COUNT_PUT]++;
		err = commit(s, &c, rc == SQLITE_OK ? row_write(s, r, &c) : rc);
		if (err != -EAGAIN)
			return err;
		err = 0;
	}
	return -EIO;
}

int spool_put(struct spool *s, const uint8_t id[BATCH_ID_SIZE], uint64_t begin_s, const void *bytes,
	      size_t size, const uint64_t *names, size_t name_count)
{
	struct spool_row r = {.id = id, .id_size = BATCH_ID_SIZE, .begin_s = begin_s, .bytes = bytes,
			      .size = size, .names = names, .names_size = name_count * sizeof(*names)};
	int err;

	r.sum = spool_row_sum(&r);
	pthread_mutex_lock(&s->mutex);
	err = size > s->options.limit ? -EMSGSIZE : put_on_disk(s, &r);
	if (err) {
		s->counts[COUNT_PUT]++;
		err = spool_kept_add(s, &r);
		err = err ? err : 1;
	}
	s->woken = true;
	pthread_cond_signal(&s->news);
	pthread_mutex_unlock(&s->mutex);
	return err;
}

/* ---- out ---- */

static int row_copy(const struct spool_row *r, struct spool_batch *ret)
{
	*ret = (struct spool_batch){.number = r->number, .begin_s = r->begin_s, .size = r->size};
	ret->bytes = malloc(r->size);
	if (!ret->bytes)
		return -ENOMEM;
	memcpy(ret->id, r->id, sizeof(ret->id));
	memcpy(ret->bytes, r->bytes, r->size);
	return 0;
}

/* SQLITE_ROW: *ret_err says whether it could be copied: -EBADMSG, its bytes are damaged. */
static int oldest_read(struct spool *s, struct spool_batch *ret, int *ret_err)
{
	sqlite3_stmt *st = NULL;
	struct spool_row r = {0};
	int rc = sqlite3_prepare_v2(s->db,
				    "SELECT number, id, begin_s, sum, names, bytes FROM batches WHERE "
				    "number>? ORDER BY number LIMIT 1", -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(st, 1, s->done);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		spool_row_read(st, &r);
		ret->number = r.number;
		*ret_err = spool_row_is_whole(&r) ? row_copy(&r, ret) : -EBADMSG;
	}
	sqlite3_finalize(st);
	return rc;
}

/* What its batch told the collector; NULL: nothing, or it cannot be read. */
static void *names_of(struct spool *s, int64_t number, size_t *ret_size)
{
	sqlite3_stmt *st = NULL;
	void *names = NULL;
	int rc = sqlite3_prepare_v2(s->db, "SELECT names FROM batches WHERE number=?", -1, &st, NULL);

	*ret_size = 0;
	if (rc == SQLITE_OK && sqlite3_bind_int64(st, 1, number) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW && sqlite3_column_bytes(st, 0)) {
		names = malloc(sqlite3_column_bytes(st, 0));
		if (names) {
			*ret_size = sqlite3_column_bytes(st, 0);
			memcpy(names, sqlite3_column_blob(st, 0), *ret_size);
		}
	}
	sqlite3_finalize(st);
	return names;
}

static int poison_write(struct spool *s, const struct spool_batch *b, const char *why)
{
	int rc = spool_db_run(s->db, "INSERT INTO poison(id, at_s, why, bytes) VALUES(?,?,?,?)", "bitb",
			      b->id, sizeof(b->id), (int64_t)time(NULL), why, b->bytes, b->size);

	if (rc == SQLITE_OK)
		rc = spool_db_run(s->db,
				  "DELETE FROM poison WHERE number <= (SELECT max(number) FROM poison) - ?",
				  "i", (int64_t)POISON_KEPT);
	return rc;
}

/* A disk that cannot note it: it is done as long as we live. */
static void done_in_memory(struct spool *s, int64_t number, int count, size_t size)
{
	s->counts[count]++;
	s->disk_batches--;
	s->disk_bytes -= size;
	s->done = number;
	s->late = true;
}

/* Counts the oldest on disk, which is done, and removes it. */
static void finish(struct spool *s, int64_t number, int count, const struct spool_batch *b,
		   const char *why)
{
	uint32_t now = time(NULL), file = s->file;
	size_t names_size = 0;
	void *names = NULL;
	struct change c;
	int rc = begin(s, &c);

	if (rc == SQLITE_OK && count == COUNT_SENT) {
		names = names_of(s, number, &names_size);
		rc = spool_names_write(s, names, names_size, now);
	}
	if (rc == SQLITE_OK && count == COUNT_POISON)
		rc = poison_write(s, b, why);
	if (rc == SQLITE_OK)
		rc = spool_db_run(s->db, "DELETE FROM batches WHERE number<=?", "i", number);
	c.counts[count]++;
	c.batches--;
	c.bytes -= b->size;
	c.done = number;
	/* In another file it has another number, and is sent once more. */
	if (commit(s, &c, rc) && s->file == file)
		done_in_memory(s, number, count, b->size);
	spool_names_learn(s, names, names_size, now);
	free(names);
}

int spool_oldest(struct spool *s, struct spool_batch *ret)
{
	int err = -ENOENT, rc;

	pthread_mutex_lock(&s->mutex);
	for (int tries = 0; s->db && tries < 64; tries++) {
		*ret = (struct spool_batch){0};
		rc = oldest_read(s, ret, &err);
		if (rc == SQLITE_DONE)
			break;
		if (rc != SQLITE_ROW && spool_disk_failed(s, rc) != -EAGAIN)
			break;
		if (rc == SQLITE_ROW && err != -EBADMSG)
			break;
		if (rc == SQLITE_ROW)
			finish(s, ret->number, COUNT_DAMAGED, ret, NULL);
		err = -ENOENT;
	}
	if (err == -ENOENT && s->kept) {
		struct spool_row r = kept_row(s->kept);

		r.number = s->kept->number;
		err = row_copy(&r, ret);
	}
	if (!err) {
		ret->file = s->file;
		s->flight = ret->number;
	}
	pthread_mutex_unlock(&s->mutex);
	return err;
}

/* Where it is now: below 0 in memory, above it on disk, 0: it is gone. */
static int64_t number_now(struct spool *s, const struct spool_batch *b)
{
	sqlite3_stmt *st = NULL;
	int64_t number = 0;

	if (b->number > 0 && b->file == s->file)
		return b->number > s->done ? b->number : 0;
	for (const struct spool_kept *k = s->kept; k; k = k->next)
		if (!memcmp(k->id, b->id, sizeof(k->id)))
			return k->number;
	/* It was in memory, or in a file that was damaged. */
	if (s->db && sqlite3_prepare_v2(s->db, "SELECT number FROM batches WHERE id=? AND number>?", -1,
					&st, NULL) == SQLITE_OK) {
		sqlite3_bind_blob(st, 1, b->id, sizeof(b->id), SQLITE_STATIC);
		sqlite3_bind_int64(st, 2, s->done);
		if (sqlite3_step(st) == SQLITE_ROW)
			number = sqlite3_column_int64(st, 0);
	}
	sqlite3_finalize(st);
	return number;
}

void spool_done(struct spool *s, const struct spool_batch *b, enum spool_fate fate, const char *why)
{
	static const int counts[] = {[SPOOL_SENT] = COUNT_SENT, [SPOOL_POISON] = COUNT_POISON,
				     [SPOOL_EXPIRED] = COUNT_EXPIRED};
	struct spool_kept **k = &s->kept;
	int64_t number;

	pthread_mutex_lock(&s->mutex);
	s->flight = 0;
	number = number_now(s, b);
	while (number < 0 && (*k)->number != number)
		k = &(*k)->next;
	if (number < 0) {
		spool_names_learn(s, fate == SPOOL_SENT ? (*k)->names : NULL,
				  fate == SPOOL_SENT ? (*k)->name_count * sizeof(uint64_t) : 0,
				  time(NULL));
		spool_kept_remove(s, k);
		s->counts[counts[fate]]++;
	} else if (number > 0) {
		finish(s, number, counts[fate], b, why ? why : "");
	}
	pthread_mutex_unlock(&s->mutex);
}

static bool kept_behind(struct spool *s, int64_t number)
{
	struct spool_kept **k = &s->kept, *moved;

	while ((*k)->number != number)
		k = &(*k)->next;
	moved = *k;
	if (!moved->next)
		return false;
	*k = moved->next;
	moved->next = NULL;
	*s->kept_end = moved;
	s->kept_end = &moved->next;
	return true;
}

static bool disk_behind(struct spool *s, int64_t number)
{
	struct change c;
	int rc = s->disk_batches > 1 ? begin(s, &c) : SQLITE_DONE;

	if (rc == SQLITE_DONE)
		return false;
	if (rc == SQLITE_OK)
		rc = spool_db_run(s->db, "UPDATE batches SET number=(SELECT max(number) FROM batches)+1 "
					 "WHERE number=?", "i", number);
	return !commit(s, &c, rc);
}

bool spool_behind(struct spool *s, const struct spool_batch *b)
{
	int64_t number;
	bool moved;

	pthread_mutex_lock(&s->mutex);
	s->flight = 0;
	number = number_now(s, b);
	moved = number < 0 ? kept_behind(s, number) : number > 0 && disk_behind(s, number);
	pthread_mutex_unlock(&s->mutex);
	return moved;
}

void spool_wait(struct spool *s, int timeout_ms)
{
	struct timespec until = clock_in_ms(timeout_ms);

	pthread_mutex_lock(&s->mutex);
	while (!s->woken)
		if (pthread_cond_timedwait(&s->news, &s->mutex, &until))
			break;
	s->woken = false;
	pthread_mutex_unlock(&s->mutex);
}

void spool_wake(struct spool *s)
{
	pthread_mutex_lock(&s->mutex);
	s->woken = true;
	pthread_cond_signal(&s->news);
	pthread_mutex_unlock(&s->mutex);
}

static uint64_t oldest_begin(struct spool *s)
{
	sqlite3_stmt *st = NULL;
	uint64_t ret = s->kept ? s->kept->begin_s : 0;

	if (s->db && sqlite3_prepare_v2(s->db,
					"SELECT begin_s FROM batches WHERE number>? ORDER BY number LIMIT 1",
					-1, &st, NULL) == SQLITE_OK) {
		sqlite3_bind_int64(st, 1, s->done);
		if (sqlite3_step(st) == SQLITE_ROW)
			ret = sqlite3_column_int64(st, 0);
	}
	sqlite3_finalize(st);
	return ret;
}

void spool_status(struct spool *s, struct spool_status *ret)
{
	const uint64_t *counts = s->counts;

	pthread_mutex_lock(&s->mutex);
	*ret = (struct spool_status){
		.batches = s->disk_batches + s->kept_batches, .bytes = s->disk_bytes + s->kept_bytes,
		.memory_batches = s->kept_batches, .memory_bytes = s->kept_bytes,
		.oldest_begin_s = oldest_begin(s), .names = s->names.count,
		.put = counts[COUNT_PUT], .sent = counts[COUNT_SENT],
		.dropped = counts[COUNT_DROPPED], .dropped_bytes = counts[COUNT_DROPPED_BYTES],
		.poison = counts[COUNT_POISON], .expired = counts[COUNT_EXPIRED],
		.damaged = counts[COUNT_DAMAGED], .set_aside = counts[COUNT_SET_ASIDE],
		.disk_errors = s->disk_errors};
	snprintf(ret->disk_error, sizeof(ret->disk_error), "%s", s->disk_error);
	pthread_mutex_unlock(&s->mutex);
}
