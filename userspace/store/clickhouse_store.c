/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/store/clickhouse.h"

static void close_store(struct store *s)
{
	struct clickhouse *c = (struct clickhouse *)s;

	for (size_t i = 0; i < c->node_count; i++)
		clickhouse_address_clear(&c->nodes[i].address);
	for (int i = 0; i < SCHEMA_NAMES; i++)
		id_set_free(&c->written[i]);
	clickhouse_http_free(c->http);
	pthread_mutex_destroy(&c->lock);
	free(c->nodes);
	free(c->database);
	free(c->own);
	free(c->cluster);
	free(c);
}

static int parse_nodes(struct clickhouse *c, const char *where, char *err, size_t errlen)
{
	size_t count = 1, length;
	int error;

	for (const char *at = where; *at; at++)
		count += *at == ',';
	c->nodes = calloc(count, sizeof(*c->nodes));
	if (!c->nodes)
		return -ENOMEM;
	for (const char *at = where; *at; at += length + (at[length] == ',')) {
		struct clickhouse_address *a = &c->nodes[c->node_count].address;

		length = strcspn(at, ",");
		error = clickhouse_address_parse(at, length, a, err, errlen);
		if (error)
			return error;
		c->node_count++;
		if (strcmp(a->database, c->nodes[0].address.database)) {
			snprintf(err, errlen, "%s: the servers of one store have databases of one "
				 "name", where);
			return -EINVAL;
		}
	}
	return 0;
}

static bool is_word(const char *text)
{
	for (const char *at = text; *at; at++)
		if (!isalnum((unsigned char)*at) && *at != '_')
			return false;
	return *text != '\0';
}

static int name_all(struct clickhouse *c, const struct store_options *o, char *err, size_t errlen)
{
	const char *database = c->nodes[0].address.database;

	c->minute_days = o && o->minute_days ? o->minute_days : 2;
	c->hour_days = o && o->hour_days ? o->hour_days : 90;
	c->day_days = o && o->day_days ? o->day_days : 800;
	c->ledger_days = o && o->ledger_days ? o->ledger_days : 8;
	if (o && o->cluster && !is_word(o->cluster)) {
		snprintf(err, errlen, "the name of a cluster is of letters, digits and underscores");
		return -EINVAL;
	}
	c->shard_count = 1;
	c->database = strdup(database);
	c->own = o && o->cluster ? clickhouse_sql("%s_shard", database) : strdup(database);
	if (o && o->cluster && !(c->cluster = strdup(o->cluster)))
		return -ENOMEM;
	return c->database && c->own ? 0 : -ENOMEM;
}

static int nothing(struct clickhouse *c, struct clickhouse_node *n, void *arg, char *err,
		   size_t errlen)
{
	return 0;
}

/* Servers that are away are asked again when they are wanted; one of each shard must not be. */
static int reach(struct clickhouse *c, char *err, size_t errlen)
{
	bool there[CLICKHOUSE_SHARDS_MAX + 1] = { false };
	bool all = true;
	char why[512] = "";
	int error;

	if (!c->cluster)
		return clickhouse_each_node(c, 0, nothing, NULL, err, errlen);
	for (size_t i = 0; i < c->node_count; i++) {
		error = clickhouse_prepare(c, &c->nodes[i], err, errlen);
		if (error && error != -EAGAIN)
			return error;
		if (error) {
			all = false;
			snprintf(why, sizeof(why), "%s", err);
		}
		there[c->nodes[i].shard] = !error || there[c->nodes[i].shard];
	}
	for (unsigned shard = 1; shard <= c->shard_count; shard++) {
		if (there[shard])
			continue;
		if (all)
			snprintf(err, errlen, "no URL is of shard %u of cluster %s: give one of each "
				 "of its %u shards", shard, c->cluster, c->shard_count);
		else
			snprintf(err, errlen, "%s", why);
		return all ? -EINVAL : -EAGAIN;
	}
	return 0;
}

static int open_store(const char *where, const struct store_options *o, struct store **ret,
		      char *err, size_t errlen)
{
	struct clickhouse *c = calloc(1, sizeof(*c));
	int error;

	if (!c)
		return -ENOMEM;
	c->store.engine = &clickhouse_engine;
	pthread_mutex_init(&c->lock, NULL);
	error = parse_nodes(c, where, err, errlen);
	if (!error)
		error = name_all(c, o, err, errlen);
	if (!error)
		error = clickhouse_http_new(o ? o->user : NULL, o ? o->password : NULL,
					    o ? o->ca : NULL, &c->http);
	if (!error)
		error = reach(c, err, errlen);
	if (error == -ENOMEM)
		snprintf(err, errlen, "out of memory");
	if (error) {
		close_store(&c->store);
		return error;
	}
	*ret = &c->store;
	return 0;
}

static int select_rows(struct store *s, const char *sql, uint64_t until_ns, store_row_fn row,
		       void *arg, char *err, size_t errlen)
{
	return clickhouse_ask_until((struct clickhouse *)s, sql, until_ns, row, arg, err, errlen);
}

/* Backslashes escape, also within what LIKE takes. */
static void quote(const struct store *s, FILE *out, const char *text)
{
	fputc('\'', out);
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('\'', out);
}

static int on_number(void *arg, const struct store_value *v, size_t count)
{
	*(uint64_t *)arg += v[0].u64;
	return 0;
}

static int status(struct store *s, struct store_status *ret, char *err, size_t errlen)
{
	struct clickhouse *c = (struct clickhouse *)s;
	char *sql = clickhouse_sql("SELECT sum(bytes_on_disk) FROM system.parts"
				   " WHERE database = '%s' AND active", c->own);
	struct store_status st = {};
	int error = sql ? 0 : -ENOMEM;

	for (unsigned shard = 1; shard <= c->shard_count && !error; shard++)
		error = clickhouse_ask(c, c->cluster ? shard : 0, c->own, sql, on_number,
				       &st.bytes, err, errlen);
	free(sql);
	if (!error)
		error = clickhouse_ask(c, 0, c->database,
				       "SELECT max(t) FROM rolled WHERE step = 3600", on_number,
				       &st.rolled_until_s, err, errlen);
	if (error)
		return error;
	if (st.rolled_until_s)
		st.rolled_until_s += 3600;
	pthread_mutex_lock(&c->lock);
	st.batches = c->batches;
	st.rows = c->rows;
	pthread_mutex_unlock(&c->lock);
	*ret = st;
	return 0;
}

const struct store_engine clickhouse_engine = {
	.open = open_store,
	.close = close_store,
	.write = clickhouse_write,
	.select = select_rows,
	.quote = quote,
	.buckets = clickhouse_buckets,
	.visible = clickhouse_visible,
	.maintain = clickhouse_maintain,
	.status = status,
};
