/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which keys and values there are; and what was counted beside costs and requests. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "userspace/query/query_kind.h"

static int tag_row(void *arg, const struct store_value *v, size_t count)
{
	json_t *row = json_array();

	json_array_append_new(row, query_string(query_text(&v[0])));
	json_array_append_new(row, query_string(query_text(&v[1])));
	json_array_append_new(row, json_integer(query_u64(&v[2])));
	return query_row(arg, row);
}

/* Slices that have facts in the stretch. */
static void seen_write(const struct query_run *r, FILE *out)
{
	static const enum store_fact facts[] = { FACT_COSTS, FACT_REQUESTS, FACT_COUNTERS };
	const struct query_slices w = { 0 };

	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
		fputs(i ? " UNION ALL SELECT slice FROM " : "SELECT slice FROM ", out);
		query_sql_from(r, facts[i], &w, out);
		fputs(" GROUP BY slice", out);
	}
}

static void keys_write(const struct query_run *r, FILE *out)
{
	for (unsigned i = 0; i < r->q->by_count; i++) {
		fputs(i ? ", " : " AND key IN (", out);
		store_quote(r->store, out, r->q->by[i]);
	}
	fputs(r->q->by_count ? ")" : "", out);
}

int query_tags_run(struct query_run *r)
{
	struct query_sql sql;
	int err = query_column(r, "key", "text", QUERY_SHOWN);

	if (!err)
		err = query_column(r, "value", "text", QUERY_SHOWN);
	if (!err)
		err = query_column(r, "slices", "count", QUERY_SHOWN);
	if (!err)
		err = query_sql_begin(r, &sql);
	if (err)
		return err;
	fputs("SELECT key, value, count(*) AS slices FROM tags WHERE slice IN (", sql.out);
	fputs("SELECT slice FROM (", sql.out);
	seen_write(r, sql.out);
	fputs(") AS seen)", sql.out);
	keys_write(r, sql.out);
	fprintf(sql.out, " GROUP BY key, value ORDER BY %skey, value LIMIT %" PRIu32,
		strcmp(r->q->sort, "count") ? "" : "slices DESC, ", r->q->limit + 1);
	return query_sql_select(r, &sql, tag_row, r);
}

/* ---- counters ---- */

static const struct query_slices slices = { .keys = true, .metric = true };

static int counter_row(void *arg, const struct store_value *v, size_t count)
{
	struct query_run *r = arg;
	json_t *row = json_array();

	query_key_values(r, &slices, v, row);
	v += query_key_count(r, &slices);
	json_array_append_new(row, query_string(query_text(&v[0])));
	json_array_append_new(row, query_amount(query_f64(&v[1])));
	return query_row(r, row);
}

int query_counters_run(struct query_run *r)
{
	struct query_sql sql;
	int err = query_key_columns(r, &slices);

	if (!err)
		err = query_column(r, "counter", "text", QUERY_SHOWN);
	if (!err)
		err = query_column(r, "value", "number", QUERY_SHOWN);
	if (!err)
		err = query_sql_begin(r, &sql);
	if (err)
		return err;
	query_sql_sums(r, FACT_COUNTERS, &slices, "name", "sum(value) AS total", sql.out);
	fputs(" ORDER BY ", sql.out);
	fputs(strcmp(r->q->sort, "value") ? "" : "total DESC, ", sql.out);
	query_sql_keys(r, &slices, sql.out);
	fprintf(sql.out, "name LIMIT %" PRIu32, r->q->limit + 1);
	return query_sql_select(r, &sql, counter_row, r);
}
