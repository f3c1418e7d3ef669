/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One measure over time: a row for each step, and within it for each of the keys' values. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/confidence.h"
#include "userspace/histogram.h"
#include "userspace/query/query_kind.h"
#include "userspace/query/query_measure.h"
#include "userspace/query/query_groups.h"
#include "userspace/query/user_counts.h"

struct series {
	struct query_run *run;
	struct query_slices slices;
	struct query_measure m;
	/* Of quantiles: the bins of one row, and the row so far. */
	struct histogram bins;
	json_t *row;
};

static json_t *row_begin(const struct series *s, const struct store_value *v)
{
	json_t *row = json_array();

	json_array_append_new(row, json_integer(query_u64(&v[0])));
	query_key_values(s->run, &s->slices, v + 1, row);
	return row;
}

static int row_end(const struct series *s, json_t *row, double value, double error)
{
	json_array_append_new(row, query_amount(value));
	json_array_append_new(row, query_amount(error));
	return query_row(s->run, row);
}

static void bucket_write(const struct series *s, FILE *out)
{
	fprintf(out, "intDiv(t, %" PRIu32 ") * %" PRIu32 " AS bucket, ", s->run->step_s,
		s->run->step_s);
}

/* last: what rows are told apart by beside these; NULL: nothing. */
static void sql_end(const struct series *s, const char *last, FILE *out)
{
	fputs(" GROUP BY ", out);
	query_sql_keys(s->run, &s->slices, out);
	fprintf(out, "bucket%s%s ORDER BY bucket, ", last ? ", " : "", last ? last : "");
	query_sql_keys(s->run, &s->slices, out);
	fputs(last ? last : "bucket", out);
	if (!last)
		fprintf(out, " LIMIT %" PRIu32, s->run->q->limit + 1);
}

/* ---- sums ---- */

/* Bucket, keys, n, sum, squares or variance. */
static int sum_row(void *arg, const struct store_value *v, size_t count)
{
	const struct series *s = arg;
	json_t *row = row_begin(s, v);
	double n, sum, more;

	v += 1 + query_key_count(s->run, &s->slices);
	n = query_f64(&v[0]);
	sum = query_f64(&v[1]);
	more = query_f64(&v[2]);
	switch (s->m.kind) {
	case MEASURE_MEAN:
		return row_end(s, row, n > 0 ? sum / n : NAN, confidence_of_mean(n, sum, more));
	case MEASURE_RATE:
		return row_end(s, row, sum / s->run->step_s, sqrt(fmax(more, 0)) / s->run->step_s);
	case MEASURE_REQUESTS:
	case MEASURE_FUNCTIONS:
		return row_end(s, row, sum, sqrt(fmax(more, 0)));
	default:
		return row_end(s, row, sum, NAN);
	}
}

/* n, what is shown, and its squares or variance. */
static enum store_fact sums_write(const struct series *s, FILE *out)
{
	const char *name = request_measure_name(s->m.measure);

	switch (s->m.kind) {
	case MEASURE_FUNCTIONS:
		fprintf(out, "0 AS x_n, sum(%s) AS x_sum, ", s->m.column);
		if (!strcmp(s->m.unit, "cost"))
			fprintf(out, "sum(%s_variance) AS x_more", s->m.column);
		else
			fputs("0 AS x_more", out);
		return FACT_COSTS;
	case MEASURE_COUNTER:
		fputs("0 AS x_n, sum(value) AS x_sum, 0 AS x_more", out);
		return FACT_COUNTERS;
	case MEASURE_FAILED:
		fputs("0 AS x_n, sum(n) AS x_sum, 0 AS x_more", out);
		return FACT_REQUESTS;
	case MEASURE_COST:
		fputs("0 AS x_n, sum(cost_estimate) AS x_sum, 0 AS x_more", out);
		return FACT_REQUESTS;
	case MEASURE_SUM:
	case MEASURE_MEAN:
		fprintf(out, "sum(n) AS x_n, sum(%s_sum) AS x_sum, sum(%s_squares) AS x_more", name,
			name);
		return FACT_REQUESTS;
	default:
		fputs("0 AS x_n, sum(estimate) AS x_sum, sum(estimate_variance) AS x_more", out);
		return FACT_REQUESTS;
	}
}

static void condition_write(const struct series *s, FILE *out)
{
	if (s->m.kind == MEASURE_FUNCTIONS && *s->run->q->function) {
		fputs(" WHERE function IN (SELECT function FROM ", out);
		query_sql_functions(s->run, s->run->q->function, out);
		fputs(" AS known)", out);
	}
	if (s->m.kind == MEASURE_COUNTER) {
		fputs(" WHERE name = ", out);
		store_quote(s->run->store, out, s->m.name);
	}
}

/*
 * Added up by slice before slices are joined: functions and counters are many, slices are
 * few. The status is looked at, but not kept apart.
 */
