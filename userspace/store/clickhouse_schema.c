/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables, in the words of 18.16 that are still understood. Minutes are partitioned by the
 * hour, hours by the day, days by 32 of them: partitions are what is made anew and dropped,
 * and there must not be thousands of them.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/store/clickhouse_maintain.h"

static const struct schema_types types = {
	.names = { [STORE_U64] = "UInt64", [STORE_F64] = "Float64", [STORE_TEXT] = "String" },
};

struct writing {
	const struct clickhouse_place *place;
	clickhouse_statement_fn take;
	void *arg;
};

/* Times are the server's, so that all of it is by one clock. */
#define SERVER_TIME "UInt64 DEFAULT toUInt64(toUnixTimestamp(now()))"
#define LEDGER_COLUMNS "(batch String, attempt UInt64, made " SERVER_TIME ")"
#define ATTEMPTS_COLUMNS "(attempt UInt64, hour UInt64, state UInt64, made " SERVER_TIME ")"
#define ROLLED_COLUMNS "(step UInt64, t UInt64, shard UInt64, attempts UInt64, made UInt64)"
#define KEPT_COLUMNS "(step UInt64, since UInt64, made UInt64)"
#define VERSION_COLUMNS "(version UInt64)"

char *clickhouse_sql(const char *fmt, ...)
{
	va_list ap;
	char *ret;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&ret, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : ret;
}

/* Frees it. */
static int give(struct writing *w, char *sql)
{
	int err = sql ? w->take(w->arg, sql) : -ENOMEM;

	free(sql);
	return err;
}

/* Of an open_memstream(). */
static char *closed(FILE *out, char **text)
{
	if (fclose(out)) {
		free(*text);
		return NULL;
	}
	return *text;
}

/* kind: "" or "Replacing". */
static void write_engine(const struct clickhouse_place *p, const char *kind, const char *table,
			 FILE *out)
{
	if (p->replica)
		fprintf(out,
			" ENGINE = Replicated%sMergeTree('/clickhouse/pycost/%s/%u/%s/%s', '%s')", kind, p->cluster, p->shard, p->own, table, p->replica);
	else
		fprintf(out, " ENGINE = %sMergeTree", kind);
}

/*
 * A server that was killed may have parts on disk that never were in ZooKeeper, and it refuses
 * to start when they are half of a table (StorageReplicatedMergeTree::checkParts()), as of a
 * small or young table they are. They are set aside, which is all that can be done.
 */
static void write_settings(const struct clickhouse_place *p, const char *also, FILE *out)
{
	static const char any[] = "replicated_max_ratio_of_wrong_parts = 1";

	if (p->replica || also)
		fprintf(out, " SETTINGS %s%s%s", also ? also : "", also && p->replica ? ", " : "",
			p->replica ? any : "");
}

static int distribute(struct writing *w, const char *table)
{
	const struct clickhouse_place *p = w->place;

	if (!p->cluster)
		return 0;
	return give(w, clickhouse_sql("CREATE TABLE IF NOT EXISTS %s.%s AS %s.%s"
				      " ENGINE = Distributed(%s, %s, %s)",
				      p->database, table, p->own, table, p->cluster, p->own, table));
}

/* With what is asked for first in front: minutes come a sender at a time, sums per function. */
static void write_order(const struct schema_table *t, uint32_t step_s, FILE *out)
{
	fputs(step_s == 60 ? " ORDER BY (fleet, slice, t" : " ORDER BY (slice", out);
	for (size_t i = 0; i < t->count; i++)
		if (t->columns[i].role == COLUMN_KEY)
			fprintf(out, ", %s", t->columns[i].name);
	fputs(step_s == 60 ? ")" : ", t)", out);
}

static int write_fact(struct writing *w, enum store_fact fact, uint32_t step_s)
{
	const struct schema_table *t = schema_fact(fact);
	struct schema_column columns[SCHEMA_COLUMNS_MAX];
	size_t size, count = schema_fact_columns(fact, step_s, columns);
	char *text = NULL, name[64];
	FILE *out = open_memstream(&text, &size);
	int err;

	if (!out)
		return -ENOMEM;
	snprintf(name, sizeof(name), "%s_%s", t->name, schema_step_name(step_s));
	fprintf(out, "CREATE TABLE IF NOT EXISTS %s.%s ", w->place->own, name);
	schema_write_columns(columns, count, &types, out);
	write_engine(w->place, "", name, out);
	fprintf(out, " PARTITION BY intDiv(t, %u)", clickhouse_partition(step_s));
	write_order(t, step_s, out);
	write_settings(w->place, NULL, out);
	err = give(w, closed(out, &text));
	return err ? err : distribute(w, name);
}

