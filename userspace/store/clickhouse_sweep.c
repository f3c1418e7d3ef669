/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Partitions that are too old. First it is said that they are given up, and an hour later
 * they are dropped: a question that is under way does not miss what it chose to read.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/store/clickhouse_maintain.h"
#include "userspace/store/clickhouse_replica.h"

#define DAY 86400u
#define QUIET_S 3600u
#define LEFT_S 86400u /* a table that is being made for longer belongs to nobody */

static const uint32_t steps[] = { 60, 3600, DAY };

/* ---- what is to be dropped ---- */

struct drop {
	char table[64], partition[32];
};
struct drops {
	struct drop *all;
	size_t count, room;
	uint64_t now;
	const uint64_t *since; /* by step */
	uint64_t ledger_since;
};

static int add(struct drops *d, const char *table, const char *partition)
{
	struct drop *more;

	if (d->count == d->room) {
		more = realloc(d->all, (d->room ? 2 * d->room : 64) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		d->all = more;
		d->room = d->room ? 2 * d->room : 64;
	}
	snprintf(d->all[d->count].table, sizeof(d->all->table), "%s", table);
	snprintf(d->all[d->count].partition, sizeof(d->all->partition), "%s", partition);
	d->count++;
	return 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length > tail && !strcmp(text + length - tail, end);
}

/* A partition of a table with its number: its end is what counts. */
static int on_partition(void *arg, const struct store_value *v, size_t count)
{
	struct drops *d = arg;
	const char *table = v[0].text, *partition = v[1].text;
	uint64_t span = 0, since = 0, made, number;
	char *end;

	if (sscanf(table, "next_%" SCNu64, &made) == 1)
		return 0;
	for (int i = 0; i < 3; i++)
		if (ends_with(table, schema_step_name(steps[i]))) {
			span = clickhouse_partition(steps[i]);
			since = d->since[i];
		}
	/* By when they were made, not by whose time they tell of. */
	if (!strcmp(table, "ledger")) {
		span = DAY;
		since = d->ledger_since;
	} else if (!strcmp(table, "attempts")) {
		span = DAY;
		since = d->since[0] > DAY ? d->since[0] - DAY : 0;
	} else if (!strcmp(table, "rolled")) {
		span = 32 * DAY;
		since = d->since[2];
	}
	number = strtoull(partition, &end, 10);
	if (!span || *end || end == partition || (number + 1) * span > since)
		return 0;
	return add(d, table, partition);
}

/* next_TIME_RANDOM: see clickhouse_rollup.c. */
static int on_left(void *arg, const struct store_value *v, size_t count)
{
	struct drops *d = arg;
	uint64_t made;

	if (sscanf(v[0].text, "next_%" SCNu64 "_", &made) != 1 || made + LEFT_S > d->now)
		return 0;
	return add(d, v[0].text, "");
}

static int drop_all(struct clickhouse_work *w, const struct drops *d)
{
	int error = 0;

	for (size_t i = 0; i < d->count && !error; i++) {
		const struct drop *one = &d->all[i];

		error = clickhouse_do(w, *one->partition ?
			clickhouse_sql("ALTER TABLE %s DROP PARTITION %s", one->table, one->partition) :
			clickhouse_sql("DROP TABLE IF EXISTS %s", one->table));
	}
	return error;
}

static int drop_old(struct clickhouse_work *w, const uint64_t *since)
{
	struct drops d = { .now = w->now, .since = since };
	char *parts = clickhouse_sql("SELECT table, partition FROM system.parts WHERE database = '%s'"
				     " AND active GROUP BY table, partition", w->c->own);
	char *left = clickhouse_sql("SELECT name FROM system.tables WHERE database = '%s'"
				    " AND match(name, '^next_')", w->c->own);
	uint64_t ledger = (uint64_t)w->c->ledger_days * DAY + QUIET_S;
	int error = -ENOMEM;

	d.ledger_since = w->now > ledger ? w->now - ledger : 0;
	if (parts && left)
		error = clickhouse_ask_node(w->c, w->node, w->c->own, parts, on_partition, &d, w->err,
					    w->errlen);
	if (!error)
		error = clickhouse_ask_node(w->c, w->node, w->c->own, left, on_left, &d, w->err,
					    w->errlen);
	if (!error)
		error = drop_all(w, &d);
	free(parts);
	free(left);
	free(d.all);
	return error;
}

/* ---- what is given up ---- */

/* Not what longer steps are yet to be made of. */
static uint64_t oldest_due(const struct clickhouse_bucket *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].written != list[i].rolled)
			return list[i].t;
	return UINT64_MAX;
}

