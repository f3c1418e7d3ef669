/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A question while it is answered: SQL to the store, JSON out of its rows. */
#ifndef PYCOST_QUERY_RUN_H
#define PYCOST_QUERY_RUN_H

#include <jansson.h>
#include <stdio.h>

#include "userspace/query/query.h"
#include "userspace/store/store.h"

/* More groups than that are no answer for anybody. */
#define QUERY_GROUPS_MAX 200000

struct query_run {
	struct store *store;
	const struct query *q;
	struct store_source source;
	uint32_t step_s; /* of what is told over time */
	bool by_host;
	uint64_t now_s;
	json_t *answer, *columns, *rows;
	char *err;
	size_t errlen;
};

/* Returns err, with the words. */
#define QUERY_FAIL(r, error, ...) (snprintf((r)->err, (r)->errlen, __VA_ARGS__), (error))

/* ---- SQL ---- */

/* Text under way; query_sql_select() frees it. */
struct query_sql {
	FILE *out;
	char *text;
	size_t size;
};
int query_sql_begin(struct query_run *r, struct query_sql *sql);
/* Runs it, and frees it. */
int query_sql_select(struct query_run *r, struct query_sql *sql, store_row_fn row, void *arg);

/* What cannot be added up: one of these is asked for at a time. */
struct query_pair {
	char metric[64];
	char mode[32]; /* "" of what has none */
};

/* Which slices, and what facts are kept apart by. */
struct query_slices {
	const struct query_pair *pair; /* only those of it; NULL: of all */
	bool metric, mode, status;     /* columns with their tags */
	bool keys;		       /* columns k0, k1... with those of q->by */
	bool loose;		       /* conditions on requests do not count: of counters */
};

/* "k0, k1, metric, " in the order of keys, metric, mode, status; "" without any. */
void query_sql_keys(const struct query_run *r, const struct query_slices *w, FILE *out);
/*
 * The facts of these slices: "(SELECT ...) AS facts JOIN (SELECT slice, k0...) AS slices
 * USING (slice)", or with WHERE instead of the JOIN when there is no column to be had.
 */
void query_sql_from(const struct query_run *r, enum store_fact fact, const struct query_slices *w,
		    FILE *out);
/*
 * "SELECT keys, columns, sums FROM ... GROUP BY keys, columns": sums by these tags and by
 * columns of the fact itself.
 */
void query_sql_sums(const struct query_run *r, enum store_fact fact, const struct query_slices *w,
		    const char *columns, const char *sums, FILE *out);
/* The part of query_sql_from() after the first SELECT, for what was added up by slice before it is joined. */
void query_sql_slices(const struct query_run *r, const struct query_slices *w, FILE *out);
/* "match(COLUMN, '...')" or "COLUMN = '...'". tail: what comes after a dot will do. */
void query_sql_matches(const struct query_run *r, const char *column, const char *glob, bool tail,
		       FILE *out);
/* As that does. */
bool query_name_matches(const char *glob, const char *name);

/*
 * "(SELECT function, display, file, line FROM ...)": functions by what they are called in
 * every answer: "module.Class.method → what it wraps". glob: only these; "": all.
 */
void query_sql_functions(const struct query_run *r, const char *glob, FILE *out);
#define QUERY_OUTSIDE "<outside Python functions>"
#define QUERY_UNNAMED "<name not received yet>"

uint64_t query_u64(const struct store_value *v);
double query_f64(const struct store_value *v);
const char *query_text(const struct store_value *v); /* for the call only */

/* ---- JSON ---- */

/* Units: "text", "time" (Unix), "count", "cost" (of the row's metric), "ns", "bytes",
 * "percent", "number". */
enum query_column_use {
	QUERY_SHOWN,
	QUERY_DETAIL, /* tables leave it out, unless they are wide */
	QUERY_ERROR,  /* the standard error, or half of the confidence interval, of the one before */
};
int query_column(struct query_run *r, const char *name, const char *unit, enum query_column_use use);
/* Columns of the keys: q->by, then metric and mode when they are wanted. */
int query_key_columns(struct query_run *r, const struct query_slices *w);
/* Appends their values to a row. */
void query_key_values(const struct query_run *r, const struct query_slices *w,
		      const struct store_value *values, json_t *row);
unsigned query_key_count(const struct query_run *r, const struct query_slices *w);

json_t *query_amount(double value); /* an integer where it is one; null where it is not finite */
json_t *query_string(const char *text); /* repaired */
/* Takes the row. -ENOMEM. */
int query_row(struct query_run *r, json_t *row);

/* ---- what is there ---- */

/* A pair that there are facts of, and all of them added up. */
struct query_total {
	struct query_pair pair;
	double self; /* of costs */
	uint64_t calls, samples;
};
#define QUERY_PAIRS_MAX 8
/* fact: FACT_COSTS or FACT_PATH_COSTS. Written to the answer, too. */
int query_totals(struct query_run *r, enum store_fact fact, struct query_total ret[QUERY_PAIRS_MAX],
		 size_t *ret_count);

#endif