static int sums_run(struct series *s)
{
	struct query_slices w = s->slices;
	struct query_run *r = s->run;
	struct query_sql sql;
	enum store_fact fact;
	int err = query_sql_begin(r, &sql);

	if (err)
		return err;
	w.status = s->m.kind == MEASURE_FAILED;
	fputs("SELECT bucket, ", sql.out);
	query_sql_keys(r, &s->slices, sql.out);
	fprintf(sql.out, "sum(x_n), sum(%s), sum(x_more) FROM (SELECT ",
		w.status ? "CASE WHEN match(status, '^[1-4][0-9][0-9]$') THEN 0 ELSE x_sum END"
			 : "x_sum");
	bucket_write(s, sql.out);
	fputs("slice, ", sql.out);
	fact = sums_write(s, sql.out);
	fputs(" FROM ", sql.out);
	store_from(r->store, &r->source, fact, sql.out);
	fputs(" AS facts", sql.out);
	condition_write(s, sql.out);
	fputs(" GROUP BY bucket, slice)", sql.out);
	query_sql_slices(r, &w, sql.out);
	sql_end(s, NULL, sql.out);
	return query_sql_select(r, &sql, sum_row, s);
}

/* ---- quantiles ---- */

static int quantile_end(struct series *s)
{
	uint64_t low, high;
	double value, error = NAN;
	json_t *row = s->row;

	if (!row)
		return 0;
	value = bins_quantile(s->bins.bins, s->bins.count, s->m.level);
	if (bins_quantile_range(s->bins.bins, s->bins.count, s->m.level, &low, &high))
		error = fmax(high - value, value - low);
	histogram_empty(&s->bins);
	s->row = NULL;
	return row_end(s, row, value, error);
}

/* Bucket, keys, bin, n; in that order. */
static int bin_row(void *arg, const struct store_value *v, size_t count)
{
	struct series *s = arg;
	json_t *row = row_begin(s, v);
	struct sink_bin bin;
	int err = 0;

	if (s->row && json_equal(s->row, row)) {
		json_decref(row);
	} else {
		err = quantile_end(s);
		s->row = row;
		if (json_array_size(s->run->rows) > s->run->q->limit)
			return 1;
	}
	v += 1 + query_key_count(s->run, &s->slices);
	bin = (struct sink_bin){ query_u64(&v[0]), query_u64(&v[1]) };
	if (!err && query_u64(&v[0]) < HISTOGRAM_BINS && bin.count)
		err = histogram_merge(&s->bins, &bin, 1);
	return err;
}

static int quantiles_run(struct series *s)
{
	struct query_sql sql;
	int err = query_sql_begin(s->run, &sql);

	if (err)
		return err;
	fputs("SELECT ", sql.out);
	bucket_write(s, sql.out);
	query_sql_keys(s->run, &s->slices, sql.out);
	fputs("bin, sum(n) FROM ", sql.out);
	query_sql_from(s->run, FACT_BINS, &s->slices, sql.out);
	fprintf(sql.out, " WHERE distribution = %d", s->m.distribution);
	sql_end(s, "bin", sql.out);
	err = query_sql_select(s->run, &sql, bin_row, s);
	if (!err)
		err = quantile_end(s);
	json_decref(s->row);
	histogram_free(&s->bins);
	return err == 1 ? 0 : err;
}

/* ---- users ---- */

static int users_row(void *arg, const struct user_count *u)
{
	const struct series *s = arg;
	json_t *row = json_array();

	json_array_append_new(row, json_integer(u->t));
	for (unsigned i = 0; i < s->run->q->by_count; i++)
		json_array_append_new(row, query_string(u->values[i]));
	json_array_append_new(row, query_string(u->metric));
	return row_end(s, row, u->users, u->error);
}

static int columns_add(struct series *s)
{
	struct query_run *r = s->run;
	int err = query_column(r, "t", "time", QUERY_SHOWN);

	if (!err)
		err = query_key_columns(r, &s->slices);
	if (!err)
		err = query_column(r, r->q->measure, s->m.unit, QUERY_SHOWN);
	return err ? err : query_column(r, "error", s->m.unit, QUERY_ERROR);
}

int query_series_run(struct query_run *r)
{
	struct series s = { .run = r, .slices = { .keys = true, .metric = true } };
	int err = query_measure_parse(r->q->measure, &s.m, r->err, r->errlen);

	if (err)
		return err;
	s.slices.mode = s.m.kind == MEASURE_FUNCTIONS;
	if (*r->q->function && s.m.kind != MEASURE_FUNCTIONS)
		return QUERY_FAIL(r, -EINVAL, "function: '%s' is measured of requests, not of functions",
				  r->q->measure);
	if (!*r->q->function && s.m.column && !strcmp(s.m.column, "cumulative"))
		return QUERY_FAIL(r, -EINVAL,
				  "measure: cumulative costs add up of one function only: say which, or "
				  "ask for self");
	err = columns_add(&s);
	if (err)
		return err;
	if (s.m.kind == MEASURE_USERS)
		return user_counts(r, r->step_s, users_row, &s);
	return s.m.kind == MEASURE_QUANTILE ? quantiles_run(&s) : sums_run(&s);
}
