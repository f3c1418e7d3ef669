/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The most expensive functions.
 *
 * A function is known by what it is called, as its line and its directory change from one
 * version to the next; they are told where they are the same in all that was added up.
 * Each metric and mode is asked for apart, so that the limit holds for each.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "userspace/query/query_kind.h"
#include "userspace/query/query_run.h"

struct functions {
	struct query_run *run;
	const struct query_slices *slices;
	const struct query_total *total;
	size_t rows;
};

static int columns_add(struct query_run *r, const struct query_slices *w)
{
	static const struct {
		const char *name, *unit;
		enum query_column_use use;
	} columns[] = {
		{ TAG_KEY_METRIC, "text", QUERY_SHOWN },
		{ TAG_KEY_MODE, "text", QUERY_SHOWN },
		{ "function", "text", QUERY_SHOWN },
		{ "file", "text", QUERY_DETAIL },
		{ "line", "line", QUERY_DETAIL },
		{ "calls", "count", QUERY_SHOWN },
		{ "samples", "count", QUERY_SHOWN },
		{ "self", "cost", QUERY_SHOWN },
		{ "self_error", "cost", QUERY_ERROR },
		{ "self_share", "percent", QUERY_SHOWN },
		{ "cumulative", "cost", QUERY_SHOWN },
		{ "cumulative_error", "cost", QUERY_ERROR },
		{ "cumulative_share", "percent", QUERY_SHOWN },
		{ "minutes", "count", QUERY_DETAIL },
		{ "self_deviation", "cost", QUERY_DETAIL },
		{ "cumulative_deviation", "cost", QUERY_DETAIL },
	};
	int err = query_key_columns(r, w);

	for (size_t i = 0; !err && i < sizeof(columns) / sizeof(*columns); i++)
		err = query_column(r, columns[i].name, columns[i].unit, columns[i].use);
	return err;
}

static json_t *share(const struct functions *f, double cost)
{
	return f->total->self > 0 ? json_real(100 * cost / f->total->self) : json_null();
}

/* Of what it came to in each of the hosts' minutes in which it was seen. */
static json_t *deviation(double minutes, double sum, double squares)
{
	if (minutes < 2)
		return json_null();
	return query_amount(sqrt(fmax((squares - sum * sum / minutes) / (minutes - 1), 0)));
}

/* Keys, then the columns of query_write(). */
static int function_row(void *arg, const struct store_value *v, size_t count)
{
	struct functions *f = arg;
	struct query_run *r = f->run;
	json_t *row = json_array();
	double self, cumulative;

	if (f->rows++ == r->q->limit) {
		json_decref(row);
		return json_object_set_new(r->answer, "truncated", json_true()) ? -ENOMEM : 0;
	}
	query_key_values(r, f->slices, v, row);
	v += query_key_count(r, f->slices);
	self = query_f64(&v[3]);
	cumulative = query_f64(&v[5]);
	json_array_append_new(row, query_string(f->total->pair.metric));
	json_array_append_new(row, query_string(f->total->pair.mode));
	json_array_append_new(row, query_string(query_text(&v[0])));
	json_array_append_new(row, query_string(strcmp(query_text(&v[10]), query_text(&v[11]))
							? ""
							: query_text(&v[10])));
	json_array_append_new(row, query_u64(&v[12]) == query_u64(&v[13])
					   ? json_integer(query_u64(&v[12]))
					   : json_null());
	json_array_append_new(row, json_integer(query_u64(&v[1])));
	json_array_append_new(row, json_integer(query_u64(&v[2])));
	json_array_append_new(row, query_amount(self));
	json_array_append_new(row, query_amount(sqrt(fmax(query_f64(&v[4]), 0))));
	json_array_append_new(row, share(f, self));
	json_array_append_new(row, query_amount(cumulative));
	json_array_append_new(row, query_amount(sqrt(fmax(query_f64(&v[6]), 0))));
	json_array_append_new(row, share(f, cumulative));
	json_array_append_new(row, json_integer(query_u64(&v[7])));
	json_array_append_new(row, deviation(query_f64(&v[7]), self, query_f64(&v[8])));
	json_array_append_new(row, deviation(query_f64(&v[7]), cumulative, query_f64(&v[9])));
	return query_row(r, row);
}

/* What is outside of all functions, or whose name has not arrived, has no row of names. */
static void display_write(FILE *out)
{
	fputs("CASE WHEN function = 0 THEN '" QUERY_OUTSIDE "' WHEN display <> '' THEN display ELSE '"
	      QUERY_UNNAMED "' END AS shown", out);
}

static void query_write(const struct query_run *r, const struct query_slices *w, FILE *out)
{
	bool by_name = !strcmp(r->q->sort, "name"), all = !*r->q->function;

	fputs("SELECT ", out);
	query_sql_keys(r, w, out);
	fputs("shown, sum(x_calls) AS all_calls, sum(x_samples) AS all_samples, sum(x_self) AS "
	      "all_self, sum(x_self_variance), sum(x_cumulative) AS all_cumulative, "
	      "sum(x_cumulative_variance), sum(x_minutes), sum(x_self_squares), "
	      "sum(x_cumulative_squares), min(file), max(file), "
	      "min(line), max(line) FROM (SELECT ", out);
	query_sql_keys(r, w, out);
	display_write(out);
	fputs(", x_calls, x_samples, x_self, x_self_variance, x_cumulative, x_cumulative_variance, "
	      "x_minutes, x_self_squares, x_cumulative_squares, file, line FROM (SELECT ", out);
	query_sql_keys(r, w, out);
	fputs("function, sum(calls) AS x_calls, sum(samples) AS x_samples, sum(self) AS x_self, "
	      "sum(self_variance) AS x_self_variance, sum(cumulative) AS x_cumulative, "
	      "sum(cumulative_variance) AS x_cumulative_variance, sum(minutes) AS x_minutes, "
	      "sum(self_squares) AS x_self_squares, sum(cumulative_squares) AS x_cumulative_squares "
	      "FROM ", out);
	query_sql_from(r, FACT_COSTS, w, out);
	fputs(" GROUP BY ", out);
	query_sql_keys(r, w, out);
	fprintf(out, "function) AS summed %sJOIN ", all ? "LEFT " : "");
	query_sql_functions(r, r->q->function, out);
	fputs(" AS known USING (function)) AS called GROUP BY ", out);
	query_sql_keys(r, w, out);
	fputs("shown ORDER BY ", out);
	if (!by_name)
		fprintf(out, "all_%s DESC, ", r->q->sort);
	fprintf(out, "shown LIMIT %" PRIu32, r->q->limit + 1);
}

int query_functions_run(struct query_run *r)
{
	struct query_total totals[QUERY_PAIRS_MAX];
	struct query_slices w = { .keys = true };
	struct functions f = { .run = r, .slices = &w };
	struct query_sql sql;
	size_t count = 0;
	int err = columns_add(r, &w);

	if (!err)
		err = query_totals(r, FACT_COSTS, totals, &count);
	for (size_t i = 0; !err && i < count; i++) {
		w.pair = &totals[i].pair;
		f.total = &totals[i];
		f.rows = 0;
		err = query_sql_begin(r, &sql);
		if (err)
			break;
		query_write(r, &w, sql.out);
		err = query_sql_select(r, &sql, function_row, &f);
	}
	return err;
}
