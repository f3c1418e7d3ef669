/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Batches on their way in: names, facts, and the ledger last. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "userspace/store/clickhouse.h"
#include "userspace/store/rows.h"

#define WRITTEN_MAX (4u << 20) /* ids of names that are remembered, of each kind */
#define SHIFT_S 86400	       /* a batch may have been shifted otherwise when it came before */

/* A batch of the group. */
struct item {
	const struct batch *batch;
	size_t index; /* in the caller's arrays */
	char hex[2 * BATCH_ID_SIZE + 1];
	unsigned shard;
	uint64_t attempt;
	bool known; /* the ledger has it */
	bool tried; /* it may have it by this very call */
};

/* Those of one shard, by their ids. */
struct group {
	struct item *items;
	size_t count;
};

static int by_shard_and_id(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int order = strcmp(x->hex, y->hex);

	if (x->shard != y->shard)
		return x->shard < y->shard ? -1 : 1;
	return order ? order : x->index < y->index ? -1 : 1;
}

static void init_item(struct item *i, const struct batch *b, size_t index, unsigned shards)
{
	uint64_t head;

	memcpy(&head, b->id, sizeof(head));
	i->batch = b;
	i->index = index;
	i->shard = (unsigned)(head % shards) + 1;
	for (int k = 0; k < BATCH_ID_SIZE; k++)
		sprintf(i->hex + 2 * k, "%02x", b->id[k]);
}

/* ---- what is there already ---- */

struct looking {
	struct group *group;
	uint64_t minutes_from;
};

