/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions as SQL, in the dialect of schema.h.
 *
 * What users write gets in as literals alone, by store_quote(): keys are compared to the
 * column `key`, and columns have names of our own. A slice's tags are rows, so that one
 * SELECT lays those out beside each other that a question is about:
 *
 *	slice  k0 (by the first key)  k1 ...  c0 (of the first condition) ...
 *
 * and a tag that a slice does not have is "". As every slice has a metric, none is missed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/glob.h"
#include "userspace/query/query_glob.h"
#include "userspace/query/query_run.h"

int query_sql_begin(struct query_run *r, struct query_sql *sql)
{
	*sql = (struct query_sql){ 0 };
	sql->out = open_memstream(&sql->text, &sql->size);
	return sql->out ? 0 : QUERY_FAIL(r, -ENOMEM, "no memory");
}

int query_sql_select(struct query_run *r, struct query_sql *sql, store_row_fn row, void *arg)
{
	int err = fclose(sql->out) ? QUERY_FAIL(r, -ENOMEM, "no memory") : 0;

	if (!err)
		err = store_select_until(r->store, sql->text, r->q->until_ns, row, arg, r->err,
					 r->errlen);
	free(sql->text);
	*sql = (struct query_sql){ 0 };
	return err;
}

static bool has_keys(const struct query_run *r, const struct query_slices *w)
{
	return (w->keys && r->q->by_count) || w->metric || w->mode || w->status;
}

void query_sql_keys(const struct query_run *r, const struct query_slices *w, FILE *out)
{
	for (unsigned i = 0; w->keys && i < r->q->by_count; i++)
		fprintf(out, "k%u, ", i);
	fputs(w->metric ? "metric, " : "", out);
	fputs(w->mode ? "mode, " : "", out);
	fputs(w->status ? "status, " : "", out);
}

static void tag_column(const struct query_run *r, const char *key, FILE *out)
{
	fputs(", max(CASE WHEN key = ", out);
	store_quote(r->store, out, key);
	fputs(" THEN value ELSE '' END) AS ", out);
}

/* Of counters, that know of no request. */
static bool condition_counts(const struct query_slices *w, const struct query_condition *c)
{
	static const char *const known[] = { TAG_KEY_SERVICE, TAG_KEY_METRIC, TAG_KEY_VERSION,
					     TAG_KEY_HOST, "cluster", "region" };

	for (size_t i = 0; w->loose && i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(known[i], c->key))
			return true;
	return !w->loose;
}

static void tag_columns(const struct query_run *r, const struct query_slices *w, FILE *out)
{
	const struct query *q = r->q;

	for (unsigned i = 0; w->keys && i < q->by_count; i++) {
		tag_column(r, q->by[i], out);
		fprintf(out, "k%u", i);
	}
	for (unsigned i = 0; i < q->where_count; i++)
		if (condition_counts(w, &q->where[i])) {
			tag_column(r, q->where[i].key, out);
			fprintf(out, "c%u", i);
		}
	if (w->metric || w->pair) {
		tag_column(r, TAG_KEY_METRIC, out);
		fputs("metric", out);
	}
	if (w->mode || w->pair) {
		tag_column(r, TAG_KEY_MODE, out);
		fputs("mode", out);
	}
	if (w->status) {
		tag_column(r, TAG_KEY_STATUS, out);
		fputs("status", out);
	}
}

/* Which rows of tags are looked at: the metric's, that every slice has, and the others'. */
static void tag_choice(const struct query_run *r, const struct query_slices *w, FILE *out)
{
	const struct query *q = r->q;

	fputs(" FROM tags WHERE key IN ('" TAG_KEY_METRIC "'", out);
	fputs(w->mode || w->pair ? ", '" TAG_KEY_MODE "'" : "", out);
	fputs(w->status ? ", '" TAG_KEY_STATUS "'" : "", out);
	for (unsigned i = 0; w->keys && i < q->by_count; i++) {
		fputs(", ", out);
		store_quote(r->store, out, q->by[i]);
	}
	for (unsigned i = 0; i < q->where_count; i++) {
		fputs(", ", out);
		store_quote(r->store, out, q->where[i].key);
	}
	fputs(") GROUP BY slice", out);
}

static void expression_write(const struct query_run *r, const char *front, const char *glob,
			     FILE *out)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return;
	fprintf(file, "(?s)^%s", front);
	query_glob_write(glob, file);
	fputc('$', file);
	if (!fclose(file))
		store_quote(r->store, out, text);
	free(text);
}

