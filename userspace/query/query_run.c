/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a question to its answer: what all kinds have in common. */
#include "userspace/query/query_run.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "userspace/query/query_kind.h"
#include "userspace/query/query_measure.h"

#define HOUR_S 3600
#define DAY_S 86400
#define POINTS 240 /* of a series */
#define TAGS_HOSTS_S (6 * HOUR_S)

const struct query_kind query_kinds[] = {
	{ QUERY_FUNCTIONS, "functions", "the most expensive functions",
	  "self cumulative calls samples name", "by function", QUERY_LIMIT_DEFAULT,
	  query_functions_run },
	{ QUERY_CALLERS, "callers", "who calls a function, and whom it calls",
	  "cumulative self calls", "function", QUERY_LIMIT_DEFAULT, query_callers_run },
	{ QUERY_PATHS, "paths", "call paths: for flame graphs and pprof", "", "by",
	  QUERY_PATHS_LIMIT, query_paths_run },
	{ QUERY_REQUESTS, "requests", "what requests cost",
	  "cost count mean p50 p90 p99 latency latency-p99 cpu blocked gc imports rss failed name",
	  "by", QUERY_LIMIT_DEFAULT, query_requests_run },
	{ QUERY_SERIES, "series", "one measure over time", "", "by function measure step",
	  QUERY_SERIES_LIMIT, query_series_run },
	{ QUERY_USERS, "users", "distinct users over time, and what one costs at the peak",
	  "time users cost-per-user", "by step", QUERY_SERIES_LIMIT, query_users_run },
	{ QUERY_TAGS, "tags", "which keys and values there are", "name count", "by",
	  QUERY_TAGS_LIMIT, query_tags_run },
	{ QUERY_COUNTERS, "counters", "losses, lives of workers and what else adds up",
	  "name value", "by", QUERY_TAGS_LIMIT, query_counters_run },
};
const size_t query_kind_count = sizeof(query_kinds) / sizeof(*query_kinds);

static bool asks_for(const struct query *q, const char *key)
{
	for (unsigned i = 0; i < q->where_count; i++)
		if (!strcmp(q->where[i].key, key))
			return true;
	for (unsigned i = 0; i < q->by_count; i++)
		if (!strcmp(q->by[i], key))
			return true;
	return false;
}

/* As many points as fit on a screen; users are counted by the minute for longer. */
static uint32_t step_choose(const struct query *q)
{
	static const uint32_t steps[] = { 60, 300, 900, 3600, 6 * 3600, DAY_S };
	uint64_t length = q->until - q->since;
	struct query_measure m;
	char err[8];
	size_t i = 0;

	/* Functions are so many that days have to do for weeks. */
	if (!query_measure_parse(q->measure, &m, err, sizeof(err)) && m.kind == MEASURE_FUNCTIONS &&
	    length > 7 * DAY_S)
		return DAY_S;
	if (q->what == QUERY_USERS)
		return length <= 2 * DAY_S ? 60 : length <= 60 * DAY_S ? HOUR_S : DAY_S;
	while (i + 1 < sizeof(steps) / sizeof(*steps) && length > POINTS * (uint64_t)steps[i])
		i++;
	return steps[i];
}

/* Whole steps, and when nobody asked for them, longer ones where short ones are gone. */
static int stepped_source(struct query_run *r)
{
	const struct query *q = r->q;
	uint32_t step = q->step_s ? q->step_s : step_choose(q);
	int err;

	for (;;) {
		r->step_s = step;
		err = store_source(r->store, q->since - q->since % step,
				   q->until + (step - q->until % step) % step, step, r->by_host,
				   &r->source, r->err, r->errlen);
		if (err != -ERANGE || q->step_s || r->by_host || step >= DAY_S)
			return err;
		step = step < HOUR_S ? HOUR_S : DAY_S;
	}
}

