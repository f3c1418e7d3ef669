/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Statements, and which server is asked. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "userspace/store/clickhouse_replica.h"

#define AWAY_S 15 /* that long others are asked first */

static int ask_until(struct clickhouse *c, const struct clickhouse_node *n, const char *database,
		     const char *sql, uint64_t until_ns, store_row_fn row, void *arg, char *err,
		     size_t errlen)
{
	struct clickhouse_answer *answer = NULL;
	struct clickhouse_call call = {
		.at = &n->address, .sql = sql, .database = database, .until_ns = until_ns,
	};
	int error;

	if (row) {
		answer = malloc(sizeof(*answer));
		if (!answer)
			return -ENOMEM;
		clickhouse_answer_init(answer, row, arg);
		call.take = clickhouse_answer_take;
		call.arg = answer;
	}
	error = clickhouse_call(c->http, &call, NULL, err, errlen);
	if (!error && answer)
		error = clickhouse_answer_end(answer);
	if (error == -EBADMSG)
		snprintf(err, errlen, "ClickHouse at %s: its answer is not what was asked for",
			 n->address.name);
	if (answer)
		clickhouse_answer_free(answer);
	free(answer);
	return error;
}

int clickhouse_ask_node(struct clickhouse *c, const struct clickhouse_node *n,
			const char *database, const char *sql, store_row_fn row, void *arg,
			char *err, size_t errlen)
{
	return ask_until(c, n, database, sql, 0, row, arg, err, errlen);
}

int clickhouse_insert(struct clickhouse *c, const struct clickhouse_node *n, const char *sql,
		      const struct clickhouse_rows *rows, char *err, size_t errlen)
{
	struct clickhouse_call call = {
		.at = &n->address, .sql = sql, .database = c->own,
		.rows = rows->bytes, .row_bytes = rows->size,
	};

	return clickhouse_call(c->http, &call, NULL, err, errlen);
}

struct finding {
	unsigned shard, replicas, shards;
};

static int on_place(void *arg, const struct store_value *v, size_t count)
{
	struct finding *f = arg;

	if (v[0].u64 > f->shards)
		f->shards = v[0].u64 < CLICKHOUSE_SHARDS_MAX ? (unsigned)v[0].u64 :
							       CLICKHOUSE_SHARDS_MAX + 1;
	if (f->shard || !v[2].u64)
		return 0;
	f->shard = (unsigned)v[0].u64;
	f->replicas = (unsigned)v[1].u64;
	return 0;
}

/* Which shard of the cluster it is, as it says itself: 18.16 says that of all its replicas. */
static int find_place(struct clickhouse *c, struct clickhouse_node *n, char *err, size_t errlen)
{
	struct finding f = {};
	char *sql = clickhouse_sql("SELECT shard_num, count(*), max(is_local) FROM system.clusters"
				   " WHERE cluster = '%s' GROUP BY shard_num", c->cluster);
	int error = sql ? clickhouse_ask_node(c, n, "system", sql, on_place, &f, err, errlen) :
			  -ENOMEM;

	free(sql);
	if (error)
		return error;
	if (!f.shard || f.shards > CLICKHOUSE_SHARDS_MAX) {
		snprintf(err, errlen, f.shard ? "ClickHouse at %s: cluster %s has too many shards" :
			 "ClickHouse at %s is in no shard of a cluster %s: see its system.clusters",
			 n->address.name, c->cluster);
		return -EINVAL;
	}
	pthread_mutex_lock(&c->lock);
	n->shard = f.shard;
	n->replicated = f.replicas > 1;
	if (f.shards > c->shard_count)
		c->shard_count = f.shards;
	pthread_mutex_unlock(&c->lock);
	return 0;
}

struct making {
	struct clickhouse *c;
	struct clickhouse_node *n;
	char *err;
	size_t errlen;
};

/* In a database that is there: the store's own may be made by this. */
static int make(void *arg, const char *sql)
{
	struct making *m = arg;

	return clickhouse_ask_node(m->c, m->n, "system", sql, NULL, NULL, m->err, m->errlen);
}

static int on_version(void *arg, const struct store_value *v, size_t count)
{
	*(uint64_t *)arg = v[0].u64;
	return 0;
}

