/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Partitions of hours and days are made anew beside the old ones, of what is still good of
 * these and of what was touched, and take their place at once. A note tells of how many
 * attempts they were made; without it they are made once more.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "userspace/store/clickhouse_maintain.h"
#include "userspace/store/clickhouse_replica.h"

/* What is sent in time has come by then; what comes later counts by being made anew. */
#define GRACE_S 120

int clickhouse_do(struct clickhouse_work *w, char *sql)
{
	int error = sql ? clickhouse_ask_node(w->c, w->node, w->c->own, sql, NULL, NULL, w->err,
					      w->errlen) : -ENOMEM;

	free(sql);
	return error;
}

/* Buckets that are to be made anew, all of one partition. */
struct batch_of_buckets {
	const struct clickhouse_bucket **all;
	size_t count;
	uint32_t step_s;
	uint64_t since, until; /* of the partition */
};

static char *keep_sql(const struct batch_of_buckets *b, enum store_fact fact, const char *next)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "INSERT INTO %s SELECT * FROM %s_%s WHERE t >= %" PRIu64 " AND t < %" PRIu64
		" AND t NOT IN (", next, schema_fact(fact)->name, schema_step_name(b->step_s),
		b->since, b->until);
	for (size_t i = 0; i < b->count; i++)
		fprintf(out, "%s%" PRIu64, i ? ", " : "", b->all[i]->t);
	fputc(')', out);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

static char *roll_sql(struct clickhouse_work *w, uint32_t step_s, enum store_fact fact,
		      const char *next, uint64_t since, uint64_t until)
{
	char *text = NULL, *also = NULL;
	size_t size;
	FILE *out = open_memstream(&also, &size);

	if (!out)
		return NULL;
	if (step_s == 3600)
		clickhouse_visible(&w->c->store, since, until, out);
	fclose(out);
	out = open_memstream(&text, &size);
	if (out) {
		fprintf(out, "INSERT INTO %s ", next);
		schema_write_rollup(fact, step_s == 3600 ? 60 : 3600, step_s, since, until, also, out);
		fclose(out);
	}
	free(also);
	return text;
}

/* One after the other: an hour of a large fleet is enough at a time. */
static int fill(struct clickhouse_work *w, const struct batch_of_buckets *b, enum store_fact fact,
		const char *next)
{
	int error = clickhouse_do(w, keep_sql(b, fact, next));

	for (size_t i = 0; i < b->count && !error; i++)
		error = clickhouse_do(w, roll_sql(w, b->step_s, fact, next, b->all[i]->t,
						  b->all[i]->t + b->step_s));
	return error;
}

static int remake_fact(struct clickhouse_work *w, const struct batch_of_buckets *b,
		       enum store_fact fact)
{
	char next[96], ignored[256];
	struct clickhouse_work quiet = *w;
	uint64_t unique = 0;
	int error;

	getrandom(&unique, sizeof(unique), 0);
	snprintf(next, sizeof(next), "next_%" PRIu64 "_%" PRIx64, w->now, unique);
	error = clickhouse_do(w, clickhouse_next_sql(w->c->own, fact, b->step_s, next));
	if (!error)
		error = fill(w, b, fact, next);
	if (!error)
		error = clickhouse_turn_renew(&w->turn, w->err, w->errlen);
	if (!error)
		error = clickhouse_do(w, clickhouse_sql(
			"ALTER TABLE %s_%s REPLACE PARTITION %" PRIu64 " FROM %s",
			schema_fact(fact)->name, schema_step_name(b->step_s),
			b->since / clickhouse_partition(b->step_s), next));
	/* What is left by then is swept away some day. */
	quiet.err = ignored;
	quiet.errlen = sizeof(ignored);
	clickhouse_do(&quiet, clickhouse_sql("DROP TABLE %s", next));
	return error;
}