static uint64_t limit(const struct clickhouse_work *w, const struct clickhouse_tally *y, int step)
{
	const struct clickhouse *c = w->c;
	/* An hour is made of all its minutes: these must stay as long as more may come. */
	uint32_t minutes = c->minute_days > c->ledger_days ? c->minute_days : c->ledger_days;
	const uint32_t days[] = { minutes, c->hour_days, c->day_days };
	uint64_t kept = (uint64_t)days[step] * DAY, from = w->now > kept ? w->now - kept : 0, oldest;
	uint64_t unit = step == 2 ? clickhouse_partition(DAY) : DAY;

	oldest = step == 0 ? oldest_due(y->hours, y->hour_count) :
		 step == 1 ? oldest_due(y->days, y->day_count) : UINT64_MAX;
	from = oldest < from ? oldest : from;
	return from - from % unit;
}

static int give_up(struct clickhouse_work *w, const struct clickhouse_tally *y, int step)
{
	uint64_t from = limit(w, y, step);

	if (from <= y->since[step])
		return 0;
	return clickhouse_do(w, clickhouse_sql("INSERT INTO kept (step, since, made) VALUES"
					       " (%u, %" PRIu64 ", %" PRIu64 ")", steps[step], from,
					       w->now));
}

static int on_given(void *arg, const struct store_value *v, size_t count)
{
	uint64_t *since = arg;

	for (int i = 0; i < 3; i++)
		if (v[0].u64 == steps[i])
			since[i] = v[1].u64;
	return 0;
}

int clickhouse_sweep(struct clickhouse_work *w, const struct clickhouse_tally *tally)
{
	uint64_t since[3] = { 0 };
	char *sql = clickhouse_sql("SELECT step, max(since) FROM kept WHERE made <= %" PRIu64
				   " GROUP BY step", w->now > QUIET_S ? w->now - QUIET_S : 0);
	int error = sql ? clickhouse_ask_node(w->c, w->node, w->c->own, sql, on_given, since, w->err,
					      w->errlen) : -ENOMEM;

	free(sql);
	if (!error)
		error = drop_old(w, since);
	for (int step = 0; step < 3 && !error; step++)
		error = give_up(w, tally, step);
	return error;
}

/* ---- all of it ---- */

/*
 * Of replicas, always the first: whose turn it is each server knows for itself only. -ESRCH:
 * it is not that.
 */
static int maintain_node(struct clickhouse *c, struct clickhouse_node *n, void *arg, char *err,
			 size_t errlen)
{
	struct clickhouse_work w = { .c = c, .node = n, .shard = n->shard, .err = err,
				     .errlen = errlen, .now = *(const uint64_t *)arg };
	struct clickhouse_tally tally = {};
	int error = clickhouse_is_first(c, n, err, errlen);

	if (error)
		return error;
	error = clickhouse_turn_take(&w.turn, c, n, err, errlen);
	if (error)
		return error == -EBUSY ? 0 : error;
	error = clickhouse_roll(&w, &tally);
	if (!error)
		error = clickhouse_sweep(&w, &tally);
	clickhouse_tally_free(&tally);
	clickhouse_turn_give(&w.turn);
	return error == -EBUSY ? 0 : error;
}

int clickhouse_maintain(struct store *s, uint64_t now_s, char *err, size_t errlen)
{
	struct clickhouse *c = (struct clickhouse *)s;
	int error = 0, first = 0;

	/* One shard that is away is no reason to leave the others. */
	for (unsigned shard = 1; shard <= c->shard_count; shard++) {
		char why[512];

		error = clickhouse_each_node(c, c->cluster ? shard : 0, maintain_node, &now_s, why,
					     sizeof(why));
		if (error && !first) {
			first = error;
			snprintf(err, errlen, "%s", error == -ENOMEM ? "out of memory" : why);
		}
	}
	return first;
}