static int check_version(struct clickhouse *c, struct clickhouse_node *n, char *err, size_t errlen)
{
	uint64_t version = 0;
	char insert[64];
	int error = clickhouse_ask_node(c, n, c->own, "SELECT max(version) FROM versions",
					on_version, &version, err, errlen);

	snprintf(insert, sizeof(insert), "INSERT INTO versions VALUES (%u)", SCHEMA_VERSION);
	if (!error && !version)
		return clickhouse_ask_node(c, n, c->own, insert, NULL, NULL, err, errlen);
	if (!error && version != SCHEMA_VERSION) {
		snprintf(err, errlen, "ClickHouse at %s: database %s is of version %u of the "
			 "tables, and this pycost knows %u: use another database",
			 n->address.name, c->own, (unsigned)version, SCHEMA_VERSION);
		return -EINVAL;
	}
	return error;
}

int clickhouse_prepare(struct clickhouse *c, struct clickhouse_node *n, char *err, size_t errlen)
{
	struct making m = { c, n, err, errlen };
	struct clickhouse_place p = { .database = c->database, .own = c->own, .cluster = c->cluster };
	char name[CLICKHOUSE_REPLICA_NAME];
	int error = c->cluster && !n->shard ? find_place(c, n, err, errlen) : 0;

	if (error)
		return error;
	p.shard = n->shard;
	if (n->replicated)
		p.replica = name;
	error = n->replicated ? clickhouse_replica_name(c, n, name, err, errlen) : 0;
	if (!error)
		error = clickhouse_schema(&p, make, &m);
	if (!error)
		error = check_version(c, n, err, errlen);
	if (!error) {
		pthread_mutex_lock(&c->lock);
		n->ready = true;
		pthread_mutex_unlock(&c->lock);
	}
	return error;
}

static time_t now_monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* Makes its tables first, where that was not to be had before. */
static int attempt(struct clickhouse *c, unsigned shard, struct clickhouse_node *n,
		   clickhouse_try_fn try, void *arg, char *err, size_t errlen)
{
	bool ready;
	int error;

	pthread_mutex_lock(&c->lock);
	ready = n->ready;
	pthread_mutex_unlock(&c->lock);
	error = ready ? 0 : clickhouse_prepare(c, n, err, errlen);
	if (!error && c->cluster && shard && n->shard != shard)
		return -ESRCH;
	if (!error)
		error = try(c, n, arg, err, errlen);
	pthread_mutex_lock(&c->lock);
	n->away_since = error == -EAGAIN ? now_monotonic() : 0;
	pthread_mutex_unlock(&c->lock);
	return error;
}

int clickhouse_each_node(struct clickhouse *c, unsigned shard, clickhouse_try_fn try, void *arg,
			 char *err, size_t errlen)
{
	int error;

	snprintf(err, errlen, "no server of shard %u of ClickHouse is known", shard);
	/* Those that were there lately, then the others. */
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < c->node_count; i++) {
			struct clickhouse_node *n = &c->nodes[i];
			unsigned of;
			bool away;

			pthread_mutex_lock(&c->lock);
			of = n->shard;
			away = !n->ready ||
			       (n->away_since && now_monotonic() - n->away_since < AWAY_S);
			pthread_mutex_unlock(&c->lock);
			if (away != (pass == 1) || (shard && of && of != shard))
				continue;
			error = attempt(c, shard, n, try, arg, err, errlen);
			if (error != -EAGAIN && error != -ESRCH)
				return error;
		}
	return -EAGAIN;
}

struct asking {
	const char *database, *sql;
	uint64_t until_ns;
	store_row_fn row;
	void *arg;
};

static int ask(struct clickhouse *c, struct clickhouse_node *n, void *arg, char *err, size_t errlen)
{
	struct asking *a = arg;

	return ask_until(c, n, a->database, a->sql, a->until_ns, a->row, a->arg, err, errlen);
}

int clickhouse_ask(struct clickhouse *c, unsigned shard, const char *database, const char *sql,
		   store_row_fn row, void *arg, char *err, size_t errlen)
{
	struct asking a = { database, sql, 0, row, arg };

	return clickhouse_each_node(c, shard, ask, &a, err, errlen);
}

int clickhouse_ask_until(struct clickhouse *c, const char *sql, uint64_t until_ns, store_row_fn row,
			 void *arg, char *err, size_t errlen)
{
	struct asking a = { c->database, sql, until_ns, row, arg };

	return clickhouse_each_node(c, 0, ask, &a, err, errlen);
}
