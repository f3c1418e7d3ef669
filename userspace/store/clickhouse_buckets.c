/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/store/clickhouse_buckets.h"

#define HOUR 3600u
#define DAY 86400u

enum kind { WRITTEN = 1, ROLLED_HOUR, ROLLED_DAY, KEPT };

/* All of it in one answer, so that it is of one moment as nearly as can be; see below. */
static char *tally_sql(uint64_t since, uint64_t until)
{
	return clickhouse_sql(
		"SELECT kind, bucket, n FROM ("
		"SELECT 1 AS kind, hour AS bucket, count(*) AS n FROM attempts WHERE state = 1"
		" AND hour >= %" PRIu64 " AND hour < %" PRIu64 " GROUP BY bucket"
		" UNION ALL SELECT kind, bucket, sum(most) AS n FROM (SELECT CASE WHEN step = 3600"
		" THEN 2 ELSE 3 END AS kind, t AS bucket, shard, max(attempts) AS most FROM rolled"
		" WHERE t >= %" PRIu64 " AND t < %" PRIu64 " GROUP BY kind, bucket, shard) AS r"
		" GROUP BY kind, bucket"
		" UNION ALL SELECT 4 AS kind, step AS bucket, max(since) AS n FROM kept GROUP BY step"
		") AS a ORDER BY kind, bucket",
		since, until, since, until);
}

struct reading {
	struct clickhouse_tally *tally;
	size_t room, day_room;
};

static int append(struct clickhouse_bucket **list, size_t *count, size_t *room, uint64_t t,
		  uint64_t written)
{
	struct clickhouse_bucket *more;

	if (*count == *room) {
		more = realloc(*list, (*room ? 2 * *room : 64) * sizeof(**list));
		if (!more)
			return -ENOMEM;
		*list = more;
		*room = *room ? 2 * *room : 64;
	}
	(*list)[(*count)++] = (struct clickhouse_bucket){ t, written, 0 };
	return 0;
}

static int add_hour(struct reading *r, uint64_t t, uint64_t written)
{
	struct clickhouse_tally *y = r->tally;
	uint64_t day = t - t % DAY;

	if (y->day_count && y->days[y->day_count - 1].t == day)
		y->days[y->day_count - 1].written += written;
	else if (append(&y->days, &y->day_count, &r->day_room, day, written))
		return -ENOMEM;
	return append(&y->hours, &y->hour_count, &r->room, t, written);
}

static void set_rolled(struct clickhouse_bucket *list, size_t count, uint64_t t, uint64_t rolled)
{
	for (size_t low = 0; low < count;) {
		size_t middle = low + (count - low) / 2;

		if (list[middle].t == t) {
			list[middle].rolled = rolled;
			return;
		}
		if (list[middle].t > t)
			count = middle;
		else
			low = middle + 1;
	}
}

static int on_row(void *arg, const struct store_value *v, size_t count)
{
	struct reading *r = arg;
	struct clickhouse_tally *y = r->tally;
	uint64_t t = v[1].u64, n = v[2].u64;

	switch (v[0].u64) {
	case WRITTEN:
		return add_hour(r, t, n);
	case ROLLED_HOUR:
		set_rolled(y->hours, y->hour_count, t, n);
		break;
	case ROLLED_DAY:
		set_rolled(y->days, y->day_count, t, n);
		break;
	case KEPT:
		y->since[t == DAY ? 2 : t == HOUR ? 1 : 0] = n;
	}
	return 0;
}

int clickhouse_tally(struct clickhouse *c, struct clickhouse_node *node, uint64_t since,
		     uint64_t until, struct clickhouse_tally *ret, char *err, size_t errlen)
{
	struct clickhouse_tally tally = {};
	struct reading r = { .tally = &tally };
	char *sql = tally_sql(since, until);
	int error;

	if (!sql)
		error = -ENOMEM;
	else if (node)
		error = clickhouse_ask_node(c, node, c->own, sql, on_row, &r, err, errlen);
	else
		error = clickhouse_ask(c, 0, c->database, sql, on_row, &r, err, errlen);

	free(sql);
	if (error) {
		clickhouse_tally_free(&tally);
		return error;
	}
	*ret = tally;
	return 0;
}

void clickhouse_tally_free(struct clickhouse_tally *t)
{
	free(t->hours);
	free(t->days);
	memset(t, 0, sizeof(*t));
}

/*
 * How many attempts an hour had when it was made was counted before its facts were read, so it
 * has at least these: it is touched as long as there are more by now. Neither number ever
 * falls while the other is there, so it does not matter which was read first.
 */
static int touched(const struct clickhouse_bucket *list, size_t count, uint64_t **ret, size_t *ret_n)
{
	uint64_t *all = calloc(count + 1, sizeof(*all));
	size_t n = 0;

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (list[i].written != list[i].rolled)
			all[n++] = list[i].t;
	*ret = all;
	*ret_n = n;
	return 0;
}

int clickhouse_buckets(struct store *s, uint64_t since, uint64_t until, struct store_buckets *ret,
		       char *err, size_t errlen)
{
	struct clickhouse *c = (struct clickhouse *)s;
	struct store_buckets b = {};
	struct clickhouse_tally tally;
	int error = clickhouse_tally(c, NULL, since, until, &tally, err, errlen);

	if (error)
		return error;
	b.minutes_from = tally.since[0];
	b.hours_from = tally.since[1];
	b.days_from = tally.since[2];
	error = touched(tally.hours, tally.hour_count, &b.hours, &b.hour_count);
	if (!error)
		error = touched(tally.days, tally.day_count, &b.days, &b.day_count);
	clickhouse_tally_free(&tally);
	if (error) {
		store_buckets_free(&b);
		snprintf(err, errlen, "out of memory");
		return error;
	}
	*ret = b;
	return 0;
}

/* What an attempt wrote is on one shard, with what is said of it: each looks in its own. */
void clickhouse_visible(struct store *s, uint64_t since, uint64_t until, FILE *out)
{
	struct clickhouse *c = (struct clickhouse *)s;

	fprintf(out, " AND attempt IN (SELECT attempt FROM %s.attempts WHERE state = 1"
		" AND hour >= %" PRIu64 " AND hour < %" PRIu64 ")", c->own, since - since % HOUR, until);
}
