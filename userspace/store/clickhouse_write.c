/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Batches on their way in: names, facts, and then whether they count. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/store/clickhouse_claims.h"
#include "userspace/store/rows.h"

#define WRITTEN_MAX (4u << 20) /* ids of names that are remembered, of each kind */

static int by_shard_and_id(const void *a, const void *b)
{
	const struct claimed *x = a, *y = b;
	int order = strcmp(x->hex, y->hex);

	if (x->shard != y->shard)
		return x->shard < y->shard ? -1 : 1;
	return order ? order : x->index < y->index ? -1 : 1;
}

static void init_item(struct claimed *i, const struct batch *b, size_t index, unsigned shards)
{
	uint64_t head;

	memcpy(&head, b->id, sizeof(head));
	i->batch = b;
	i->index = index;
	i->shard = (unsigned)(head % shards) + 1;
	for (int k = 0; k < BATCH_ID_SIZE; k++)
		sprintf(i->hex + 2 * k, "%02x", b->id[k]);
}

/* Batches that one attempt writes, to one server. */
struct group {
	struct clickhouse *c;
	struct clickhouse_node *node;
	const struct batch **batches;
	size_t count;
	uint64_t attempt;
	struct clickhouse_rows *rows; /* of one table at a time */
	char *err;
	size_t errlen;
};

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

/* Frees sql. Leaves no rows. */
static int send_rows(struct group *g, char *sql)
{
	int error = sql ? 0 : -ENOMEM;

	if (!error && g->rows->count) {
		error = clickhouse_rows_end(g->rows);
		if (!error)
			error = clickhouse_insert(g->c, g->node, sql, g->rows, g->err, g->errlen);
	}
	clickhouse_rows_free(g->rows);
	free(sql);
	return error;
}