void query_sql_matches(const struct query_run *r, const char *column, const char *glob, bool tail,
		       FILE *out)
{
	if (!tail && !glob_is_pattern(glob)) {
		fprintf(out, "%s = ", column);
		store_quote(r->store, out, glob);
		return;
	}
	fprintf(out, "match(%s, ", column);
	expression_write(r, !tail || glob_is_pattern(glob) ? "" : "(?:.*\\.)?", glob, out);
	fputc(')', out);
}

bool query_name_matches(const char *glob, const char *name)
{
	size_t size = strlen(glob), length = strlen(name);

	if (glob_is_pattern(glob))
		return glob_matches(glob, name);
	if (length < size || strcmp(name + length - size, glob))
		return false;
	return length == size || name[length - size - 1] == '.';
}

/* An endpoint may be named without its method. */
static void condition_write(const struct query_run *r, unsigned i, FILE *out)
{
	const struct query_condition *c = &r->q->where[i];
	char column[16];

	snprintf(column, sizeof(column), "c%u", i);
	fputs(c->not ? "NOT (" : "(", out);
	if (!strcmp(c->key, TAG_KEY_ENDPOINT) && *c->glob == '/') {
		fprintf(out, "match(%s, ", column);
		expression_write(r, "(?:[A-Z]+ )?", c->glob, out);
		fputc(')', out);
	} else
		query_sql_matches(r, column, c->glob, false, out);
	fputc(')', out);
}

static void conditions_write(const struct query_run *r, const struct query_slices *w, FILE *out)
{
	const char *word = " WHERE ";

	for (unsigned i = 0; i < r->q->where_count; i++) {
		if (!condition_counts(w, &r->q->where[i]))
			continue;
		fputs(word, out);
		condition_write(r, i, out);
		word = " AND ";
	}
	if (!w->pair)
		return;
	fprintf(out, "%smetric = ", word);
	store_quote(r->store, out, w->pair->metric);
	fputs(" AND mode = ", out);
	store_quote(r->store, out, w->pair->mode);
}

static void slices_write(const struct query_run *r, const struct query_slices *w, FILE *out)
{
	fputs("(SELECT ", out);
	query_sql_keys(r, w, out);
	fputs("slice FROM (SELECT slice", out);
	tag_columns(r, w, out);
	tag_choice(r, w, out);
	fputs(") AS tagged", out);
	conditions_write(r, w, out);
	fputc(')', out);
}

void query_sql_from(const struct query_run *r, enum store_fact fact, const struct query_slices *w,
		    FILE *out)
{
	store_from(r->store, &r->source, fact, out);
	query_sql_slices(r, w, out);
}

void query_sql_sums(const struct query_run *r, enum store_fact fact, const struct query_slices *w,
		    const char *columns, const char *sums, FILE *out)
{
	fputs("SELECT ", out);
	query_sql_keys(r, w, out);
	fprintf(out, "%s, %s FROM ", columns, sums);
	query_sql_from(r, fact, w, out);
	fputs(" GROUP BY ", out);
	query_sql_keys(r, w, out);
	fputs(columns, out);
}

void query_sql_slices(const struct query_run *r, const struct query_slices *w, FILE *out)
{
	fputs(" AS facts", out);
	if (has_keys(r, w)) {
		fputs(" JOIN ", out);
		slices_write(r, w, out);
		fputs(" AS slices USING (slice)", out);
	} else {
		fputs(" WHERE slice IN ", out);
		slices_write(r, w, out);
	}
}

void query_sql_functions(const struct query_run *r, const char *glob, FILE *out)
{
	fputs("(SELECT function, display, file, line FROM (SELECT function,"
	      " concat(CASE WHEN module = '' THEN '' ELSE concat(module, '.') END,"
	      " CASE WHEN qualname <> '' THEN qualname WHEN name <> '' THEN name"
	      " ELSE '<unnamed>' END,"
	      " CASE WHEN wraps = '' THEN '' ELSE concat(' \xe2\x86\x92 ', wraps) END) AS display,"
	      " file, line FROM functions) AS named",
	      out);
	if (*glob) {
		fputs(" WHERE ", out);
		query_sql_matches(r, "display", glob, true, out);
	}
	fputc(')', out);
}

uint64_t query_u64(const struct store_value *v)
{
	if (v->type == STORE_U64)
		return v->u64;
	if (v->type == STORE_F64)
		return v->f64 > 0 ? v->f64 < 0x1p64 ? (uint64_t)v->f64 : UINT64_MAX : 0;
	return v->text ? strtoull(v->text, NULL, 10) : 0;
}

double query_f64(const struct store_value *v)
{
	if (v->type == STORE_F64)
		return v->f64;
	if (v->type == STORE_U64)
		return v->u64;
	return v->text ? strtod(v->text, NULL) : 0;
}

const char *query_text(const struct store_value *v)
{
	return v->type == STORE_TEXT && v->text ? v->text : "";
}