static int on_known(void *arg, const struct store_value *v, size_t count)
{
	struct looking *l = arg;
	size_t low = 0, high = l->group->count;

	if (!*v[0].text) {
		if (v[1].u64 > l->minutes_from)
			l->minutes_from = v[1].u64;
		return 0;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(l->group->items[middle].hex, v[0].text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < l->group->count && !strcmp(l->group->items[low].hex, v[0].text); low++)
		l->group->items[low].known = true;
	return 0;
}

static char *known_sql(const struct group *g)
{
	uint64_t from = UINT64_MAX, to = 0, t;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs("SELECT '' AS batch, max(since) AS n FROM kept WHERE step = 60"
	      " UNION ALL SELECT batch, t AS n FROM ledger WHERE batch IN (", out);
	for (size_t i = 0; i < g->count; i++) {
		t = rows_minute(g->items[i].batch);
		from = t < from ? t : from;
		to = t > to ? t : to;
		fprintf(out, "%s'%s'", i ? ", " : "", g->items[i].hex);
	}
	fprintf(out, ") AND t >= %" PRIu64 " AND t <= %" PRIu64,
		from > SHIFT_S ? from - SHIFT_S : 0, to + SHIFT_S);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* What is added to an hour whose minutes are gone would take the place of all the rest. */
static int refuse_old(const struct group *g, uint64_t minutes_from, char *err, size_t errlen)
{
	for (size_t i = 0; i < g->count; i++)
		if (!g->items[i].known && rows_minute(g->items[i].batch) < minutes_from) {
			snprintf(err, errlen, "a batch of %s is older than what ClickHouse keeps by "
				 "the minute", g->items[i].batch->sender);
			return -ERANGE;
		}
	return 0;
}

static int look_up(struct clickhouse *c, struct clickhouse_node *n, struct group *g, char *err,
		   size_t errlen)
{
	struct looking l = { .group = g };
	char *sql = known_sql(g);
	int error = sql ? clickhouse_ask_node(c, n, c->own, sql, on_known, &l, err, errlen) :
			  -ENOMEM;

	free(sql);
	return error ? error : refuse_old(g, l.minutes_from, err, errlen);
}

/* ---- rows ---- */

static char *insert_sql(const char *table, const struct schema_column *columns, size_t count)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "INSERT INTO %s ", table);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%s", i ? ", " : "(", columns[i].name);
	fputs(") FORMAT RowBinary", out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* Frees sql. */
static int send_rows(struct clickhouse *c, struct clickhouse_node *n, char *sql,
		     struct clickhouse_rows *rows, char *err, size_t errlen)
{
	int error = sql ? 0 : -ENOMEM;

	if (!error && rows->count) {
		error = clickhouse_rows_end(rows);
		if (!error)
			error = clickhouse_insert(c, n, sql, rows, err, errlen);
	}
	free(sql);
	return error;
}

static int write_fact(struct clickhouse *c, struct clickhouse_node *n, const struct group *g,
		      enum store_fact fact, struct clickhouse_rows *rows, char *err, size_t errlen)
{
	struct schema_column columns[SCHEMA_COLUMNS_MAX];
	size_t count = schema_fact_columns(fact, 60, columns);
	char table[64];
	int error = 0;

	for (size_t i = 0; i < g->count && !error; i++)
		if (!g->items[i].known)
			error = rows_of_fact(g->items[i].batch, g->items[i].attempt, fact,
					     clickhouse_rows_add, rows);
	snprintf(table, sizeof(table), "%s_minute", schema_fact(fact)->name);
	return error ? error : send_rows(c, n, insert_sql(table, columns, count), rows, err, errlen);
}

/* Names that were not written before; of tags, all rows of an id come one after the other. */
struct sieve {
	struct clickhouse *c;
	enum schema_names which;
	struct id_set fresh;
	uint64_t last;
	bool take;
	struct clickhouse_rows *rows;
};

static int sift(void *arg, const struct store_value *values, size_t count)
{
	struct sieve *s = arg;
	uint64_t id = values[0].u64;
	int added;

	if (id != s->last) {
		s->last = id;
		pthread_mutex_lock(&s->c->lock);
		s->take = !id_set_has(&s->c->written[s->which], id);
		pthread_mutex_unlock(&s->c->lock);
		added = s->take ? id_set_add(&s->fresh, id) : 0;
		if (added < 0)
			return added;
		s->take = added;
	}
	return s->take ? clickhouse_rows_add(s->rows, values, count) : 0;
}

static void remember(struct sieve *s)
{
	struct id_set *written = &s->c->written[s->which];

	pthread_mutex_lock(&s->c->lock);
	if (written->count + s->fresh.count > WRITTEN_MAX)
		id_set_empty(written);
	/* Without memory they are written once more some day. */
	id_set_join(written, &s->fresh);
	pthread_mutex_unlock(&s->c->lock);
}

static int write_names(struct clickhouse *c, struct clickhouse_node *n, const struct group *g,
		       enum schema_names which, struct clickhouse_rows *rows, char *err,
		       size_t errlen)
{
	const struct schema_table *t = schema_names(which);
	struct sieve s = { .c = c, .which = which, .rows = rows };
	char table[64];
	int error = 0;

	for (size_t i = 0; i < g->count && !error; i++) {
		s.last = 0;
		if (!g->items[i].known)
			error = rows_of_names(g->items[i].batch, which, sift, &s);
	}
	snprintf(table, sizeof(table), "%s_rows", t->name);
	if (!error)
		error = send_rows(c, n, insert_sql(table, t->columns, t->count), rows, err, errlen);
	if (!error)
		remember(&s);
	id_set_free(&s.fresh);
	return error;
}

static int write_ledger(struct clickhouse *c, struct clickhouse_node *n, struct group *g,
			struct clickhouse_rows *rows, char *err, size_t errlen)
{
	uint64_t now = (uint64_t)time(NULL);
	int error = 0;

	for (size_t i = 0; i < g->count && !error; i++) {
		struct item *item = &g->items[i];
		struct store_value v[] = {
			{ STORE_TEXT, { .text = item->hex } },
			{ STORE_U64, { .u64 = rows_minute(item->batch) } },
			{ STORE_U64, { .u64 = item->attempt } },
			{ STORE_U64, { .u64 = now } },
		};

		if (item->known)
			continue;
		item->tried = true;
		error = clickhouse_rows_add(rows, v, 4);
	}
	if (error)
		return error;
	return send_rows(c, n, strdup("INSERT INTO ledger (batch, t, attempt, received)"
				      " FORMAT RowBinary"), rows, err, errlen);
}

/* ---- all of it ---- */

/* Returns how many there are to be written, or -errno. */
static int new_attempts(struct group *g)
{
	int count = 0;

	for (size_t i = 0; i < g->count; i++) {
		struct item *item = &g->items[i];

		if (item->known)
			continue;
		count++;
		if (getrandom(&item->attempt, sizeof(item->attempt), 0) != sizeof(item->attempt))
			return -EIO;
	}
	return count;
}

static int write_once(struct clickhouse *c, struct clickhouse_node *n, struct group *g, char *err,
		      size_t errlen)
{
	struct clickhouse_rows *rows;
	int error = look_up(c, n, g, err, errlen);

	if (!error)
		error = new_attempts(g);
	if (error <= 0)
		return error;
	rows = calloc(1, sizeof(*rows));
	error = rows ? 0 : -ENOMEM;
	for (int which = 0; which < SCHEMA_NAMES && !error; which++) {
		error = write_names(c, n, g, which, rows, err, errlen);
		clickhouse_rows_free(rows);
	}
	for (int fact = 0; fact < STORE_FACTS && !error; fact++) {
		error = write_fact(c, n, g, fact, rows, err, errlen);
		clickhouse_rows_free(rows);
	}
	if (!error)
		error = write_ledger(c, n, g, rows, err, errlen);
	if (rows)
		clickhouse_rows_free(rows);
	free(rows);
	return error;
}

/* Once more when its answer is lost: the ledger tells what became of it. */
static int write_group(struct clickhouse *c, struct clickhouse_node *n, void *arg, char *err,
		       size_t errlen)
{
	struct group *g = arg;
	int error = write_once(c, n, g, err, errlen);
	bool tried = false;

	for (size_t i = 0; i < g->count; i++)
		tried |= g->items[i].tried;
	return error == -EAGAIN && tried ? write_once(c, n, g, err, errlen) : error;
}

static void settle(struct clickhouse *c, const struct group *g, enum store_written *ret)
{
	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < g->count; i++) {
		const struct item *item = &g->items[i];
		bool fresh = item->tried || !item->known;

		ret[item->index] = fresh ? STORE_NEW : STORE_DUPLICATE;
		c->batches += fresh;
		c->rows += fresh ? rows_count(item->batch) : 0;
	}
	pthread_mutex_unlock(&c->lock);
}

/* Sets aside those that are there before; the rest, in order. Returns how many. */
static size_t drop_twins(struct item *items, size_t n, enum store_written *ret)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (kept && !memcmp(items[kept - 1].batch->id, items[i].batch->id, BATCH_ID_SIZE))
			ret[items[i].index] = STORE_DUPLICATE;
		else
			items[kept++] = items[i];
	}
	return kept;
}

int clickhouse_write(struct store *s, const struct batch *const *batches, size_t n,
		     enum store_written *ret, char *err, size_t errlen)
{
	struct clickhouse *c = (struct clickhouse *)s;
	struct item *items = calloc(n, sizeof(*items));
	int error = 0;

	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		init_item(&items[i], batches[i], i, c->shard_count);
	qsort(items, n, sizeof(*items), by_shard_and_id);
	n = drop_twins(items, n, ret);
	for (size_t from = 0, to; from < n && !error; from = to) {
		struct group g = { items + from, 0 };

		for (to = from; to < n && items[to].shard == items[from].shard; to++)
			;
		g.count = to - from;
		error = clickhouse_each_node(c, c->cluster ? items[from].shard : 0, write_group, &g,
					     err, errlen);
		if (!error)
			settle(c, &g, ret);
	}
	if (error == -ENOMEM)
		snprintf(err, errlen, "out of memory");
	free(items);
	return error;
}
