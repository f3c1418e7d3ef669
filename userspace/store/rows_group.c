// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "userspace/store/rows.h"
#include "userspace/tally.h"

#define KEYS_MAX 4 /* t, fleet and two of the fact's own */

/* A row that is added up over hosts: what it is of, then its sums. */
struct merged {
	uint64_t keys[KEYS_MAX];
	struct store_value values[];
};

struct merging {
	struct schema_column columns[SCHEMA_COLUMNS_MAX];
	size_t count, key_count; /* columns; those after the front that are keys */
	struct tally rows;
};

static void add_up(struct store_value *to, const struct store_value *more, enum schema_role role)
{
	if (!to->type)
		*to = *more;
	else if (role == COLUMN_MAX)
		to->u64 = more->u64 > to->u64 ? more->u64 : to->u64;
	else if (to->type == STORE_F64)
		to->f64 += more->f64;
	else
		to->u64 += more->u64;
}

static int merge(void *arg, const struct store_value *values, size_t count)
{
	struct merging *m = arg;
	uint64_t keys[KEYS_MAX] = {values[1].u64, values[3].u64};
	size_t first = SCHEMA_MINUTE_FRONT + m->key_count;
	struct merged *row;
	int err;

	for (size_t i = 0; i < m->key_count; i++)
		keys[2 + i] = values[SCHEMA_MINUTE_FRONT + i].u64;
	err = tally_at(&m->rows, keys, &row);
	for (size_t i = first; !err && i < count; i++)
		add_up(&row->values[i - first], &values[i], m->columns[i].role);
	return err;
}

static int tell(const struct merging *m, uint64_t attempt, rows_fn fn, void *arg)
{
	struct store_value values[SCHEMA_COLUMNS_MAX] = {{STORE_U64, {.u64 = attempt}}};
	size_t first = SCHEMA_MINUTE_FRONT + m->key_count;
	int err = 0;

	for (uint32_t r = 0; !err && r < m->rows.count; r++) {
		const struct merged *row =
			(const void *)((const char *)m->rows.items + r * m->rows.item_size);

		values[1] = (struct store_value){STORE_U64, {.u64 = row->keys[0]}};
		values[2] = (struct store_value){STORE_U64, {.u64 = row->keys[1]}};
		values[3] = values[2];
		for (size_t i = 0; i < m->key_count; i++)
			values[SCHEMA_MINUTE_FRONT + i] =
				(struct store_value){STORE_U64, {.u64 = row->keys[2 + i]}};
		memcpy(values + first, row->values, (m->count - first) * sizeof(*values));
		err = fn(arg, values, m->count);
	}
	return err;
}

int rows_of_group(const struct batch *const *b, size_t n, uint64_t attempt, enum store_fact fact,
		  rows_fn row, void *arg)
{
	struct merging m = {.rows = {.key_size = sizeof(((struct merged *)0)->keys)}};
	bool by_host = schema_by_host(fact);
	int err = 0;

	m.count = schema_fact_columns(fact, 60, m.columns);
	while (m.columns[SCHEMA_MINUTE_FRONT + m.key_count].role == COLUMN_KEY)
		m.key_count++;
	m.rows.item_size = sizeof(struct merged) + (m.count - SCHEMA_MINUTE_FRONT - m.key_count) *
							   sizeof(struct store_value);
	for (size_t i = 0; !err && i < n; i++)
		err = by_host ? rows_of_fact(b[i], attempt, fact, row, arg) :
				rows_of_fact(b[i], attempt, fact, merge, &m);
	if (!err && !by_host)
		err = tell(&m, attempt, row, arg);
	tally_clear(&m.rows);
	return err;
}
