/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Distinct users in each step, what their requests cost, and that by user. The step is a
 * minute as long as minutes are kept: the greatest is the peak minute then.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/query/query_kind.h"
#include "userspace/query/user_costs.h"
#include "userspace/query/user_counts.h"

static const struct query_slices slices = { .keys = true, .metric = true };

struct user_row {
	json_t *row;
	const struct user_cost *cost; /* NULL: no request was seen */
	uint64_t t;
	double users, error, each, each_error;
};

struct users {
	struct query_run *run;
	struct user_costs costs;
	struct user_row *rows;
	size_t count, capacity;
};

static int columns_add(struct query_run *r)
{
	static const struct {
		const char *name, *unit;
		enum query_column_use use;
	} columns[] = {
		{ "users", "count", QUERY_SHOWN },	  { "users_error", "count", QUERY_ERROR },
		{ "cost", "cost", QUERY_SHOWN },	  { "cost_error", "cost", QUERY_DETAIL },
		{ "cost_per_user", "cost", QUERY_SHOWN }, { "cost_per_user_error", "cost", QUERY_ERROR },
	};
	int err = query_column(r, "t", "time", QUERY_SHOWN);

	if (!err)
		err = query_key_columns(r, &slices);
	for (size_t i = 0; !err && i < sizeof(columns) / sizeof(*columns); i++)
		err = query_column(r, columns[i].name, columns[i].unit, columns[i].use);
	return err;
}

/* Relative errors of the two are independent: their squares add up. */
static void each_find(struct user_row *row)
{
	double cost, users;

	row->each = row->each_error = NAN;
	if (!row->cost || row->users <= 0)
		return;
	row->each = row->cost->cost / row->users;
	cost = row->cost->cost > 0 ? row->cost->error / row->cost->cost : 0;
	users = row->error / row->users;
	row->each_error = row->each * sqrt(cost * cost + users * users);
}

static int row_add(struct users *u, const struct user_count *c)
{
	struct user_row row = { .t = c->t, .users = c->users, .error = c->error };

	if (u->count == QUERY_GROUPS_MAX)
		return QUERY_FAIL(u->run, -E2BIG, "by: more than %d rows: ask for a longer step",
				  QUERY_GROUPS_MAX);
	if (u->count == u->capacity) {
		size_t capacity = u->capacity * 2 + 256;
		struct user_row *rows = reallocarray(u->rows, capacity, sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		u->rows = rows;
		u->capacity = capacity;
	}
	row.cost = user_costs_find(&u->costs, c);
	each_find(&row);
	row.row = json_array();
	json_array_append_new(row.row, json_integer(c->t));
	for (unsigned i = 0; i < u->run->q->by_count; i++)
		json_array_append_new(row.row, query_string(c->values[i]));
	json_array_append_new(row.row, query_string(c->metric));
	json_array_append_new(row.row, query_amount(row.users));
	json_array_append_new(row.row, query_amount(row.error));
	json_array_append_new(row.row, query_amount(row.cost ? row.cost->cost : NAN));
	json_array_append_new(row.row, query_amount(row.cost ? row.cost->error : NAN));
	json_array_append_new(row.row, query_amount(row.each));
	json_array_append_new(row.row, query_amount(row.each_error));
	u->rows[u->count++] = row;
	return row.row ? 0 : -ENOMEM;
}

static int count_row(void *arg, const struct user_count *c)
{
	return row_add(arg, c);
}

/* Whether rows are of the same keys: all that is between the time and the users. */
static bool is_alike(const struct users *u, const json_t *a, const json_t *b)
{
	for (unsigned i = 0; i <= u->run->q->by_count; i++)
		if (!json_equal(json_array_get(a, 1 + i), json_array_get(b, 1 + i)))
			return false;
	return true;
}

/* In the whole stretch: the keys come in any order, as the peaks do. */
static int distinct_row(void *arg, const struct user_count *c)
{
	struct users *u = arg;
	json_t *peaks = json_object_get(u->run->answer, "peaks"), *peak;
	size_t i;

	json_array_foreach(peaks, i, peak) {
		json_t *row = json_object_get(peak, "row");
		bool same = true;

		for (unsigned k = 0; k < u->run->q->by_count; k++)
			same = same && !strcmp(json_string_value(json_array_get(row, 1 + k)),
					       c->values[k]);
		same = same && !strcmp(json_string_value(json_array_get(row, 1 + u->run->q->by_count)),
				       c->metric);
		if (!same)
			continue;
		json_object_set_new(peak, "distinct", query_amount(c->users));
		json_object_set_new(peak, "distinct_error", query_amount(c->error));
		break;
	}
	return 0;
}

/* The first of the greatest, of each of the keys' values. */
static int peaks_add(struct users *u)
{
	json_t *peaks = json_array(), *peak;
	size_t at;

	for (size_t i = 0; i < u->count; i++) {
		bool known = false;

		json_array_foreach(peaks, at, peak) {
			if (!is_alike(u, json_object_get(peak, "row"), u->rows[i].row))
				continue;
			known = true;
			if (json_number_value(json_object_get(peak, "users")) >= u->rows[i].users)
				break;
			json_object_set(peak, "row", u->rows[i].row);
			json_object_set_new(peak, "users", json_real(u->rows[i].users));
			break;
		}
		if (!known && json_array_size(peaks) < u->run->q->limit)
			json_array_append_new(peaks, json_pack("{s:O, s:f}", "row", u->rows[i].row,
							       "users", u->rows[i].users));
	}
	return json_object_set_new(u->run->answer, "peaks", peaks) ? -ENOMEM : 0;
}

static int row_compare(const void *a, const void *b, void *arg)
{
	const struct user_row *x = a, *y = b;
	const char *sort = arg;
	double p = 0, q = 0;

	if (!strcmp(sort, "users")) {
		p = x->users;
		q = y->users;
	} else if (!strcmp(sort, "cost-per-user")) {
		p = isfinite(x->each) ? x->each : -1;
		q = isfinite(y->each) ? y->each : -1;
	}
	if (p != q)
		return p > q ? -1 : 1;
	return x->t != y->t ? x->t < y->t ? -1 : 1 : 0;
}

int query_users_run(struct query_run *r)
{
	struct users u = { .run = r };
	int err = columns_add(r);

	if (!err)
		err = user_costs_load(r, &u.costs);
	if (!err)
		err = user_counts(r, r->step_s, count_row, &u);
	if (!err)
		err = peaks_add(&u);
	if (!err)
		err = user_counts(r, USER_COUNTS_ALL, distinct_row, &u);
	if (!err && strcmp(r->q->sort, "time"))
		qsort_r(u.rows, u.count, sizeof(*u.rows), row_compare, (void *)r->q->sort);
	for (size_t i = 0; i < u.count; i++) {
		if (!err && i <= r->q->limit)
			err = query_row(r, json_incref(u.rows[i].row));
		json_decref(u.rows[i].row);
	}
	free(u.rows);
	user_costs_free(&u.costs);
	return err && !*r->err ? QUERY_FAIL(r, err, "users: %s", strerror(-err)) : err;
}
