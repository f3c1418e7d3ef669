/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A store in ClickHouse; private to clickhouse_*.c.
 *
 * A server's own tables are in one database, DATABASE, or, where there is a cluster, in
 * DATABASE_shard on each shard, and DATABASE has Distributed tables of the same names: the
 * same SQL is for one shard or for all of them, by the database that it is said in.
 *
 * A batch lives on one shard, chosen by its id, with its entry in the ledger: what is visible
 * and what has to be added up anew is each shard's own business. Names are on the shard of
 * the batch that brought them, and often there more than once: "functions" is a view of
 * "functions_rows" that has each once.
 *
 * A group of batches is written by an attempt: see clickhouse_claims.h.
 */
#ifndef PYCOST_CLICKHOUSE_H
#define PYCOST_CLICKHOUSE_H

#include <pthread.h>
#include <time.h>

#include "userspace/store/clickhouse_http.h"
#include "userspace/store/clickhouse_rows.h"
#include "userspace/store/engine.h"
#include "userspace/store/id_set.h"
#include "userspace/store/schema.h"

#define CLICKHOUSE_SHARDS_MAX 1024

#define CLICKHOUSE_REPLICA_NAME 128

/* A server. shard: from 1 on; 0: not asked yet. */
struct clickhouse_node {
	struct clickhouse_address address;
	unsigned shard;
	bool replicated; /* its shard has another */
	bool ready;	 /* its tables are made */
	time_t away_since; /* by the monotonic clock; 0: it is there */
};

struct clickhouse {
	struct store store;
	struct clickhouse_http *http;
	char *database; /* that is asked */
	char *own;	/* that of a server's own tables; the same without a cluster */
	char *cluster;	/* NULL: none */
	struct clickhouse_node *nodes;
	size_t node_count;
	unsigned shard_count; /* 1 without a cluster */
	uint32_t minute_days, hour_days, day_days, ledger_days;

	pthread_mutex_t lock; /* of what follows, and of nodes but their address */
	struct id_set written[SCHEMA_NAMES];
	uint64_t batches, rows;
};

/*
 * One statement: at the shard (0: at any), in a database of the two, on the first node that
 * answers. row NULL: there is no answer, or it is not wanted.
 */
int clickhouse_ask(struct clickhouse *c, unsigned shard, const char *database, const char *sql,
		   store_row_fn row, void *arg, char *err, size_t errlen);
/* Of all shards, given up at that time of CLOCK_MONOTONIC: -ETIMEDOUT. 0: never. */
int clickhouse_ask_until(struct clickhouse *c, const char *sql, uint64_t until_ns, store_row_fn row,
			 void *arg, char *err, size_t errlen);
/* The same at one node. */
int clickhouse_ask_node(struct clickhouse *c, const struct clickhouse_node *n,
			const char *database, const char *sql, store_row_fn row, void *arg,
			char *err, size_t errlen);
/* -EAGAIN: it may be in, or not. */
int clickhouse_insert(struct clickhouse *c, const struct clickhouse_node *n, const char *sql,
		      const struct clickhouse_rows *rows, char *err, size_t errlen);

/*
 * Calls try(arg, node) with each node of a shard until one does not return -EAGAIN. Nodes
 * that were away when the store was opened are asked for their shard first.
 */
typedef int (*clickhouse_try_fn)(struct clickhouse *c, struct clickhouse_node *n, void *arg,
				 char *err, size_t errlen);
int clickhouse_each_node(struct clickhouse *c, unsigned shard, clickhouse_try_fn try, void *arg,
			 char *err, size_t errlen);

/* Finds its shard and makes its tables. */
int clickhouse_prepare(struct clickhouse *c, struct clickhouse_node *n, char *err, size_t errlen);

/* The statements that make a node's tables, one by one. Not 0 from take() ends it. */
typedef int (*clickhouse_statement_fn)(void *arg, const char *sql);
struct clickhouse_place {
	const char *database, *own, *cluster;
	unsigned shard;
	const char *replica; /* its name; NULL: its shard has no other */
};
/* What a partition of a table of that step spans, in seconds. */
uint32_t clickhouse_partition(uint32_t step_s);
int clickhouse_schema(const struct clickhouse_place *p, clickhouse_statement_fn take, void *arg);

int clickhouse_write(struct store *s, const struct batch *const *batches, size_t n,
		     enum store_written *ret, char *err, size_t errlen);
int clickhouse_buckets(struct store *s, uint64_t since, uint64_t until, struct store_buckets *ret,
		       char *err, size_t errlen);
void clickhouse_visible(struct store *s, uint64_t since, uint64_t until, FILE *out);
int clickhouse_maintain(struct store *s, uint64_t now_s, char *err, size_t errlen);

/* printf to a statement of its own; NULL without memory. free(). */
__attribute__((format(printf, 1, 2))) char *clickhouse_sql(const char *fmt, ...);

#endif
