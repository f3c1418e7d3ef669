/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The union of sketches is the greatest rank of each register. The store finds it, and says
 * how many registers have which rank: more is not needed, as it does not matter which.
 */
#include "userspace/query/user_counts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "userspace/fleet/sketch.h"

#define TEXT_SIZE 1024

struct counting {
	struct query_run *run;
	user_count_fn row;
	void *arg;
	bool any;
	uint64_t t;
	char values[QUERY_KEYS_MAX + 1][TEXT_SIZE]; /* the metric is the last */
	struct sketch sketch;
	unsigned filled;
};

static const struct query_slices slices = { .keys = true, .metric = true };

static int counting_end(struct counting *c)
{
	unsigned by = c->run->q->by_count;
	struct user_count u = { .t = c->t, .metric = c->values[by] };

	if (!c->any)
		return 0;
	for (unsigned i = 0; i < by; i++)
		u.values[i] = c->values[i];
	u.users = sketch_count(&c->sketch, &u.error);
	return c->row(c->arg, &u);
}

static bool is_same(const struct counting *c, const struct store_value *v)
{
	if (!c->any || c->t != query_u64(&v[0]))
		return false;
	for (unsigned i = 0; i <= c->run->q->by_count; i++)
		if (strncmp(c->values[i], query_text(&v[1 + i]), TEXT_SIZE - 1))
			return false;
	return true;
}

static void counting_begin(struct counting *c, const struct store_value *v)
{
	c->any = true;
	c->t = query_u64(&v[0]);
	for (unsigned i = 0; i <= c->run->q->by_count; i++)
		snprintf(c->values[i], TEXT_SIZE, "%s", query_text(&v[1 + i]));
	memset(&c->sketch, 0, sizeof(c->sketch));
	c->filled = 0;
}

/* Bucket, keys, metric, rank, registers. */
static int rank_row(void *arg, const struct store_value *v, size_t count)
{
	struct counting *c = arg;
	uint64_t rank, registers;

	if (!is_same(c, v)) {
		int err = counting_end(c);

		if (err)
			return err;
		counting_begin(c, v);
	}
	rank = query_u64(&v[2 + c->run->q->by_count]);
	registers = query_u64(&v[3 + c->run->q->by_count]);
	for (; registers && c->filled < SKETCH_REGISTERS; registers--)
		sketch_raise(&c->sketch, c->filled++, rank < UINT8_MAX ? rank : UINT8_MAX);
	return 0;
}

/* Requests have more tags than their users. */
static int keys_check(const struct query_run *r)
{
	static const char words[] = TAG_KEY_ENDPOINT " " TAG_KEY_STATUS " " TAG_KEY_MODE;
	const struct query *q = r->q;

	for (const char *word = words; *word; word += strcspn(word, " "), word += *word == ' ') {
		char key[16];

		snprintf(key, sizeof(key), "%.*s", (int)strcspn(word, " "), word);
		for (unsigned i = 0; i < q->by_count + q->where_count; i++)
			if (!strcmp(i < q->by_count ? q->by[i] : q->where[i - q->by_count].key, key))
				return QUERY_FAIL(r, -EINVAL, "users are not told apart by %s", key);
	}
	return 0;
}

static void ranks_write(const struct query_run *r, uint64_t step, FILE *out)
{
	fputs("SELECT bucket, ", out);
	query_sql_keys(r, &slices, out);
	fputs("top, count(*) AS registers FROM (SELECT ", out);
	fprintf(out, "intDiv(t, %" PRIu64 ") * %" PRIu64 " AS bucket, ", step, step);
	query_sql_keys(r, &slices, out);
	fputs("slot, max(level) AS top FROM ", out);
	query_sql_from(r, FACT_USERS, &slices, out);
	fputs(" GROUP BY bucket, ", out);
	query_sql_keys(r, &slices, out);
	fputs("slot) AS merged GROUP BY bucket, ", out);
	query_sql_keys(r, &slices, out);
	fputs("top ORDER BY bucket, ", out);
	query_sql_keys(r, &slices, out);
	fputs("top", out);
}

int user_counts(struct query_run *r, uint32_t step_s, user_count_fn row, void *arg)
{
	struct counting c = { .run = r, .row = row, .arg = arg };
	struct query_sql sql;
	int err = keys_check(r);

	if (!err)
		err = query_sql_begin(r, &sql);
	if (err)
		return err;
	ranks_write(r, step_s == USER_COUNTS_ALL ? UINT64_C(1) << 32 : step_s, sql.out);
	err = query_sql_select(r, &sql, rank_row, &c);
	return err ? err : counting_end(&c);
}