char *clickhouse_next_sql(const char *own, enum store_fact fact, uint32_t step_s, const char *name)
{
	const struct schema_table *t = schema_fact(fact);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "CREATE TABLE %s.%s AS %s.%s_%s ENGINE = MergeTree PARTITION BY intDiv(t, %u)",
		own, name, own, t->name, schema_step_name(step_s), clickhouse_partition(step_s));
	write_order(t, step_s, out);
	return closed(out, &text);
}

uint32_t clickhouse_partition(uint32_t step_s)
{
	return step_s == 60 ? 3600 : step_s == 3600 ? 86400 : 32 * 86400;
}

/* Ids are hashes of what they name: any row of an id is the row. */
static int write_view(struct writing *w, const struct schema_table *t, size_t keys)
{
	const char *database = w->place->database;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return -ENOMEM;
	fprintf(out, "CREATE VIEW IF NOT EXISTS %s.%s AS SELECT ", database, t->name);
	for (size_t i = 0; i < t->count; i++)
		fprintf(out, i < keys ? "%s%s" : "%sany(%s) AS %s", i ? ", " : "",
			t->columns[i].name, t->columns[i].name);
	fprintf(out, " FROM %s.%s_rows GROUP BY ", database, t->name);
	for (size_t i = 0; i < keys; i++)
		fprintf(out, "%s%s", i ? ", " : "", t->columns[i].name);
	return give(w, closed(out, &text));
}

static int write_names(struct writing *w, enum schema_names which)
{
	const struct schema_table *t = schema_names(which);
	size_t size, keys = which == NAMES_TAGS ? 2 : 1;
	char *text = NULL, name[64];
	FILE *out = open_memstream(&text, &size);
	int err;

	if (!out)
		return -ENOMEM;
	snprintf(name, sizeof(name), "%s_rows", t->name);
	fprintf(out, "CREATE TABLE IF NOT EXISTS %s.%s ", w->place->own, name);
	schema_write_columns(t->columns, t->count, &types, out);
	write_engine(w->place, "Replacing", name, out);
	fprintf(out, keys == 2 ? " ORDER BY (%s, %s)" : " ORDER BY %s", t->columns[0].name,
		t->columns[1].name);
	write_settings(w->place, NULL, out);
	err = give(w, closed(out, &text));
	if (!err)
		err = distribute(w, name);
	return err ? err : write_view(w, t, keys);
}

/* What is not asked for by others. */
static int write_book(struct writing *w, const char *name, const char *columns, const char *rest,
		      const char *settings)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int err;

	if (!out)
		return -ENOMEM;
	fprintf(out, "CREATE TABLE IF NOT EXISTS %s.%s %s", w->place->own, name, columns);
	write_engine(w->place, "", name, out);
	fputs(rest, out);
	write_settings(w->place, settings, out);
	err = give(w, closed(out, &text));
	return err ? err : distribute(w, name);
}

static int write_books(struct writing *w)
{
	int err = write_book(w, "versions", VERSION_COLUMNS, " ORDER BY version", NULL);

	if (!err)
		err = write_book(w, "kept", KEPT_COLUMNS, " ORDER BY (step, since)", NULL);
	if (!err)
		err = write_book(w, "rolled", ROLLED_COLUMNS,
				 " PARTITION BY intDiv(t, 2764800) ORDER BY (step, t)", NULL);
	/* Batches are looked for by their ids, some at a time: by small granules. */
	if (!err)
		err = write_book(w, "ledger", LEDGER_COLUMNS,
				 " PARTITION BY intDiv(made, 86400) ORDER BY batch",
				 "index_granularity = 256");
	if (!err)
		err = write_book(w, "attempts", ATTEMPTS_COLUMNS,
				 " PARTITION BY intDiv(made, 86400) ORDER BY (hour, attempt)", NULL);
	return err;
}

int clickhouse_schema(const struct clickhouse_place *p, clickhouse_statement_fn take, void *arg)
{
	static const uint32_t steps[] = { 60, 3600, 86400 };
	struct writing w = { p, take, arg };
	int err = give(&w, clickhouse_sql("CREATE DATABASE IF NOT EXISTS %s", p->database));

	if (!err && p->cluster)
		err = give(&w, clickhouse_sql("CREATE DATABASE IF NOT EXISTS %s", p->own));
	for (int fact = 0; fact < STORE_FACTS; fact++)
		for (size_t i = 0; i < 3 && !err; i++)
			err = write_fact(&w, fact, steps[i]);
	for (int which = 0; which < SCHEMA_NAMES && !err; which++)
		err = write_names(&w, which);
	return err ? err : write_books(&w);
}
