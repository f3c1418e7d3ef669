// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <time.h>

#include "userspace/store/duckdb_store.h"
#include "userspace/store/rows.h"

/* A group of batches on its way into the store. */
struct group {
	struct duck_store *store;
	struct duck_link *link;
	const struct batch **batches; /* the new ones */
	struct batch_halves *ids;
	size_t count;
	uint64_t attempt, rows;
	struct id_set fresh[SCHEMA_NAMES];   /* names that it brings */
	struct id_set touched[DUCK_STEPS];   /* that were not, before */
	bool late;			     /* some of it is of minutes that are not kept any more */
	struct duck_appender appender;
	char *err;
	size_t errlen;
};

/* An empty disk's worth is left alone: a full one ends more than this write. */
static int check_disk(struct duck_store *s, char *err, size_t errlen)
{
	struct statvfs fs;
	uint64_t left;

	if (statvfs(s->directory, &fs))
		return 0;
	left = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (left >= DUCK_DISK_MIN)
		return 0;
	snprintf(err, errlen, "%s: %" PRIu64 " MB left on the disk, too few to write: free some, "
		 "or keep facts for fewer days", s->directory, left >> 20);
	return -EAGAIN;
}

/* Ids that the ledger is asked for, ascending, and which of them it has. */
struct asked {
	struct batch_halves *ids;
	bool *found;
	size_t count;
};

static int by_id(const void *a, const void *b)
{
	const struct batch_halves *x = a, *y = b;

	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	return x->high < y->high ? -1 : x->high > y->high;
}

static bool *find_asked(const struct asked *a, struct batch_halves id)
{
	const struct batch_halves *at = bsearch(&id, a->ids, a->count, sizeof(id), by_id);

	return at ? &a->found[at - a->ids] : NULL;
}

static int note_found(void *arg, const struct store_value *v, size_t count)
{
	bool *found = find_asked(arg, (struct batch_halves){ v[0].u64, v[1].u64 });

	if (found)
		*found = true;
	return 0;
}

/* One question for all that may be there: the whole ledger is read for it. */
static int ask_ledger(struct group *g, struct asked *a)
{
	char *sql = NULL;
	size_t size;
	FILE *out;
	int failed;

	if (!a->count)
		return 0;
	out = open_memstream(&sql, &size);
	if (!out)
		return -ENOMEM;
	qsort(a->ids, a->count, sizeof(*a->ids), by_id);
	fputs("SELECT high, low FROM ledger WHERE low IN (", out);
	for (size_t i = 0; i < a->count; i++)
		fprintf(out, "%s%" PRIu64, i ? "," : "", a->ids[i].low);
	fputc(')', out);
	fclose(out);
	failed = duck_select(g->link, sql, note_found, a, g->err, g->errlen);
	free(sql);
	return failed;
}

/* Those that are not found are found from now on: a second one in the group is a duplicate. */
static void take_new(struct group *g, struct asked *a, const struct batch *const *batches, size_t n,
		     enum store_written *ret)
{
	for (size_t i = 0; i < n; i++) {
		struct batch_halves id = batch_halves(batches[i]->id);
		bool *found = find_asked(a, id);

		ret[i] = *found ? STORE_DUPLICATE : STORE_NEW;
		if (*found)
			continue;
		*found = true;
		g->batches[g->count] = batches[i];
		g->ids[g->count++] = id;
	}
}

/* Which of them are new, each once. */
static int choose(struct group *g, const struct batch *const *batches, size_t n,
		  enum store_written *ret)
{
	struct asked some = { .ids = calloc(n, sizeof(*some.ids)),
			      .found = calloc(n, sizeof(*some.found)) };
	struct asked all = { .ids = calloc(n, sizeof(*all.ids)),
			     .found = calloc(n, sizeof(*all.found)), .count = n };
	int failed = some.ids && some.found && all.ids && all.found ? 0 : -ENOMEM;

	for (size_t i = 0; !failed && i < n; i++) {
		all.ids[i] = batch_halves(batches[i]->id);
		if (ledger_filter_may_have(&g->store->ledger, all.ids[i]))
			some.ids[some.count++] = all.ids[i];
	}
	if (!failed)
		failed = ask_ledger(g, &some);
	if (!failed) {
		qsort(all.ids, n, sizeof(*all.ids), by_id);
		for (size_t i = 0; i < some.count; i++)
			if (some.found[i])
				*find_asked(&all, some.ids[i]) = true;
		take_new(g, &all, batches, n, ret);
	}
	free(some.ids);
	free(some.found);
	free(all.ids);
	free(all.found);
	return failed;
}

static int append_row(void *arg, const struct store_value *values, size_t count)
{
	struct group *g = arg;

	g->rows++;
	return duck_appender_row(&g->appender, values, g->err, g->errlen);
}

