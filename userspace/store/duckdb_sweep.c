// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is older than it is kept for. First what an earlier sweep has given up is taken away,
 * then more is given up: so no question that is under way misses what it chose to read.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/store/duckdb_store.h"

#define SWEEP_S 3600
#define DAY 86400ull

static int take_away(struct duck_store *s, struct duck_link *l, int step, char *err, size_t errlen)
{
	const char *step_name = schema_step_name(duck_step_seconds[step]);
	int failed = 0;

	for (int fact = 0; !failed && fact < STORE_FACTS; fact++) {
		char sql[160];

		snprintf(sql, sizeof(sql), "DELETE FROM %s_%s WHERE t < %" PRIu64,
			 schema_fact(fact)->name, step_name, s->kept_from[step]);
		failed = duck_run(l, sql, err, errlen);
	}
	return failed;
}

/* Not what longer steps are yet to be made of. */
static uint64_t limit(struct duck_store *s, int step, uint64_t now)
{
	const uint32_t days[DUCK_STEPS] = { s->options.minute_days, s->options.hour_days,
					    s->options.day_days };
	uint64_t kept = days[step] * DAY, from = now > kept ? now - kept : 0;

	if (step < DUCK_DAY) {
		uint64_t oldest = duck_oldest_touched(s, step + 1);

		from = oldest < from ? oldest : from;
	}
	return from - from % DAY;
}

/* Facts that come after this, of before, are late: see duckdb_write.c. */
static int give_up(struct duck_store *s, struct duck_link *l, int step, uint64_t now, bool *moved,
		   char *err, size_t errlen)
{
	char sql[128];
	uint64_t from;
	int failed = 0;

	pthread_mutex_lock(&s->writing);
	from = limit(s, step, now);
	*moved = from > s->kept_from[step];
	if (*moved) {
		snprintf(sql, sizeof(sql), "UPDATE state SET value = %" PRIu64
			 " WHERE name = '%s_from'", from, schema_step_name(duck_step_seconds[step]));
		failed = duck_run(l, sql, err, errlen);
	}
	if (*moved && !failed) {
		pthread_mutex_lock(&s->state_lock);
		s->kept_from[step] = from;
		pthread_mutex_unlock(&s->state_lock);
	}
	pthread_mutex_unlock(&s->writing);
	return failed;
}

/* "SELECT column FROM ..." of every table that has such facts, for a NOT IN. */
static void write_users(enum store_fact fact, const char *column, const char *minute_column,
			bool first, FILE *out)
{
	const char *name = schema_fact(fact)->name;

	fprintf(out, "%sSELECT %s FROM %s_minute UNION SELECT %s FROM %s_hour"
		" UNION SELECT %s FROM %s_day", first ? "" : " UNION ", minute_column, name, column,
		name, column, name);
}

static void write_slice_sweep(FILE *out)
{
	fputs("DELETE FROM tags WHERE slice NOT IN (", out);
	for (int fact = 0; fact < STORE_FACTS; fact++) {
		write_users(fact, "slice", "slice", !fact, out);
		fprintf(out, " UNION SELECT fleet FROM %s_minute", schema_fact(fact)->name);
	}
	fputs(");\n", out);
}

/* A path that nothing is told of may lead to one that something is. */
static void write_function_sweep(FILE *out)
{
	fputs("CREATE TEMP TABLE kept AS WITH RECURSIVE up(id) AS (", out);
	write_users(FACT_PATH_COSTS, "path", "path", true, out);
	fputs(" UNION SELECT paths.parent FROM paths JOIN up ON paths.path = up.id)"
	      " SELECT id FROM up;\n"
	      "DELETE FROM paths WHERE path NOT IN (SELECT id FROM kept);\n"
	      "DROP TABLE kept;\n"
	      "DELETE FROM functions WHERE function NOT IN (SELECT function FROM paths UNION ", out);
	write_users(FACT_COSTS, "function", "function", true, out);
	fputs(");\n", out);
}

/*
 * Names of what no fact is left of: of hosts and endpoints that went, each day; of functions
 * when days of facts went. Nobody writes meanwhile, as what is known to have a name is not
 * named again.
 */
static int sweep_names(struct duck_store *s, struct duck_link *l, bool functions, char *err,
		       size_t errlen)
{
	char ignored[256], *sql = NULL;
	size_t size;
	FILE *out = open_memstream(&sql, &size);
	int failed;

	if (!out)
		return -ENOMEM;
	fputs("BEGIN;\n", out);
	write_slice_sweep(out);
	if (functions)
		write_function_sweep(out);
	fputs("COMMIT", out);
	fclose(out);
	pthread_mutex_lock(&s->writing);
	failed = duck_run(l, sql, err, errlen);
	if (failed)
		duck_run(l, "ROLLBACK", ignored, sizeof(ignored));
	for (int which = 0; which < SCHEMA_NAMES; which++)
		id_set_empty(&s->known[which]);
	pthread_mutex_unlock(&s->writing);
	free(sql);
	return failed;
}

static int sweep_ledger(struct duck_store *s, struct duck_link *l, uint64_t now, char *err,
			size_t errlen)
{
	uint64_t kept = s->options.ledger_days * DAY;
	char sql[96];
	int failed;

	snprintf(sql, sizeof(sql), "DELETE FROM ledger WHERE received < %" PRIu64,
		 now > kept ? now - kept : 0);
	failed = duck_run(l, sql, err, errlen);
	pthread_mutex_lock(&s->writing);
	if (!failed && s->ledger.count > s->ledger.capacity)
		failed = duck_load_ledger(s, l, err, errlen);
	pthread_mutex_unlock(&s->writing);
	return failed;
}

static int sweep(struct duck_store *s, struct duck_link *l, uint64_t now, char *err, size_t errlen)
{
	bool moved[DUCK_STEPS] = { false };
	int failed = 0;

	for (int step = 0; !failed && step < DUCK_STEPS; step++)
		if (s->kept_from[step])
			failed = take_away(s, l, step, err, errlen);
	for (int step = 0; !failed && step < DUCK_STEPS; step++)
		failed = give_up(s, l, step, now, &moved[step], err, errlen);
	if (!failed && moved[DUCK_MINUTE])
		failed = sweep_names(s, l, moved[DUCK_DAY], err, errlen);
	return failed ? failed : sweep_ledger(s, l, now, err, errlen);
}

int duck_sweep(struct duck_store *s, uint64_t now, char *err, size_t errlen)
{
	struct duck_link link;
	int failed;

	if (now < s->swept + SWEEP_S)
		return 0;
	failed = duck_take(s, &link, err, errlen);
	if (failed)
		return failed;
	failed = duck_give(s, &link, sweep(s, &link, now, err, errlen));
	if (!failed)
		s->swept = now;
	return failed;
}
