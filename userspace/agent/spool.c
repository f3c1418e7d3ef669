/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "userspace/agent/spool_parts.h"
#include "userspace/clock.h"

#define MEMORY_LEAST 65536

/* ---- opening ---- */

static int directory_make(const char *path)
{
	char part[PATH_MAX];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		if (mkdir(part, 0755) && errno != EEXIST && errno != EROFS)
			return -errno;
	}
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

static int directory_lock(struct spool *s, char *text, size_t len)
{
	const char *path = s->options.directory;
	char name[PATH_MAX + 8];
	int err = directory_make(path);

	if (!err) {
		snprintf(name, sizeof(name), "%s/lock", path);
		s->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (s->lock < 0)
			err = -errno;
	}
	if (err) {
		snprintf(text, len, "cannot use the spool %s: %s", path, strerror(-err));
		return err;
	}
	if (flock(s->lock, LOCK_EX | LOCK_NB)) {
		snprintf(text, len, "another agent uses the spool %s: stop it, or give this one a "
				    "directory of its own", path);
		return -EBUSY;
	}
	return 0;
}

int spool_open(const struct spool_options *o, struct spool **ret, char *text, size_t len)
{
	struct spool *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->options = *o;
	s->lock = -1;
	s->kept_end = &s->kept;
	if (snprintf(s->path, sizeof(s->path), "%s/batches.sqlite", o->directory) >=
	    (int)sizeof(s->path)) {
		snprintf(text, len, "the spool's path is too long");
		free(s);
		return -ENAMETOOLONG;
	}
	pthread_mutex_init(&s->mutex, NULL);
	clock_cond_init(&s->news);
	err = directory_lock(s, text, len);
	if (!err)
		err = spool_file_open(s, text, len);
	if (!err) {
		err = spool_collector(s, o->collector);
		if (err)
			snprintf(text, len, "cannot read %s: %s", s->path, strerror(-err));
	}
	s->options.directory = s->options.collector = NULL; /* the caller's */
	if (err) {
		spool_close(s);
		return err;
	}
	spool_settle(s);
	*ret = s;
	return 0;
}

void spool_close(struct spool *s)
{
	struct spool_kept *next;

	if (!s)
		return;
	sqlite3_close(s->db);
	for (; s->kept; s->kept = next) {
		next = s->kept->next;
		free(s->kept->names);
		free(s->kept);
	}
	name_set_clear(&s->names);
	pthread_cond_destroy(&s->news);
	pthread_mutex_destroy(&s->mutex);
	if (s->lock >= 0)
		close(s->lock);
	free(s);
}

void spool_limits(struct spool *s, uint64_t limit, uint64_t memory_limit)
{
	pthread_mutex_lock(&s->mutex);
	s->options.limit = limit;
	s->options.memory_limit = memory_limit;
	pthread_mutex_unlock(&s->mutex);
}

/* ---- what the disk does not take ---- */

void spool_kept_remove(struct spool *s, struct spool_kept **at)
{
	struct spool_kept *k = *at;

	*at = k->next;
	if (!*at)
		s->kept_end = at;
	s->kept_batches--;
	s->kept_bytes -= k->size;
	free(k->names);
	free(k);
}

/* The oldest go, but not that which is being sent. */
static void kept_make_room(struct spool *s, size_t size, uint64_t limit)
{
	struct spool_kept **at = &s->kept;

	while (*at && s->kept_bytes + size > limit) {
		if ((*at)->number == s->flight) {
			at = &(*at)->next;
			continue;
		}
		s->counts[COUNT_DROPPED]++;
		s->counts[COUNT_DROPPED_BYTES] += (*at)->size;
		spool_kept_remove(s, at);
	}
}

int spool_kept_add(struct spool *s, const struct spool_row *r)
{
	uint64_t limit = s->options.memory_limit > MEMORY_LEAST ? s->options.memory_limit : MEMORY_LEAST;
	struct spool_kept *k;

	if (r->size > limit) {
		s->counts[COUNT_DROPPED]++;
		s->counts[COUNT_DROPPED_BYTES] += r->size;
		return -EMSGSIZE;
	}
	k = malloc(sizeof(*k) + r->size);
	if (!k)
		return -ENOMEM;
	*k = (struct spool_kept){.number = --s->kept_number, .begin_s = r->begin_s, .size = r->size,
				 .name_count = r->names_size / sizeof(uint64_t)};
	k->names = malloc(r->names_size + 1);
	if (!k->names) {
		free(k);
		return -ENOMEM;
	}
	memcpy(k->names, r->names, r->names_size);
	memcpy(k->id, r->id, sizeof(k->id));
	memcpy(k->bytes, r->bytes, r->size);
	kept_make_room(s, k->size, limit);
	*s->kept_end = k;
	s->kept_end = &k->next;
	s->kept_batches++;
	s->kept_bytes += k->size;
	return 0;
}

/* ---- the file ---- */

static void take_over(void *arg, const struct spool_row *r)
{
	struct spool *s = arg;

	/* By way of memory: the limits hold, and all are written together. */
	spool_kept_add(s, r);
}

static int totals_read(struct spool *s)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, "SELECT count(*), sum(size) FROM batches WHERE number>?", -1,
				    &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(st, 1, s->done);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		s->disk_batches = sqlite3_column_int64(st, 0);
		s->disk_bytes = sqlite3_column_int64(st, 1);
	}
	sqlite3_finalize(st);
	return spool_db_error(rc);
}

int spool_file_open(struct spool *s, char *text, size_t len)
{
	uint64_t on_disk[SPOOL_COUNTS] = {0}, limit = s->options.memory_limit;
	char aside[PATH_MAX];
	int err = spool_db_open(s->path, &s->db, text, len);

	s->file++;
	if (err == -EBADMSG) {
		err = spool_db_set_aside(s->path, aside, sizeof(aside));
		if (err) {
			snprintf(text, len, "%s is damaged and cannot be set aside: %s", s->path,
				 strerror(-err));
			return err;
		}
		s->options.memory_limit = s->options.limit > limit ? s->options.limit : limit;
		s->counts[COUNT_DAMAGED] += spool_db_salvage(aside, take_over, s);
		s->counts[COUNT_SET_ASIDE]++;
		s->options.memory_limit = limit;
		err = spool_db_open(s->path, &s->db, text, len);
		s->done = 0;
		s->flight = 0;
	} else if (!err) {
		err = spool_db_counts_read(s->db, on_disk);
	}
	/* What was counted while the disk took nothing is not on it. */
	for (int i = 0; i < SPOOL_COUNTS; i++)
		if (on_disk[i] > s->counts[i])
			s->counts[i] = on_disk[i];
	return err ? err : totals_read(s);
}

int spool_disk_failed(struct spool *s, int rc)
{
	int err = s->db ? spool_db_error(rc) : -EIO;
	char text[512];

	s->disk_errors++;
	snprintf(s->disk_error, sizeof(s->disk_error), "%s",
		 s->db ? sqlite3_errmsg(s->db) : "the spool could not be opened");
	if (s->db)
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	if (err != -EBADMSG && s->db)
		return err;
	sqlite3_close(s->db);
	s->db = NULL;
	if (spool_file_open(s, text, sizeof(text))) {
		snprintf(s->disk_error, sizeof(s->disk_error), "%.127s", text);
		return -EIO;
	}
	spool_names_read(s);
	return -EAGAIN;
}
