/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Without memory, HASH_ADD leaves hh.tbl NULL instead of calling exit(). */
#define HASH_NONFATAL_OOM 1
#include "userspace/query/query_groups.h"

#define KEY_SIZE ((QUERY_KEYS_MAX + 1) * 1024)
#define FAILED_STATUS 500

static const struct query_slices by_status = { .keys = true, .metric = true, .status = true };
static const struct query_slices by_keys = { .keys = true, .metric = true };

struct loading {
	struct query_run *run;
	struct query_group *groups;
	size_t count;
};

/* The key: the values and the metric, each with its NUL. */
static size_t key_make(const struct query_run *r, const struct store_value *v, char *key)
{
	size_t used = 0;

	for (unsigned i = 0; i <= r->q->by_count; i++) {
		const char *text = query_text(&v[i]);
		size_t size = strnlen(text, BATCH_TEXT_MAX - 1);

		memcpy(key + used, text, size);
		key[used + size] = '\0';
		used += size + 1;
	}
	return used;
}

static struct query_group *group_find(struct loading *l, const struct store_value *v)
{
	char key[KEY_SIZE];
	size_t size = key_make(l->run, v, key);
	struct query_group *g;

	HASH_FIND(hh, l->groups, key, size, g);
	return g;
}

static int group_get(struct loading *l, const struct store_value *v, struct query_group **ret)
{
	unsigned by = l->run->q->by_count;
	struct query_group *g = group_find(l, v);
	char key[KEY_SIZE];
	const char *at;
	size_t size;

	*ret = g;
	if (g)
		return 0;
	if (l->count++ == QUERY_GROUPS_MAX)
		return QUERY_FAIL(l->run, -E2BIG,
				  "by: more than %d rows: ask for fewer keys, or with where",
				  QUERY_GROUPS_MAX);
	size = key_make(l->run, v, key);
	g = calloc(1, sizeof(*g) + size);
	if (!g)
		return -ENOMEM;
	memcpy(g->key, key, size);
	at = g->key;
	for (unsigned i = 0; i < by; i++, at += strlen(at) + 1)
		g->values[i] = at;
	g->metric = at;
	HASH_ADD(hh, l->groups, key, size, g);
	if (!g->hh.tbl) {
		free(g);
		return -ENOMEM;
	}
	*ret = g;
	return 0;
}

/* Keys, metric, status, n, estimate, its variance, weight, cost, sums and squares. */
static int sums_row(void *arg, const struct store_value *v, size_t count)
{
	struct loading *l = arg;
	struct query_group *g;
	const char *status;
	int code, err = group_get(l, v, &g);

	if (err)
		return err;
	v += l->run->q->by_count + 1;
	status = query_text(v++);
	code = atoi(status);
	g->count += query_u64(&v[0]);
	if (code <= 0 || code >= FAILED_STATUS)
		g->failed += query_u64(&v[0]);
	g->estimate += query_f64(&v[1]);
	g->estimate_variance += query_f64(&v[2]);
	g->weight += query_f64(&v[3]);
	g->cost += query_f64(&v[4]);
	v += 5;
	for (int m = 0; m < REQUEST_MEASURES; m++) {
		g->sums[m] += query_f64(&v[2 * m]);
		g->squares[m] += query_f64(&v[2 * m + 1]);
	}
	return 0;
}

static int sums_load(struct loading *l)
{
	struct query_run *r = l->run;
	struct query_sql sql;
	int err = query_sql_begin(r, &sql);

	if (err)
		return err;
	fputs("SELECT ", sql.out);
	query_sql_keys(r, &by_status, sql.out);
	fputs("sum(n), sum(estimate), sum(estimate_variance), " "sum(estimate_weight), "
	      "sum(cost_estimate)", sql.out);
	for (int m = 0; m < REQUEST_MEASURES; m++)
		fprintf(sql.out, ", sum(%s_sum), sum(%s_squares)", request_measure_name(m),
			request_measure_name(m));
	fputs(" FROM ", sql.out);
	query_sql_from(r, FACT_REQUESTS, &by_status, sql.out);
	fputs(" GROUP BY ", sql.out);
	query_sql_keys(r, &by_keys, sql.out);
	fputs(TAG_KEY_STATUS, sql.out);
	return query_sql_select(r, &sql, sums_row, l);
}

