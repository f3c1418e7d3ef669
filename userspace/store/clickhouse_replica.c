/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "userspace/clock.h"
#include "userspace/store/clickhouse_replica.h"

#define PATIENCE_NS 4000000000ull
#define POLL_MS 10

struct progress {
	uint64_t logged;  /* the last entry of the log; UINT64_MAX: there is none */
	uint64_t pointer; /* the first that is not in the replica's queue */
	uint64_t queued;  /* the last of the queue's whose rows are to be fetched, + 1; 0: none */
};

enum kind { LOGGED = 1, POINTER, QUEUED };

/* "log-0000000012", "queue-0000000012", "12" */
static uint64_t number_of(const char *text)
{
	const char *dash = strrchr(text, '-');

	return strtoull(dash ? dash + 1 : text, NULL, 10);
}

static int on_row(void *arg, const struct store_value *v, size_t count)
{
	struct progress *p = arg;

	switch (v[0].u64) {
	case LOGGED:
		p->logged = *v[1].text ? number_of(v[1].text) : UINT64_MAX;
		break;
	case POINTER:
		p->pointer = number_of(v[1].text);
		break;
	case QUEUED:
		p->queued = *v[1].text ? number_of(v[1].text) + 1 : 0;
	}
	return 0;
}

/* Of a node, and where ZooKeeper has it: all of it, and the node's. */
struct table {
	struct clickhouse *c;
	const struct clickhouse_node *n;
	char path[256], replica[256 + CLICKHOUSE_REPLICA_NAME];
	char *err;
	size_t errlen;
};

/* Frees sql. */
static int look(const struct table *t, char *sql, struct progress *ret)
{
	int error = sql ? clickhouse_ask_node(t->c, t->n, "system", sql, on_row, ret, t->err,
					      t->errlen) : -ENOMEM;

	free(sql);
	return error;
}

static int look_at_log(const struct table *t, struct progress *ret)
{
	return look(t, clickhouse_sql(
		"SELECT %d AS kind, max(name) AS at FROM zookeeper WHERE path = '%s/log'"
		" UNION ALL SELECT %d AS kind, value AS at FROM zookeeper"
		" WHERE path = '%s' AND name = 'log_pointer'",
		LOGGED, t->path, POINTER, t->replica), ret);
}

/*
 * Those that are not older than what is waited for do not matter. An entry stays until it is
 * done; other kinds than this one (ReplicatedMergeTreeLogEntry.cpp: "get", and "attach" of
 * later versions) bring no rows that were not there before.
 */
static int look_at_queue(const struct table *t, uint64_t end, struct progress *ret)
{
	return look(t, clickhouse_sql(
		"SELECT %d AS kind, max(name) AS at FROM zookeeper WHERE path = '%s/queue'"
		" AND name < 'queue-%010" PRIu64 "' AND match(value, '\\n(get|attach)\\n')",
		QUEUED, t->replica, end), ret);
}

static bool again(uint64_t until)
{
	static const struct timespec poll = { .tv_nsec = POLL_MS * 1000000L };

	if (clock_ns() > until)
		return false;
	nanosleep(&poll, NULL);
	return true;
}

/* First that the replica knows of all entries, then that it has what they are of. */
static int wait_for(const struct table *t)
{
	uint64_t until = clock_ns() + PATIENCE_NS, target, end = 9999999999;
	struct progress p = {};
	int error = look_at_log(t, &p);

	for (target = p.logged; !error && target != UINT64_MAX && p.pointer <= target;) {
		if (!again(until))
			return -ETIME;
		error = look_at_log(t, &p);
	}
	while (!error) {
		error = look_at_queue(t, end, &p);
		if (error || !p.queued)
			break;
		end = p.queued;
		if (!again(until))
			return -ETIME;
	}
	return error;
}

static int on_place(void *arg, const struct store_value *v, size_t count)
{
	struct table *t = arg;

	snprintf(t->path, sizeof(t->path), "%s", v[0].text);
	snprintf(t->replica, sizeof(t->replica), "%s", v[1].text);
	return 0;
}

static int find(struct table *t, const char *name)
{
	char *sql = clickhouse_sql("SELECT zookeeper_path, replica_path FROM replicas WHERE database ="
				   " '%s' AND table = '%s'", t->c->own, name);
	int error = sql ? clickhouse_ask_node(t->c, t->n, "system", sql, on_place, t, t->err,
					      t->errlen) : -ENOMEM;

	free(sql);
	if (error || *t->replica)
		return error;
	snprintf(t->err, t->errlen, "ClickHouse at %s: its shard has replicas, but table %s.%s is not "
		 "replicated: it was made before; use another database", t->n->address.name, t->c->own,
		 name);
	return -EINVAL;
}

int clickhouse_catch_up(struct clickhouse *c, const struct clickhouse_node *n, const char *table,
			char *err, size_t errlen)
{
	struct table t = { .c = c, .n = n, .err = err, .errlen = errlen };
	int error;

	if (!n->replicated)
		return 0;
	error = find(&t, table);
	if (!error)
		error = wait_for(&t);
	if (error != -ETIME)
		return error;
	snprintf(err, errlen, "ClickHouse at %s has not got what another replica of its shard has "
		 "of %s: is that away?", n->address.name, table);
	return -EAGAIN;
}

/* ---- names ---- */

static int on_name(void *arg, const struct store_value *v, size_t count)
{
	snprintf(arg, CLICKHOUSE_REPLICA_NAME, "%s", v[0].text);
	return 0;
}

int clickhouse_replica_name(struct clickhouse *c, const struct clickhouse_node *n,
			    char ret[CLICKHOUSE_REPLICA_NAME], char *err, size_t errlen)
{
	char *sql = clickhouse_sql("SELECT max(replica_name) FROM replicas WHERE database = '%s'",
				   c->own);
	uint32_t unique;
	size_t end;
	int error;

	*ret = '\0';
	error = sql ? clickhouse_ask_node(c, n, "system", sql, on_name, ret, err, errlen) : -ENOMEM;
	free(sql);
	if (error || *ret)
		return error;
	error = clickhouse_ask_node(c, n, "system", "SELECT hostName()", on_name, ret, err, errlen);
	if (error)
		return error;
	for (char *at = ret; *at; at++) /* it becomes part of a statement, and of a path */
		if (!isalnum((unsigned char)*at) && *at != '.')
			*at = '-';
	if (getrandom(&unique, sizeof(unique), 0) != sizeof(unique))
		return -EIO;
	end = strnlen(ret, CLICKHOUSE_REPLICA_NAME - 16);
	snprintf(ret + end, CLICKHOUSE_REPLICA_NAME - end, "-%08" PRIx32, unique);
	return 0;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int clickhouse_is_first(struct clickhouse *c, const struct clickhouse_node *n, char *err,
			size_t errlen)
{
	struct table t = { .c = c, .n = n, .err = err, .errlen = errlen };
	char first[CLICKHOUSE_REPLICA_NAME] = "", *sql;
	int error;

	if (!n->replicated)
		return 0;
	error = find(&t, "attempts");
	if (error)
		return error;
	sql = clickhouse_sql("SELECT name FROM zookeeper WHERE path = '%s/replicas'"
			     " ORDER BY czxid LIMIT 1", t.path);
	error = sql ? clickhouse_ask_node(c, n, "system", sql, on_name, first, err, errlen) : -ENOMEM;
	free(sql);
	if (error || !strcmp(base_of(t.replica), first))
		return error;
	snprintf(err, errlen, "hours and days are made at %s, the first replica of the shard of "
		 "ClickHouse at %s: is that away, or its URL not given?", first, n->address.name);
	return -ESRCH;
}
