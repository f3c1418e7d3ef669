/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "userspace/store/clickhouse_claims.h"
#include "userspace/store/clickhouse_replica.h"
#include "userspace/store/rows.h"

#define COMMIT_S 10
#define DEAD_S 30 /* longer, by what a server may take for a row after it looked at its clock */
/*
 * Of a replica: longer by the 40 s at most that ZooKeeper keeps a session of a server that is
 * stuck (twenty of its ticks; without the session the row is refused), and by what the clocks
 * of two servers may differ.
 */
#define DEAD_REPLICA_S 90
#define WAIT_MS 3000
#define POLL_MS 30

#define NOW "toUInt64(toUnixTimestamp(now()))"

enum state { STATE_UNKNOWN, STATE_COMMITTED, STATE_GIVEN_UP }; /* in attempts; never renumber */

/* An entry of the ledger. */
struct entry {
	struct claimed *item;
	uint64_t attempt, made;
	enum state state;
};

struct look {
	struct claims *group;
	struct entry *entries;
	size_t count, room;
	uint64_t now, started, minutes_from;
};

static struct claimed *find(struct claims *g, const char *hex)
{
	size_t low = 0, high = g->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(g->items[middle].hex, hex);

		if (!order)
			return &g->items[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int on_entry(void *arg, const struct store_value *v, size_t count)
{
	struct look *l = arg;
	struct entry *more;

	if (!*v[0].text) { /* times */
		l->minutes_from = v[1].u64;
		l->now = v[2].u64;
		l->started = v[3].u64;
		return 0;
	}
	if (l->count == l->room) {
		more = realloc(l->entries, (l->room ? 2 * l->room : 64) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		l->entries = more;
		l->room = l->room ? 2 * l->room : 64;
	}
	l->entries[l->count] = (struct entry){ find(l->group, v[0].text), v[1].u64, v[2].u64, 0 };
	l->count += l->entries[l->count].item != NULL;
	return 0;
}

static char *entries_sql(const struct claims *g)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs("SELECT '' AS batch, max(since) AS attempt, " NOW " AS made, " NOW " - uptime() AS started"
	      " FROM kept WHERE step = 60 UNION ALL "
	      "SELECT batch, attempt, made, 0 AS started FROM ledger WHERE batch IN (", out);
	for (size_t i = 0; i < g->count; i++)
		fprintf(out, "%s'%s'", i ? ", " : "", g->items[i].hex);
	fputc(')', out);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

static int on_state(void *arg, const struct store_value *v, size_t count)
{
	struct look *l = arg;

	for (size_t i = 0; i < l->count; i++)
		if (l->entries[i].attempt == v[0].u64)
			l->entries[i].state = v[1].u64 == STATE_COMMITTED ? STATE_COMMITTED :
									    STATE_GIVEN_UP;
	return 0;
}

/* What became of those attempts. Asked after the ledger: what is new by then is known. */
static char *states_sql(const struct look *l)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs("SELECT attempt, min(state) FROM attempts WHERE attempt IN (", out);
	for (size_t i = 0; i < l->count; i++)
		if (!i || l->entries[i].attempt != l->entries[i - 1].attempt)
			fprintf(out, "%s%" PRIu64, i ? ", " : "", l->entries[i].attempt);
	fputs(") GROUP BY attempt", out);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

/* Which of this group's own attempts it is; -1: none. */
static int own_number(const struct claims *g, uint64_t attempt)
{
	for (unsigned i = 0; i < g->attempt_count; i++)
		if (g->attempts[i] == attempt)
			return (int)i;
	return -1;
}

bool claims_committing(const struct claims *g)
{
	return g->attempt_count && g->committing[g->attempt_count - 1];
}

static void judge(struct look *l, const struct clickhouse_node *n, const struct entry *e)
{
	struct claims *g = l->group;
	int own = own_number(g, e->attempt);
	uint64_t dead_s = n->replicated ? DEAD_REPLICA_S : DEAD_S;
	bool dead = l->now >= e->made + dead_s || (own >= 0 && !g->committing[own]);

	/* What it was told before it was started it does not do any more; another might. */
	if (!n->replicated && e->made + 1 < l->started)
		dead = true;
	if (own >= 0 && own == (int)g->attempt_count - 1)
		g->made = e->made;
	if (e->state == STATE_COMMITTED) {
		e->item->claim = own >= 0 ? CLAIM_OURS : CLAIM_STORED;
	} else if (e->state == STATE_UNKNOWN && !dead && e->item->claim == CLAIM_NONE) {
		e->item->claim = CLAIM_OTHERS;
		g->yield |= g->holding && e->attempt < g->attempts[g->attempt_count - 1];
	}
}

/* What is added to an hour whose minutes are gone would take the place of all the rest. */
static int refuse_old(const struct look *l, char *err, size_t errlen)
{
	for (size_t i = 0; i < l->group->count; i++) {
		const struct claimed *item = &l->group->items[i];

		if (item->claim == CLAIM_NONE && rows_minute(item->batch) < l->minutes_from) {
			snprintf(err, errlen, "a batch of %s is older than what ClickHouse keeps by "
				 "the minute", item->batch->sender);
			return -ERANGE;
		}
	}
	return 0;
}

/* Another replica is not asked in the middle of an attempt. */
static int catch_up(struct clickhouse *c, struct clickhouse_node *n, const struct claims *g,
		    const char *table, char *err, size_t errlen)
{
	int error = clickhouse_catch_up(c, n, table, err, errlen);

	return error == -EAGAIN && g->holding ? -EBUSY : error;
}

/*
 * All claims that were made before ours; then, after the clock was read, all that was
 * committed by then.
 */
static int look(struct clickhouse *c, struct clickhouse_node *n, struct look *l, char *err,
		size_t errlen)
{
	int error = catch_up(c, n, l->group, "ledger", err, errlen);
	char *sql = error ? NULL : entries_sql(l->group);

	if (!error)
		error = sql ? clickhouse_ask_node(c, n, c->own, sql, on_entry, l, err, errlen) :
			      -ENOMEM;
	free(sql);
	if (error || !l->count)
		return error;
	error = catch_up(c, n, l->group, "attempts", err, errlen);
	sql = error ? NULL : states_sql(l);
	if (!error)
		error = sql ? clickhouse_ask_node(c, n, c->own, sql, on_state, l, err, errlen) :
			      -ENOMEM;
	free(sql);
	return error;
}

int claims_look(struct clickhouse *c, struct clickhouse_node *n, struct claims *g, char *err,
		size_t errlen)
{
	struct look l = { .group = g };
	int error = look(c, n, &l, err, errlen);

	g->made = 0;
	g->yield = false;
	for (size_t i = 0; i < g->count; i++)
		g->items[i].claim = CLAIM_NONE;
	for (size_t i = 0; i < l.count && !error; i++)
		judge(&l, n, &l.entries[i]);
	free(l.entries);
	return error ? error : refuse_old(&l, err, errlen);
}

static bool any(const struct claims *g, enum claim claim)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->items[i].claim == claim)
			return true;
	return false;
}

int claims_wait(struct clickhouse *c, struct clickhouse_node *n, struct claims *g, char *err,
		size_t errlen)
{
	static const struct timespec poll = { .tv_nsec = POLL_MS * 1000000L };
	int error = 0;

	for (int ms = 0; !error && any(g, CLAIM_OTHERS) && !g->yield; ms += POLL_MS) {
		if (ms >= WAIT_MS) {
			snprintf(err, errlen, "ClickHouse at %s: it is not known yet whether a batch "
				 "was stored when it was sent before", n->address.name);
			return -EBUSY;
		}
		nanosleep(&poll, NULL);
		error = claims_look(c, n, g, err, errlen);
	}
	return error;
}

int claims_new_attempt(struct claims *g)
{
	uint64_t attempt;

	if (g->attempt_count == CLICKHOUSE_ATTEMPTS_MAX)
		return -EBUSY;
	if (getrandom(&attempt, sizeof(attempt), 0) != sizeof(attempt))
		return -EIO;
	g->committing[g->attempt_count] = false;
	g->attempts[g->attempt_count++] = attempt;
	g->made = 0;
	return 0;
}

int claims_make(struct clickhouse *c, struct clickhouse_node *n, struct claims *g, char *err,
		size_t errlen)
{
	struct clickhouse_rows *rows = calloc(1, sizeof(*rows));
	int error = rows ? 0 : -ENOMEM;

	g->holding = true;
	for (size_t i = 0; i < g->count && !error; i++) {
		struct store_value v[] = {
			{ STORE_TEXT, { .text = g->items[i].hex } },
			{ STORE_U64, { .u64 = g->attempts[g->attempt_count - 1] } },
		};

		if (g->items[i].claim == CLAIM_NONE)
			error = clickhouse_rows_add(rows, v, 2);
	}
	if (!error)
		error = clickhouse_rows_end(rows);
	if (!error)
		error = clickhouse_insert(c, n, "INSERT INTO ledger (batch, attempt) FORMAT RowBinary",
					  rows, err, errlen);
	if (rows)
		clickhouse_rows_free(rows);
	free(rows);
	return error;
}

/* ---- commit ---- */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The hours that the attempt has facts of, each once: 3600, 7200. NULL without memory. */
static char *write_hours(const struct claims *g)
{
	uint64_t *hours = calloc(g->count + 1, sizeof(*hours)), t;
	char *text = NULL;
	size_t size, n = 0;
	FILE *out = hours ? open_memstream(&text, &size) : NULL;

	if (!out) {
		free(hours);
		return NULL;
	}
	for (size_t i = 0; i < g->count; i++) {
		t = rows_minute(g->items[i].batch);
		if (g->items[i].claim == CLAIM_NONE)
			hours[n++] = t - t % 3600;
	}
	qsort(hours, n, sizeof(*hours), by_value);
	for (size_t i = 0; i < n; i++)
		if (!i || hours[i] != hours[i - 1])
			fprintf(out, "%s%" PRIu64, i ? ", " : "", hours[i]);
	free(hours);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

static int on_count(void *arg, const struct store_value *v, size_t count)
{
	*(uint64_t *)arg = v[0].u64;
	return 0;
}

/* Whether it was in time. */
static int check_commit(struct clickhouse *c, struct clickhouse_node *n, struct claims *g, char *err,
			size_t errlen)
{
	uint64_t attempt = g->attempts[g->attempt_count - 1], count = 0;
	char *sql = clickhouse_sql("SELECT count(*) FROM attempts WHERE attempt = %" PRIu64
				   " AND state = %d", attempt, STATE_COMMITTED);
	int error = sql ? clickhouse_ask_node(c, n, c->own, sql, on_count, &count, err, errlen) :
			  -ENOMEM;

	free(sql);
	if (!error && !count) {
		g->committing[g->attempt_count - 1] = false;
		error = -EBUSY;
		snprintf(err, errlen, "ClickHouse at %s takes too long", n->address.name);
	}
	return error;
}

int claims_commit(struct clickhouse *c, struct clickhouse_node *n, struct claims *g, char *err,
		  size_t errlen)
{
	uint64_t attempt = g->attempts[g->attempt_count - 1];
	char *hours = write_hours(g), *sql = NULL;
	int error;

	/* One block, one part: all hours at once. */
	if (hours)
		sql = clickhouse_sql("INSERT INTO attempts (attempt, hour, state) SELECT %" PRIu64
				     " AS attempt, arrayJoin([%s]) AS hour, %d AS state"
				     " FROM system.one WHERE " NOW " < %" PRIu64,
				     attempt, hours, STATE_COMMITTED, g->made + COMMIT_S);
	free(hours);
	if (!sql)
		return -ENOMEM;
	g->committing[g->attempt_count - 1] = true;
	error = clickhouse_ask_node(c, n, c->own, sql, NULL, NULL, err, errlen);
	free(sql);
	return error ? error : check_commit(c, n, g, err, errlen);
}

int claims_give_up(struct clickhouse *c, struct clickhouse_node *n, struct claims *g, char *err,
		   size_t errlen)
{
	char *sql = clickhouse_sql("INSERT INTO attempts (attempt, hour, state) VALUES (%" PRIu64
				   ", 0, %d)", g->attempts[g->attempt_count - 1], STATE_GIVEN_UP);
	int error = sql ? clickhouse_ask_node(c, n, c->own, sql, NULL, NULL, err, errlen) : -ENOMEM;

	free(sql);
	return error;
}