static int write_fact(struct group *g, enum store_fact fact)
{
	struct schema_column columns[SCHEMA_COLUMNS_MAX];
	size_t count = schema_fact_columns(fact, 60, columns);
	char table[64];
	int failed;

	snprintf(table, sizeof(table), "%s_minute", schema_fact(fact)->name);
	failed = duck_appender_open(&g->appender, g->link, table, columns, count, g->err, g->errlen);
	if (!failed)
		failed = rows_of_group(g->batches, g->count, g->attempt, fact, append_row, g);
	if (!failed)
		return duck_appender_finish(&g->appender, g->err, g->errlen);
	duck_appender_drop(&g->appender);
	return failed;
}

static int write_ledger(struct group *g)
{
	static const struct schema_column columns[] = {
		{ "high", STORE_U64 },	   { "low", STORE_U64 }, { "attempt", STORE_U64 },
		{ "t", STORE_U64 },	   { "received", STORE_U64 }, { "n", STORE_U64 },
		{ "sender", STORE_TEXT },
	};
	uint64_t now = (uint64_t)time(NULL);
	int failed = duck_appender_open(&g->appender, g->link, "ledger", columns,
					sizeof(columns) / sizeof(*columns), g->err, g->errlen);

	for (size_t i = 0; !failed && i < g->count; i++) {
		const struct batch *b = g->batches[i];
		struct store_value row[] = {
			{ STORE_U64, { .u64 = g->ids[i].high } },
			{ STORE_U64, { .u64 = g->ids[i].low } },
			{ STORE_U64, { .u64 = g->attempt } },
			{ STORE_U64, { .u64 = rows_minute(b) } },
			{ STORE_U64, { .u64 = now } },
			{ STORE_U64, { .u64 = rows_count(b) } },
			{ STORE_TEXT, { .text = b->sender ? b->sender : "" } },
		};

		failed = duck_appender_row(&g->appender, row, g->err, g->errlen);
	}
	if (!failed)
		return duck_appender_finish(&g->appender, g->err, g->errlen);
	duck_appender_drop(&g->appender);
	return failed;
}

/* Into touched, and into the group's set, unless it is touched already. */
static int touch(struct group *g, int step, uint64_t t)
{
	uint64_t seconds = duck_step_seconds[step], begin = t - t % seconds;
	char sql[96];
	bool known;
	int added;

	pthread_mutex_lock(&g->store->state_lock);
	known = id_set_has(&g->store->touched[step], begin) &&
		!(g->store->rolling_step == step && g->store->rolling == begin);
	pthread_mutex_unlock(&g->store->state_lock);
	added = known ? 0 : id_set_add(&g->touched[step], begin);
	if (added <= 0)
		return added;
	snprintf(sql, sizeof(sql), "INSERT INTO touched VALUES (%" PRIu64 ", %" PRIu64 ")", seconds,
		 begin);
	return duck_run(g->link, sql, g->err, g->errlen);
}

static int touch_all(struct group *g)
{
	const uint64_t *kept = g->store->kept_from;
	int failed = 0;

	for (size_t i = 0; !failed && i < g->count; i++) {
		uint64_t t = rows_minute(g->batches[i]);

		if (t < kept[DUCK_MINUTE])
			g->late = true;
		else
			failed = touch(g, DUCK_HOUR, t);
		if (!failed && t >= kept[DUCK_HOUR])
			failed = touch(g, DUCK_DAY, t);
	}
	return failed;
}

/* One step of one fact's late rows, from the minutes where they were just put. */
static int move_late(struct group *g, enum store_fact fact, int step, uint64_t since,
		     uint64_t until)
{
	char also[64], *sql = NULL;
	const char *name = schema_fact(fact)->name;
	uint32_t seconds = duck_step_seconds[step];
	size_t size;
	FILE *out = open_memstream(&sql, &size);
	int failed;

	if (!out)
		return -ENOMEM;
	snprintf(also, sizeof(also), " AND attempt = %" PRIu64, g->attempt);
	fprintf(out, "INSERT INTO %s_%s ", name, schema_step_name(seconds));
	schema_write_rollup(fact, 60, seconds, since, until, also, out);
	fclose(out);
	failed = duck_run(g->link, sql, g->err, g->errlen);
	free(sql);
	return failed;
}

/*
 * Minutes before kept_from have been added up and taken away: were these rows left among
 * them, their hour would be made anew of nothing else. So they are added to the hour, which
 * the day is made of later; or to the day, where hours are not kept any more.
 */
