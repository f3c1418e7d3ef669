// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hours are made of minutes, and days of hours, when they are over and have been touched.
 *
 * Facts may be written meanwhile, of the same hour too. The transaction that makes the hour
 * anew begins while nobody writes, and says which hour it is: whoever writes after that
 * touches the hour once more, by a row of its own, which this transaction does not see and so
 * does not take away.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/store/duckdb_store.h"

/* What is sent in time has come by then; what comes later counts by being made anew. */
#define GRACE_S 120

uint64_t duck_oldest_touched(struct duck_store *s, int step)
{
	const struct id_set *set = &s->touched[step];
	uint64_t oldest = UINT64_MAX;

	pthread_mutex_lock(&s->state_lock);
	for (size_t i = 0; i < set->size; i++)
		if (set->slots[i] && set->slots[i] < oldest)
			oldest = set->slots[i];
	pthread_mutex_unlock(&s->state_lock);
	return oldest;
}

/* Reading anything makes DuckDB take the snapshot that BEGIN alone does not. */
static int begin(struct duck_store *s, struct duck_link *l, int step, uint64_t t, char *err,
		 size_t errlen)
{
	uint64_t ignored;
	int failed;

	pthread_mutex_lock(&s->writing);
	pthread_mutex_lock(&s->state_lock);
	s->rolling_step = step;
	s->rolling = t;
	s->rolling_touched = false;
	pthread_mutex_unlock(&s->state_lock);
	failed = duck_run(l, "BEGIN", err, errlen);
	if (!failed)
		failed = duck_number(l, "SELECT count(*) FROM touched", &ignored, err, errlen);
	pthread_mutex_unlock(&s->writing);
	return failed;
}

static int roll_fact(struct duck_link *l, enum store_fact fact, int step, uint64_t t, char *err,
		     size_t errlen)
{
	uint32_t from = duck_step_seconds[step - 1], to = duck_step_seconds[step];
	const char *name = schema_fact(fact)->name, *longer = schema_step_name(to);
	char *sql = NULL;
	size_t size;
	FILE *out = open_memstream(&sql, &size);
	int failed;

	if (!out)
		return -ENOMEM;
	fprintf(out, "DELETE FROM %s_%s WHERE t = %" PRIu64 ";\nINSERT INTO %s_%s ", name, longer, t,
		name, longer);
	schema_write_rollup(fact, from, to, t, t + to, "", out);
	/* Slices together take less room. */
	fputs(" ORDER BY 2, 3", out);
	fclose(out);
	failed = duck_run(l, sql, err, errlen);
	free(sql);
	return failed;
}

static int roll_all(struct duck_link *l, int step, uint64_t t, char *err, size_t errlen)
{
	char sql[128];
	int failed = 0;

	for (int fact = 0; !failed && fact < STORE_FACTS; fact++)
		failed = roll_fact(l, fact, step, t, err, errlen);
	snprintf(sql, sizeof(sql), "DELETE FROM touched WHERE seconds = %" PRIu32 " AND t = %" PRIu64,
		 duck_step_seconds[step], t);
	if (!failed)
		failed = duck_run(l, sql, err, errlen);
	return failed ? failed : duck_run(l, "COMMIT", err, errlen);
}

static int roll(struct duck_store *s, int step, uint64_t t, char *err, size_t errlen)
{
	char ignored[256];
	struct duck_link link;
	int failed = duck_take(s, &link, err, errlen);

	if (failed)
		return failed;
	failed = begin(s, &link, step, t, err, errlen);
	if (!failed)
		failed = roll_all(&link, step, t, err, errlen);
	if (failed)
		duck_run(&link, "ROLLBACK", ignored, sizeof(ignored));
	pthread_mutex_lock(&s->state_lock);
	if (!failed && !s->rolling_touched)
		id_set_remove(&s->touched[step], t);
	s->rolling_step = 0;
	pthread_mutex_unlock(&s->state_lock);
	return duck_give(s, &link, failed);
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* A copy of what is touched, in order. */
static int list(struct duck_store *s, int step, uint64_t **ret, size_t *ret_count)
{
	const struct id_set *set = &s->touched[step];
	size_t n = 0;

	pthread_mutex_lock(&s->state_lock);
	*ret = calloc(set->count + 1, sizeof(**ret));
	for (size_t i = 0; *ret && i < set->size; i++)
		if (set->slots[i])
			(*ret)[n++] = set->slots[i];
	pthread_mutex_unlock(&s->state_lock);
	if (!*ret)
		return -ENOMEM;
	qsort(*ret, n, sizeof(**ret), ascending);
	*ret_count = n;
	return 0;
}

static bool has_touched_hour(struct duck_store *s, uint64_t day)
{
	bool any = false;

	pthread_mutex_lock(&s->state_lock);
	for (uint64_t t = day; t < day + 86400; t += 3600)
		any |= id_set_has(&s->touched[DUCK_HOUR], t);
	pthread_mutex_unlock(&s->state_lock);
	return any;
}

static int roll_step(struct duck_store *s, int step, uint64_t now, char *err, size_t errlen)
{
	uint64_t *touched;
	size_t count;
	int failed = list(s, step, &touched, &count);

	for (size_t i = 0; !failed && i < count; i++) {
		if (touched[i] + duck_step_seconds[step] + GRACE_S > now)
			break;
		if (step == DUCK_DAY && has_touched_hour(s, touched[i]))
			continue;
		failed = roll(s, step, touched[i], err, errlen);
	}
	free(touched);
	return failed;
}

static void note_rolled(struct duck_store *s, uint64_t now)
{
	uint64_t oldest = duck_oldest_touched(s, DUCK_HOUR);

	pthread_mutex_lock(&s->state_lock);
	s->rolled_until = oldest < now ? oldest : now - now % 3600;
	pthread_mutex_unlock(&s->state_lock);
}

int duck_maintain(struct store *base, uint64_t now_s, char *err, size_t errlen)
{
	struct duck_store *s = (struct duck_store *)base;
	int failed;

	pthread_mutex_lock(&s->maintaining);
	failed = duck_pack(s, now_s, err, errlen);
	if (!failed)
		failed = roll_step(s, DUCK_HOUR, now_s, err, errlen);
	if (!failed)
		failed = roll_step(s, DUCK_DAY, now_s, err, errlen);
	if (!failed)
		failed = duck_sweep(s, now_s, err, errlen);
	if (!failed)
		note_rolled(s, now_s);
	pthread_mutex_unlock(&s->maintaining);
	if (failed == -ENOMEM)
		snprintf(err, errlen, "out of memory");
	return failed == -ENOMEM ? -EAGAIN : failed;
}