static int note(struct clickhouse_work *w, const struct batch_of_buckets *b)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return -ENOMEM;
	fputs("INSERT INTO rolled (step, t, shard, attempts, made) VALUES ", out);
	for (size_t i = 0; i < b->count; i++)
		fprintf(out, "%s(%u, %" PRIu64 ", %u, %" PRIu64 ", %" PRIu64 ")", i ? ", " : "",
			b->step_s, b->all[i]->t, w->shard, b->all[i]->written, w->now);
	fclose(out);
	return clickhouse_do(w, text);
}

/* The rows of all attempts that were counted. */
static int catch_up(struct clickhouse_work *w, uint32_t step_s)
{
	int error = 0;

	for (int fact = 0; fact < STORE_FACTS && !error; fact++) {
		char table[64];

		snprintf(table, sizeof(table), "%s_%s", schema_fact(fact)->name,
			 schema_step_name(step_s == 3600 ? 60 : 3600));
		error = clickhouse_catch_up(w->c, w->node, table, w->err, w->errlen);
	}
	return error;
}

static int remake(struct clickhouse_work *w, const struct batch_of_buckets *b)
{
	int error = 0;

	for (int fact = 0; fact < STORE_FACTS && !error; fact++)
		error = remake_fact(w, b, fact);
	return error ? error : note(w, b);
}

/* A day of which an hour is not made yet is not either. */
static bool hours_done(const struct clickhouse_tally *y, uint64_t day)
{
	for (size_t i = 0; i < y->hour_count; i++)
		if (y->hours[i].t - y->hours[i].t % 86400 == day &&
		    y->hours[i].written != y->hours[i].rolled)
			return false;
	return true;
}

static bool is_due(const struct clickhouse_work *w, const struct clickhouse_tally *y,
		   const struct clickhouse_bucket *b, uint32_t step_s)
{
	return b->written != b->rolled && b->t + step_s + GRACE_S <= w->now &&
	       (step_s == 3600 ? b->t >= y->since[0] :
				 b->t >= y->since[1] && hours_done(y, b->t));
}

/* A partition after the other. *ret_any: there was something to do. */
static int roll_step(struct clickhouse_work *w, const struct clickhouse_tally *y, uint32_t step_s,
		     bool *ret_any)
{
	const struct clickhouse_bucket *list = step_s == 3600 ? y->hours : y->days;
	size_t count = step_s == 3600 ? y->hour_count : y->day_count;
	uint32_t span = clickhouse_partition(step_s);
	struct batch_of_buckets b = { .step_s = step_s };
	int error = 0;

	b.all = calloc(count + 1, sizeof(*b.all));
	if (!b.all)
		return -ENOMEM;
	for (size_t i = 0; i < count && !error; i++) {
		bool last = i + 1 == count || list[i + 1].t / span != list[i].t / span;

		if (is_due(w, y, &list[i], step_s))
			b.all[b.count++] = &list[i];
		if (!last || !b.count)
			continue;
		b.since = list[i].t - list[i].t % span;
		b.until = b.since + span;
		error = *ret_any ? 0 : catch_up(w, step_s);
		if (!error)
			error = remake(w, &b);
		b.count = 0;
		*ret_any = true;
	}
	free(b.all);
	return error;
}

static int tally_again(struct clickhouse_work *w, struct clickhouse_tally *y)
{
	clickhouse_tally_free(y);
	return clickhouse_tally(w->c, w->node, 0, w->now + 2 * 86400, y, w->err, w->errlen);
}

int clickhouse_roll(struct clickhouse_work *w, struct clickhouse_tally *ret)
{
	struct clickhouse_tally y = {};
	bool any = false;
	int error = tally_again(w, &y);

	if (!error)
		error = roll_step(w, &y, 3600, &any);
	if (!error && any)
		error = tally_again(w, &y);
	any = false;
	if (!error)
		error = roll_step(w, &y, 86400, &any);
	if (!error && any)
		error = tally_again(w, &y);
	if (error) {
		clickhouse_tally_free(&y);
		return error;
	}
	*ret = y;
	return 0;
}