static int write_late(struct group *g)
{
	const uint64_t *kept = g->store->kept_from;
	int failed = 0;

	for (int fact = 0; !failed && fact < STORE_FACTS; fact++) {
		char sql[160];

		failed = move_late(g, fact, DUCK_HOUR, kept[DUCK_HOUR], kept[DUCK_MINUTE]);
		if (!failed)
			failed = move_late(g, fact, DUCK_DAY, 0, kept[DUCK_HOUR]);
		snprintf(sql, sizeof(sql), "DELETE FROM %s_minute WHERE attempt = %" PRIu64
			 " AND t < %" PRIu64, schema_fact(fact)->name, g->attempt, kept[DUCK_MINUTE]);
		if (!failed)
			failed = duck_run(g->link, sql, g->err, g->errlen);
	}
	return failed;
}

static int write_all(struct group *g)
{
	int failed = duck_write_names(g->store, g->link, g->batches, g->count, g->fresh, g->err,
				      g->errlen);

	for (int fact = 0; !failed && fact < STORE_FACTS; fact++)
		failed = write_fact(g, fact);
	if (!failed)
		failed = touch_all(g);
	if (!failed && g->late)
		failed = write_late(g);
	return failed ? failed : write_ledger(g);
}

static int join_touched(struct group *g, int step)
{
	struct duck_store *s = g->store;

	if (s->rolling_step == step && id_set_has(&g->touched[step], s->rolling))
		s->rolling_touched = true;
	return id_set_join(&s->touched[step], &g->touched[step]);
}

/* Each minute once; batches of a group are of few. */
static void loosen(struct group *g)
{
	for (size_t i = 0; i < g->count; i++) {
		uint64_t t = rows_minute(g->batches[i]);
		bool before = t < g->store->kept_from[DUCK_MINUTE];

		for (size_t k = 0; !before && k < i; k++)
			before = rows_minute(g->batches[k]) == t;
		if (!before)
			duck_loosen(g->store, t);
	}
}

/* What is committed is known from now on; names that there is no memory for are asked for. */
static void note_written(struct group *g)
{
	struct duck_store *s = g->store;

	for (int which = 0; which < SCHEMA_NAMES; which++)
		id_set_join(&s->known[which], &g->fresh[which]);
	for (size_t i = 0; i < g->count; i++)
		ledger_filter_add(&s->ledger, g->ids[i]);
	pthread_mutex_lock(&s->state_lock);
	for (int step = 0; step < DUCK_STEPS; step++)
		if (join_touched(g, step))
			s->broken = true; /* opening anew reads it from the table */
	loosen(g);
	pthread_mutex_unlock(&s->state_lock);
	s->batches += g->count;
	s->rows += g->rows;
}

static int write_group(struct group *g)
{
	char ignored[256];
	int failed = duck_run(g->link, "BEGIN", g->err, g->errlen);

	if (failed)
		return failed;
	failed = write_all(g);
	if (!failed)
		failed = duck_run(g->link, "COMMIT", g->err, g->errlen);
	if (!failed)
		note_written(g);
	else
		duck_run(g->link, "ROLLBACK", ignored, sizeof(ignored));
	return failed;
}

static int write_locked(struct group *g, const struct batch *const *batches, size_t n,
			enum store_written *ret)
{
	int failed = choose(g, batches, n, ret);

	if (!failed && g->count)
		failed = check_disk(g->store, g->err, g->errlen);
	if (!failed && g->count)
		failed = write_group(g);
	return failed;
}

static void free_group(struct group *g)
{
	for (int which = 0; which < SCHEMA_NAMES; which++)
		id_set_free(&g->fresh[which]);
	for (int step = 0; step < DUCK_STEPS; step++)
		id_set_free(&g->touched[step]);
	free(g->batches);
	free(g->ids);
}

int duck_write(struct store *base, const struct batch *const *batches, size_t n,
	       enum store_written *ret, char *err, size_t errlen)
{
	struct duck_store *s = (struct duck_store *)base;
	struct duck_link link;
	struct group g = { .store = s, .link = &link, .err = err, .errlen = errlen };
	int failed;

	g.batches = calloc(n, sizeof(*g.batches));
	g.ids = calloc(n, sizeof(*g.ids));
	if (!g.batches || !g.ids ||
	    getrandom(&g.attempt, sizeof(g.attempt), 0) != sizeof(g.attempt)) {
		snprintf(err, errlen, "out of memory");
		free_group(&g);
		return -EAGAIN;
	}
	failed = duck_take(s, &link, err, errlen);
	if (!failed) {
		pthread_mutex_lock(&s->writing);
		failed = write_locked(&g, batches, n, ret);
		pthread_mutex_unlock(&s->writing);
		failed = duck_give(s, &link, failed);
	}
	free_group(&g);
	return failed == -ENOMEM ? -EAGAIN : failed;
}
