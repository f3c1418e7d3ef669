/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/query/user_costs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Without memory, HASH_ADD leaves hh.tbl NULL instead of calling exit(). */
#define HASH_NONFATAL_OOM 1
#include "userspace/query/query_groups.h"

#define KEY_SIZE (sizeof(uint64_t) + (QUERY_KEYS_MAX + 1) * 1024)

static const struct query_slices slices = { .keys = true, .metric = true };

struct user_cost_entry {
	struct user_cost cost;
	UT_hash_handle hh;
	char key[]; /* the time, the values and the metric */
};

static void text_add(char *key, size_t *used, const char *text)
{
	size_t size = strnlen(text, 1023);

	memcpy(key + *used, text, size);
	key[*used + size] = '\0';
	*used += size + 1;
}

const struct user_cost *user_costs_find(const struct user_costs *c, const struct user_count *u)
{
	char key[KEY_SIZE];
	size_t used = sizeof(u->t);
	struct user_cost_entry *e;

	memcpy(key, &u->t, sizeof(u->t));
	for (unsigned i = 0; i < QUERY_KEYS_MAX && u->values[i]; i++)
		text_add(key, &used, u->values[i]);
	text_add(key, &used, u->metric);
	HASH_FIND(hh, c->entries, key, used, e);
	return e ? &e->cost : NULL;
}

struct loading {
	struct query_run *run;
	struct user_costs *costs;
};

/* Bucket, keys, metric, n, estimate, its variance, weight, cost, sum, squares. */
static int cost_row(void *arg, const struct store_value *v, size_t count)
{
	struct loading *l = arg;
	unsigned by = l->run->q->by_count;
	struct query_group g = { 0 };
	struct user_cost_entry *e;
	char key[KEY_SIZE];
	uint64_t t = query_u64(&v[0]);
	size_t used = sizeof(t);

	if (l->costs->count++ == QUERY_GROUPS_MAX)
		return QUERY_FAIL(l->run, -E2BIG, "by: more than %d rows: ask for a longer step",
				  QUERY_GROUPS_MAX);
	memcpy(key, &t, sizeof(t));
	for (unsigned i = 0; i <= by; i++)
		text_add(key, &used, query_text(&v[1 + i]));
	v += 2 + by;
	g.count = query_u64(&v[0]);
	g.estimate = query_f64(&v[1]);
	g.estimate_variance = query_f64(&v[2]);
	g.weight = query_f64(&v[3]);
	g.cost = query_f64(&v[4]);
	g.sums[REQUEST_COST] = query_f64(&v[5]);
	g.squares[REQUEST_COST] = query_f64(&v[6]);
	e = calloc(1, sizeof(*e) + used);
	if (!e)
		return -ENOMEM;
	memcpy(e->key, key, used);
	e->cost = (struct user_cost){ t, g.cost, query_group_cost_error(&g) };
	HASH_ADD(hh, l->costs->entries, key, used, e);
	if (e->hh.tbl)
		return 0;
	free(e);
	return -ENOMEM;
}

int user_costs_load(struct query_run *r, struct user_costs *ret)
{
	struct loading l = { r, ret };
	struct query_sql sql;
	int err = query_sql_begin(r, &sql);

	*ret = (struct user_costs){ 0 };
	if (err)
		return err;
	fprintf(sql.out, "SELECT intDiv(t, %" PRIu32 ") * %" PRIu32 " AS bucket, ", r->step_s,
		r->step_s);
	query_sql_keys(r, &slices, sql.out);
	fputs("sum(n), sum(estimate), sum(estimate_variance), " "sum(estimate_weight), "
	      "sum(cost_estimate), sum(cost_sum), sum(cost_squares) FROM ", sql.out);
	query_sql_from(r, FACT_REQUESTS, &slices, sql.out);
	fputs(" GROUP BY ", sql.out);
	query_sql_keys(r, &slices, sql.out);
	fputs("bucket", sql.out);
	return query_sql_select(r, &sql, cost_row, &l);
}

void user_costs_free(struct user_costs *c)
{
	struct user_cost_entry *e, *next;

	HASH_ITER(hh, c->entries, e, next) {
		HASH_DEL(c->entries, e);
		free(e);
	}
}
