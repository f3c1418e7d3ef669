/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which names the collector has: in the file, and all of them in memory. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#include "userspace/agent/spool_parts.h"

#define COLLECTORS_MAX 4 /* whose names are kept in the file */

static uint32_t now_s(void)
{
	return time(NULL);
}

int spool_names_read(struct spool *s)
{
	sqlite3_stmt *st = NULL;
	int rc;

	name_set_clear(&s->names);
	if (!s->db)
		return 0;
	rc = sqlite3_prepare_v2(s->db, "SELECT id, at_s FROM names WHERE collector=? LIMIT ?", -1, &st,
				NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(st, 1, s->collector_id);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(st, 2, s->options.max_names);
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(st);
		if (rc == SQLITE_ROW &&
		    name_set_add(&s->names, sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1)))
			rc = SQLITE_NOMEM;
	}
	sqlite3_finalize(st);
	return spool_db_error(rc);
}

/* Beyond their number all are forgotten, and sent once more as they are met. */
static int names_bound(struct spool *s, size_t more)
{
	int rc;

	if (s->names.count + more <= s->options.max_names)
		return SQLITE_OK;
	rc = spool_db_run(s->db, "DELETE FROM names WHERE collector=?", "i", s->collector_id);
	if (rc == SQLITE_OK)
		name_set_clear(&s->names);
	return rc;
}

int spool_names_write(struct spool *s, const void *names, size_t size, uint32_t now)
{
	size_t count = size / sizeof(uint64_t);
	sqlite3_stmt *st = NULL;
	int rc = names_bound(s, count);

	if (rc == SQLITE_OK && count)
		rc = sqlite3_prepare_v2(s->db, "INSERT OR REPLACE INTO names VALUES(?,?,?)", -1, &st,
					NULL);
	for (size_t i = 0; rc == SQLITE_OK && i < count && i < s->options.max_names; i++) {
		int64_t id;

		memcpy(&id, (const char *)names + i * sizeof(id), sizeof(id));
		sqlite3_bind_int64(st, 1, s->collector_id);
		sqlite3_bind_int64(st, 2, id);
		sqlite3_bind_int64(st, 3, now);
		rc = sqlite3_step(st);
		if (rc == SQLITE_DONE)
			rc = sqlite3_reset(st);
	}
	sqlite3_finalize(st);
	return rc;
}

void spool_names_learn(struct spool *s, const void *names, size_t size, uint32_t now)
{
	for (size_t i = 0; i < size / sizeof(uint64_t) && s->names.count < s->options.max_names; i++) {
		uint64_t id;

		memcpy(&id, (const char *)names + i * sizeof(id), sizeof(id));
		if (name_set_add(&s->names, id, now))
			return; /* it is sent once more */
	}
}

bool spool_knows(struct spool *s, uint64_t name)
{
	const struct name_slot *slot;
	bool knows;

	pthread_mutex_lock(&s->mutex);
	slot = name_set_find(&s->names, name);
	/* Not all that were learnt at once are sent again at once. */
	knows = slot && (!s->options.names_last_s ||
			 now_s() - slot->at_s < s->options.names_last_s +
							name % (s->options.names_last_s / 2 + 1));
	pthread_mutex_unlock(&s->mutex);
	return knows;
}

int spool_collector(struct spool *s, const char *url)
{
	int err;

	pthread_mutex_lock(&s->mutex);
	s->collector_id = (int64_t)XXH64(url, strlen(url), 0);
	/* The names of others than these few are of no use. */
	if (s->db)
		spool_db_run(s->db,
			     "DELETE FROM names WHERE collector NOT IN (SELECT collector FROM names "
			     "GROUP BY collector ORDER BY max(at_s) DESC LIMIT ?)",
			     "i", (int64_t)COLLECTORS_MAX);
	err = spool_names_read(s);
	pthread_mutex_unlock(&s->mutex);
	return err;
}