/* Functions, call paths, bins and users are not: see schema.h. */
static bool is_by_host(const struct query *q)
{
	struct query_measure m;
	char err[8];

	if (q->what == QUERY_SERIES && !query_measure_parse(q->measure, &m, err, sizeof(err)))
		return m.kind != MEASURE_FUNCTIONS && m.kind != MEASURE_QUANTILE &&
		       m.kind != MEASURE_USERS;
	return query_word_is_in("requests tags counters", query_kind_of(q->what)->name);
}

static int source_choose(struct query_run *r)
{
	const struct query *q = r->q;

	if (q->since >= q->until)
		return QUERY_FAIL(r, -EINVAL, "since: is not before until");
	r->by_host = asks_for(q, TAG_KEY_HOST);
	if (r->by_host && !is_by_host(q))
		return QUERY_FAIL(r, -EINVAL,
				  "host: only requests, their sums over time, tags and counters are kept "
				  "by host");
	if (q->what == QUERY_SERIES || q->what == QUERY_USERS)
		return stepped_source(r);
	/* Tags are of hosts as well while that is no great work. */
	if (q->what == QUERY_TAGS && q->until - q->since <= TAGS_HOSTS_S)
		r->by_host = true;
	return store_source(r->store, q->since, q->until, DAY_S, r->by_host, &r->source, r->err,
			    r->errlen);
}

/* ---- what was lost on the way ---- */

static int loss_row(void *arg, const struct store_value *v, size_t count)
{
	json_t *losses = arg, *name = query_string(query_text(&v[0]));
	int err = name ? json_object_set_new(losses, json_string_value(name),
					     query_amount(query_f64(&v[1])))
		       : -1;

	json_decref(name);
	return err ? -ENOMEM : 0;
}

static int losses_add(struct query_run *r)
{
	const struct query_slices w = { .loose = true };
	json_t *losses = json_object();
	struct query_sql sql;
	int err = json_object_set_new(r->answer, "losses", losses) ? -ENOMEM
								    : query_sql_begin(r, &sql);

	if (err)
		return err;
	fputs("SELECT name, sum(value) AS lost FROM ", sql.out);
	query_sql_from(r, FACT_COUNTERS, &w, sql.out);
	fputs(" AND match(name, '^loss[.]') GROUP BY name ORDER BY name", sql.out);
	return query_sql_select(r, &sql, loss_row, losses);
}

/* ---- no rows: when would there be some? ---- */

static enum store_fact fact_of(enum query_what what)
{
	switch (what) {
	case QUERY_CALLERS:
	case QUERY_PATHS:
		return FACT_PATH_COSTS;
	case QUERY_REQUESTS:
	case QUERY_SERIES:
		return FACT_REQUESTS;
	case QUERY_USERS:
		return FACT_USERS;
	case QUERY_COUNTERS:
		return FACT_COUNTERS;
	case QUERY_FUNCTIONS:
	case QUERY_TAGS:
		break;
	}
	return FACT_COSTS;
}

struct extent {
	uint64_t rows, since, until;
};

static int extent_row(void *arg, const struct store_value *v, size_t count)
{
	*(struct extent *)arg =
		(struct extent){ query_u64(&v[0]), query_u64(&v[1]), query_u64(&v[2]) };
	return 0;
}

/* Of any slice: of a stretch, by its days or its hours. */
static int extent_ask(struct query_run *r, uint64_t since, uint64_t until, struct extent *ret)
{
	struct query_run all = *r;
	struct query_sql sql;
	int err = store_source(r->store, since, until, until - since > DAY_S ? DAY_S : HOUR_S, false,
			       &all.source, r->err, r->errlen);

	if (!err)
		err = query_sql_begin(r, &sql);
	if (err)
		return err;
	fputs("SELECT count(*), min(t), max(t) FROM ", sql.out);
	store_from(r->store, &all.source, fact_of(r->q->what), sql.out);
	fputs(" AS facts", sql.out);
	return query_sql_select(r, &sql, extent_row, ret);
}

