/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows as JSON. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/query/query_run.h"
#include "userspace/text.h"

int query_column(struct query_run *r, const char *name, const char *unit, enum query_column_use use)
{
	json_t *column = json_pack("{s:o, s:s}", "name", query_string(name), "unit", unit);

	if (column && use == QUERY_DETAIL)
		json_object_set_new(column, "detail", json_true());
	if (column && use == QUERY_ERROR)
		json_object_set_new(column, "error", json_true());
	return json_array_append_new(r->columns, column) ? -ENOMEM : 0;
}

unsigned query_key_count(const struct query_run *r, const struct query_slices *w)
{
	return (w->keys ? r->q->by_count : 0) + w->metric + w->mode;
}

int query_key_columns(struct query_run *r, const struct query_slices *w)
{
	int err = 0;

	for (unsigned i = 0; !err && w->keys && i < r->q->by_count; i++)
		err = query_column(r, r->q->by[i], "text", QUERY_SHOWN);
	if (!err && w->metric)
		err = query_column(r, TAG_KEY_METRIC, "text", QUERY_SHOWN);
	if (!err && w->mode)
		err = query_column(r, TAG_KEY_MODE, "text", QUERY_SHOWN);
	return err;
}

void query_key_values(const struct query_run *r, const struct query_slices *w,
		      const struct store_value *values, json_t *row)
{
	for (unsigned i = 0; i < query_key_count(r, w); i++)
		json_array_append_new(row, query_string(query_text(&values[i])));
}

json_t *query_amount(double value)
{
	if (!isfinite(value))
		return json_null();
	return value == floor(value) && fabs(value) < 0x1p53 ? json_integer((json_int_t)value)
							      : json_real(value);
}

json_t *query_string(const char *text)
{
	char *repaired = malloc(text_repair(NULL, text));
	json_t *json;

	if (!repaired)
		return NULL;
	text_repair(repaired, text);
	json = json_string(repaired);
	free(repaired);
	return json;
}

int query_row(struct query_run *r, json_t *row)
{
	return json_array_append_new(r->rows, row) ? QUERY_FAIL(r, -ENOMEM, "no memory") : 0;
}

struct totals {
	struct query_run *run;
	struct query_total *list;
	size_t count;
};

static int total_row(void *arg, const struct store_value *v, size_t count)
{
	struct totals *t = arg;
	struct query_total *total = &t->list[t->count];

	if (t->count == QUERY_PAIRS_MAX)
		return QUERY_FAIL(t->run, -E2BIG, "more metrics and modes than there are");
	*total = (struct query_total){ .self = query_f64(&v[2]), .calls = query_u64(&v[3]),
				       .samples = query_u64(&v[4]) };
	snprintf(total->pair.metric, sizeof(total->pair.metric), "%s", query_text(&v[0]));
	snprintf(total->pair.mode, sizeof(total->pair.mode), "%s", query_text(&v[1]));
	t->count++;
	return 0;
}

static json_t *total_json(const struct query_total *t)
{
	return json_pack("{s:o, s:o, s:o, s:I, s:I}", "metric",
			 query_string(t->pair.metric), "mode", query_string(t->pair.mode), "self",
			 query_amount(t->self), "calls", (json_int_t)t->calls, "samples",
			 (json_int_t)t->samples);
}

int query_totals(struct query_run *r, enum store_fact fact, struct query_total ret[QUERY_PAIRS_MAX],
		 size_t *ret_count)
{
	const struct query_slices w = { .metric = true, .mode = true };
	struct totals totals = { r, ret };
	json_t *list = json_array();
	struct query_sql sql;
	int err = query_sql_begin(r, &sql);

	if (!err) {
		fputs("SELECT metric, mode, sum(x_self), sum(x_calls), sum(x_samples) FROM (SELECT slice, "
		      "sum(self) AS x_self, sum(calls) AS x_calls, sum(samples) AS x_samples FROM ",
		      sql.out);
		store_from(r->store, &r->source, fact, sql.out);
		fputs(" AS facts GROUP BY slice)", sql.out);
		query_sql_slices(r, &w, sql.out);
		fputs(" GROUP BY metric, mode ORDER BY metric, mode", sql.out);
		err = query_sql_select(r, &sql, total_row, &totals);
	}
	for (size_t i = 0; !err && i < totals.count; i++)
		if (json_array_append_new(list, total_json(&ret[i])))
			err = -ENOMEM;
	if (!err && json_object_set(r->answer, "totals", list))
		err = -ENOMEM;
	json_decref(list);
	*ret_count = totals.count;
	return err;
}