/* Keys, metric, distribution, bin, n. */
static int bin_row(void *arg, const struct store_value *v, size_t count)
{
	struct loading *l = arg;
	struct query_group *g = group_find(l, v);
	struct sink_bin bin;
	uint64_t distribution;

	v += l->run->q->by_count + 1;
	distribution = query_u64(&v[0]);
	bin = (struct sink_bin){ .bin = query_u64(&v[1]), .count = query_u64(&v[2]) };
	if (!g || distribution >= REQUEST_DISTRIBUTIONS || query_u64(&v[1]) >= HISTOGRAM_BINS ||
	    !bin.count)
		return 0;
	return histogram_merge(&g->bins[distribution], &bin, 1);
}

/* In the order of bins, so that each is put at the end. */
static int bins_load(struct loading *l)
{
	struct query_run *r = l->run;
	struct query_sql sql;
	int err = query_sql_begin(r, &sql);

	if (err)
		return err;
	query_sql_sums(r, FACT_BINS, &by_keys, "distribution, bin", "sum(n)", sql.out);
	fputs(" ORDER BY bin", sql.out);
	return query_sql_select(r, &sql, bin_row, l);
}

/* Keys, metric, backend, calls, ns. */
static int backend_row(void *arg, const struct store_value *v, size_t count)
{
	struct loading *l = arg;
	struct query_group *g = group_find(l, v);
	json_t *name;
	int err;

	v += l->run->q->by_count + 1;
	if (!g)
		return 0;
	if (!g->backends)
		g->backends = json_object();
	name = query_string(query_text(&v[0]));
	err = name ? json_object_set_new(g->backends, json_string_value(name),
					 json_pack("{s:I, s:o}", "calls",
						   (json_int_t)query_u64(&v[1]), "ns",
						   query_amount(query_f64(&v[2]))))
		   : -1;
	json_decref(name);
	return err ? -ENOMEM : 0;
}

static int backends_load(struct loading *l)
{
	struct query_run *r = l->run;
	struct query_sql sql;
	int err = query_sql_begin(r, &sql);

	if (err)
		return err;
	query_sql_sums(r, FACT_BACKENDS, &by_keys, "backend", "sum(calls), sum(ns)", sql.out);
	fputs(" ORDER BY backend", sql.out);
	return query_sql_select(r, &sql, backend_row, l);
}

int query_groups_load(struct query_run *r, struct query_group **ret)
{
	struct loading l = { .run = r };
	int err = sums_load(&l);

	if (!err)
		err = bins_load(&l);
	if (!err)
		err = backends_load(&l);
	if (err) {
		query_groups_free(l.groups);
		return *r->err ? err : QUERY_FAIL(r, err, "requests: %s", strerror(-err));
	}
	*ret = l.groups;
	return 0;
}

void query_groups_free(struct query_group *groups)
{
	struct query_group *g, *next;

	HASH_ITER(hh, groups, g, next) {
		HASH_DEL(groups, g);
		for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
			histogram_free(&g->bins[d]);
		json_decref(g->backends);
		free(g);
	}
}

double query_group_mean(const struct query_group *g)
{
	return g->estimate > 0 ? g->cost / g->estimate : 0;
}

double query_group_cost_error(const struct query_group *g)
{
	double n = g->count, sum = g->sums[REQUEST_COST], mean = query_group_mean(g);
	double variance;

	if (n < 2)
		return g->estimate > n ? INFINITY : 0;
	/* Rounding may leave next to nothing below 0 of values that are all the same. */
	variance = fmax((g->squares[REQUEST_COST] - sum * sum / n) / (n - 1), 0);
	return sqrt(mean * mean * g->estimate_variance + variance * fmax(g->weight, 0));
}