/* "data" is null where there is nothing at all. */
static int extent_add(struct query_run *r)
{
	struct extent e = { 0 }, first = { 0 }, last = { 0 };
	uint64_t now = r->q->until > r->now_s ? r->q->until : r->now_s;
	int err = extent_ask(r, 0, now + DAY_S, &e);

	/* The hour of the first one and of the last, unless hours are not kept any more. */
	if (!err && e.rows) {
		if (extent_ask(r, e.since, e.since + DAY_S, &first) || !first.rows)
			first.since = e.since;
		if (extent_ask(r, e.until, e.until + DAY_S, &last) || !last.rows)
			last.until = e.until + DAY_S - HOUR_S;
	}
	if (err)
		return err;
	return json_object_set_new(r->answer, "data",
				   e.rows ? json_pack("{s:I, s:I}", "since",
						      (json_int_t)first.since, "until",
						      (json_int_t)(last.until + HOUR_S))
					  : json_null()) ? -ENOMEM : 0;
}

/* ---- all of it ---- */

static bool has_string(const json_t *list, const char *text)
{
	size_t i;
	json_t *item;

	json_array_foreach((json_t *)list, i, item)
		if (!strcmp(json_string_value(item), text))
			return true;
	return false;
}

/* The metrics that are in the rows. */
static int metrics_add(struct query_run *r)
{
	json_t *metrics = json_array(), *row, *column;
	size_t at = 0, i;

	json_array_foreach(r->columns, at, column)
		if (!strcmp(json_string_value(json_object_get(column, "name")), TAG_KEY_METRIC))
			break;
	json_array_foreach(r->rows, i, row) {
		const char *metric = json_string_value(json_array_get(row, at));

		if (at < json_array_size(r->columns) && metric && !has_string(metrics, metric))
			json_array_append_new(metrics, json_string(metric));
	}
	return json_object_set_new(r->answer, "metrics", metrics) ? -ENOMEM : 0;
}

static int answer_begin(struct query_run *r)
{
	r->answer = json_pack("{s:s, s:I, s:I, s:I, s:b, s:[], s:[]}", "what",
			      query_kind_of(r->q->what)->name, "since",
			      (json_int_t)r->source.since, "until", (json_int_t)r->source.until,
			      "step", (json_int_t)r->step_s, "truncated", 0, "columns",
			      "rows");
	r->columns = json_object_get(r->answer, "columns");
	r->rows = json_object_get(r->answer, "rows");
	return r->answer ? 0 : QUERY_FAIL(r, -ENOMEM, "no memory");
}

/* The kinds read one row more than is wanted. */
static void truncate_rows(struct query_run *r)
{
	bool more = json_array_size(r->rows) > r->q->limit;

	while (more && json_array_size(r->rows) > r->q->limit)
		json_array_remove(r->rows, json_array_size(r->rows) - 1);
	if (more)
		json_object_set_new(r->answer, "truncated", json_true());
}

int query_run(struct store *s, const struct query *q, json_t **ret, char *err, size_t errlen)
{
	struct query_run r = { .store = s, .q = q, .now_s = time(NULL), .err = err,
			       .errlen = errlen };
	const struct query_kind *kind = query_kind_of(q->what);
	int error;

	if (errlen)
		*err = '\0';
	if (!kind)
		return QUERY_FAIL(&r, -EINVAL, "no such question");
	error = source_choose(&r);
	if (!error)
		error = answer_begin(&r);
	if (!error)
		error = kind->run(&r);
	if (!error) {
		/* The others do it for each metric. */
		if (query_word_is_in("series users tags counters", kind->name))
			truncate_rows(&r);
		error = metrics_add(&r);
	}
	if (!error)
		error = losses_add(&r);
	if (!error && !json_array_size(r.rows))
		error = extent_add(&r);
	if (error) {
		if (errlen && !*err)
			snprintf(err, errlen, "%s", strerror(-error));
		json_decref(r.answer);
		return error;
	}
	*ret = r.answer;
	return 0;
}