static int write_fact(struct group *g, enum store_fact fact)
{
	struct schema_column columns[SCHEMA_COLUMNS_MAX];
	size_t count = schema_fact_columns(fact, 60, columns);
	char table[64];
	int error = rows_of_group(g->batches, g->count, g->attempt, fact, clickhouse_rows_add, g->rows);

	snprintf(table, sizeof(table), "%s_minute", schema_fact(fact)->name);
	return error ? error : send_rows(g, insert_sql(table, columns, count));
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

static int write_names(struct group *g, enum schema_names which)
{
	const struct schema_table *t = schema_names(which);
	struct sieve s = { .c = g->c, .which = which, .rows = g->rows };
	char table[64];
	int error = 0;

	for (size_t i = 0; i < g->count && !error; i++) {
		s.last = 0;
		error = rows_of_names(g->batches[i], which, sift, &s);
	}
	snprintf(table, sizeof(table), "%s_rows", t->name);
	if (!error)
		error = send_rows(g, insert_sql(table, t->columns, t->count));
	if (!error)
		remember(&s);
	id_set_free(&s.fresh);
	return error;
}

/* Of those that nobody claims. */
static int write_rows(struct clickhouse *c, struct clickhouse_node *n, const struct claims *claims,
		      char *err, size_t errlen)
{
	struct group g = { .c = c, .node = n, .err = err, .errlen = errlen,
			   .attempt = claims->attempts[claims->attempt_count - 1] };
	int error = 0;

	g.batches = calloc(claims->count, sizeof(*g.batches));
	g.rows = calloc(1, sizeof(*g.rows));
	if (!g.batches || !g.rows)
		error = -ENOMEM;
	for (size_t i = 0; i < claims->count && !error; i++)
		if (claims->items[i].claim == CLAIM_NONE)
			g.batches[g.count++] = claims->items[i].batch;
	for (int which = 0; which < SCHEMA_NAMES && !error; which++)
		error = write_names(&g, which);
	for (int fact = 0; fact < STORE_FACTS && !error; fact++)
		error = write_fact(&g, fact);
	if (g.rows)
		clickhouse_rows_free(g.rows);
	free(g.rows);
	free(g.batches);
	return error;
}

/* ---- all of it ---- */

static size_t count_claims(const struct claims *claims, enum claim claim)
{
	size_t n = 0;

	for (size_t i = 0; i < claims->count; i++)
		n += claims->items[i].claim == claim;
	return n;
}

/* One attempt at what nobody has stored. 1: it was given up for another's sake. */
static int attempt(struct clickhouse *c, struct clickhouse_node *n, struct claims *claims, char *err,
		   size_t errlen)
{
	size_t count = count_claims(claims, CLAIM_NONE);
	int error = claims_new_attempt(claims);

	if (error == -EBUSY)
		snprintf(err, errlen, "ClickHouse at %s: others write the same batches all the time",
			 n->address.name);
	if (!error)
		error = write_rows(c, n, claims, err, errlen);
	if (!error)
		error = claims_make(c, n, claims, err, errlen);
	if (!error)
		error = claims_look(c, n, claims, err, errlen);
	if (!error)
		error = claims_wait(c, n, claims, err, errlen);
	if (!error && claims->made && count_claims(claims, CLAIM_NONE) == count)
		error = claims_commit(c, n, claims, err, errlen);
	else if (!error)
		error = 1;
	if ((error == 1 || error == -EBUSY) && !claims_committing(claims)) {
		int told = claims_give_up(c, n, claims, err, errlen);

		error = told ? told : error;
	}
	return error;
}

static int write_group(struct clickhouse *c, struct clickhouse_node *n, void *arg, char *err,
		       size_t errlen)
{
	struct claims *claims = arg;
	bool again = true;
	int error;

	do {
		claims->holding = false;
		error = claims_look(c, n, claims, err, errlen);
		if (!error)
			error = claims_wait(c, n, claims, err, errlen);
		if (!error && count_claims(claims, CLAIM_NONE))
			error = attempt(c, n, claims, err, errlen);
		/* The answer was lost, but perhaps nothing else. */
		if (error == -EAGAIN && claims_committing(claims) && again) {
			again = false;
			error = 1;
		}
	} while (error == 1);
	return error;
}

static void settle(struct clickhouse *c, const struct claims *claims, enum store_written *ret)
{
	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < claims->count; i++) {
		const struct claimed *item = &claims->items[i];
		bool fresh = item->claim != CLAIM_STORED;

		ret[item->index] = fresh ? STORE_NEW : STORE_DUPLICATE;
		c->batches += fresh;
		c->rows += fresh ? rows_count(item->batch) : 0;
	}
	pthread_mutex_unlock(&c->lock);
}

/* Sets aside those that are there before; the rest, in order. Returns how many. */
static size_t drop_twins(struct claimed *items, size_t n, enum store_written *ret)
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

static int write_shard(struct clickhouse *c, struct claimed *items, size_t count,
		       enum store_written *ret, char *err, size_t errlen)
{
	struct claims claims = { .items = items, .count = count };
	int error = clickhouse_each_node(c, c->cluster ? items->shard : 0, write_group, &claims, err,
					 errlen);

	/* What others may yet drop is not stored. */
	if (!error && count_claims(&claims, CLAIM_OTHERS))
		error = -EBUSY;
	if (!error)
		settle(c, &claims, ret);
	return error == -EBUSY ? -EAGAIN : error;
}

int clickhouse_write(struct store *s, const struct batch *const *batches, size_t n,
		     enum store_written *ret, char *err, size_t errlen)
{
	struct clickhouse *c = (struct clickhouse *)s;
	struct claimed *items = calloc(n, sizeof(*items));
	int error = 0;

	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		init_item(&items[i], batches[i], i, c->shard_count);
	qsort(items, n, sizeof(*items), by_shard_and_id);
	n = drop_twins(items, n, ret);
	for (size_t from = 0, to; from < n && !error; from = to) {
		for (to = from; to < n && items[to].shard == items[from].shard; to++)
			;
		error = write_shard(c, items + from, to - from, ret, err, errlen);
	}
	if (error == -ENOMEM)
		snprintf(err, errlen, "out of memory");
	free(items);
	return error;
}
