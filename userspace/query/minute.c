/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/query/minute.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/query/query_groups.h"
#include "userspace/query/user_counts.h"

#define NS 1e9

const double minute_bounds[MINUTE_BOUNDS] = {
	0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
};

/* In the order of a group's values; users have the first two. */
static const char *const keys[] = { TAG_KEY_SERVICE, TAG_KEY_VERSION, TAG_KEY_ENDPOINT, TAG_KEY_STATUS };
#define USER_KEYS 2

struct loading {
	struct query_run *run;
	struct minute *minute;
	size_t limit;
};

uint64_t minute_last(uint64_t now_s, uint64_t late_s)
{
	uint64_t end = now_s > late_s ? (now_s - late_s) / MINUTE_S * MINUTE_S : 0;

	return end > MINUTE_S ? end - MINUTE_S : 0;
}

static const char *keep(struct minute *m, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = arena_alloc(&m->memory, size);

	return copy ? memcpy(copy, text, size) : NULL;
}

/* ---- requests ---- */

static unsigned bucket_of(unsigned bin)
{
	double low = histogram_low(bin), high = histogram_high(bin), middle = (low + high) / 2 / NS;
	unsigned n = 0;

	while (n < MINUTE_BOUNDS && middle > minute_bounds[n])
		n++;
	return n;
}

static void row_add(struct minute_row *row, const struct query_group *g)
{
	const struct histogram *h = &g->bins[DISTRIBUTION_LATENCY];

	row->requests += g->estimate;
	row->cost += g->cost;
	row->latency_s += g->sums[REQUEST_LATENCY] / NS;
	for (uint32_t i = 0; i < h->count; i++) {
		row->latency[bucket_of(h->bins[i].bin)] += h->bins[i].count;
		row->watched += h->bins[i].count;
	}
}

static int row_name(struct minute *m, struct minute_row *row, const char *const *values,
		    const char *metric)
{
	row->service = keep(m, values[0]);
	row->version = keep(m, values[1]);
	row->endpoint = keep(m, values[2]);
	row->status = keep(m, values[3]);
	row->metric = keep(m, metric);
	return row->service && row->version && row->endpoint && row->status && row->metric ? 0 : -ENOMEM;
}

/* By name where there are as many, so that the same are kept each time. */
static int by_requests(const void *a, const void *b)
{
	const struct query_group *x = *(struct query_group *const *)a, *y = *(struct query_group *const *)b;
	int order = 0;

	if (x->estimate != y->estimate)
		return x->estimate > y->estimate ? -1 : 1;
	for (size_t i = 0; !order && i < sizeof(keys) / sizeof(*keys); i++)
		order = strcmp(x->values[i], y->values[i]);
	return order ? order : strcmp(x->metric, y->metric);
}

static int by_service(const void *a, const void *b)
{
	const struct query_group *x = *(struct query_group *const *)a, *y = *(struct query_group *const *)b;
	int order = strcmp(x->values[0], y->values[0]);

	return order ? order : strcmp(x->metric, y->metric);
}

/* Those that are put together come by service, so the row is one of the last. */
static struct minute_row *other_find(struct minute *m, size_t first, const char *service,
				     const char *metric)
{
	for (size_t i = m->row_count; i > first && i + QUERY_PAIRS_MAX > m->row_count; i--)
		if (!strcmp(m->rows[i - 1].service, service) && !strcmp(m->rows[i - 1].metric, metric))
			return &m->rows[i - 1];
	return NULL;
}

static int other_add(struct loading *l, size_t first, size_t room, const struct query_group *g)
{
	const char *values[] = { g->values[0], MINUTE_OTHER, MINUTE_OTHER, MINUTE_OTHER };
	struct minute *m = l->minute;
	struct minute_row *row = other_find(m, first, values[0], g->metric);
	int err = 0;

	m->cut++;
	if (!row && m->row_count - first >= l->limit) {
		values[0] = MINUTE_OTHER;
		row = other_find(m, first, values[0], g->metric);
	}
	if (!row && m->row_count == room)
		return 0;
	if (!row) {
		row = &m->rows[m->row_count];
		err = row_name(m, row, values, g->metric);
		m->row_count += !err;
	}
	if (!err)
		row_add(row, g);
	return err;
}

static int rows_make(struct loading *l, struct query_group **order, size_t count)
{
	size_t kept = count < l->limit ? count : l->limit, room = 2 * kept + QUERY_PAIRS_MAX;
	struct minute *m = l->minute;
	int err = 0;

	m->rows = calloc(room, sizeof(*m->rows));
	if (!m->rows)
		return -ENOMEM;
	qsort(order, count, sizeof(*order), by_requests);
	for (; !err && m->row_count < kept; m->row_count++) {
		struct query_group *g = order[m->row_count];

		err = row_name(m, &m->rows[m->row_count], g->values, g->metric);
		row_add(&m->rows[m->row_count], g);
	}
	qsort(order + kept, count - kept, sizeof(*order), by_service);
	for (size_t i = kept; !err && i < count; i++)
		err = other_add(l, kept, room, order[i]);
	return err;
}

static int rows_load(struct loading *l)
{
	struct query_group *groups = NULL, *g, **order;
	int err = query_groups_load(l->run, &groups);
	size_t count = 0;

	if (err)
		return err;
	order = calloc(HASH_COUNT(groups) + 1, sizeof(*order));
	for (g = groups; order && g; g = g->hh.next)
		order[count++] = g;
	err = order ? rows_make(l, order, count) : -ENOMEM;
	free(order);
	query_groups_free(groups);
	return err;
}

/* ---- users ---- */

/* Distinct users cannot be added up: those beyond the limit are left out. */
static int users_row(void *arg, const struct user_count *u)
{
	struct loading *l = arg;
	struct minute *m = l->minute;
	struct minute_users *row;

	if (m->user_count == l->limit) {
		m->cut++;
		return 0;
	}
	row = &m->users[m->user_count];
	*row = (struct minute_users){ keep(m, u->values[0]), keep(m, u->values[1]), keep(m, u->metric),
				      u->users };
	if (!row->service || !row->version || !row->metric)
		return -ENOMEM;
	m->user_count++;
	return 0;
}

/* Users are not told apart by what their requests were. */
static bool has_users(const struct query *q)
{
	for (unsigned i = 0; i < q->where_count; i++)
		if (!strcmp(q->where[i].key, TAG_KEY_ENDPOINT) || !strcmp(q->where[i].key, TAG_KEY_STATUS))
			return false;
	return true;
}

static int users_load(struct loading *l)
{
	struct minute *m = l->minute;

	if (!has_users(l->run->q))
		return 0;
	m->users = calloc(l->limit, sizeof(*m->users));
	return m->users ? user_counts(l->run, USER_COUNTS_ALL, users_row, l) : -ENOMEM;
}

/* ---- both ---- */

int minute_load(struct store *s, const struct query *where, uint64_t begin_s, size_t limit,
		struct minute *ret, char *err, size_t errlen)
{
	struct query q = *where;
	struct query_run r = { .store = s, .q = &q, .now_s = begin_s + MINUTE_S, .err = err,
			       .errlen = errlen };
	struct minute m = { .begin_s = begin_s };
	struct loading l = { .run = &r, .minute = &m, .limit = limit };
	int error;

	*err = '\0';
	q.what = QUERY_REQUESTS;
	for (q.by_count = 0; q.by_count < sizeof(keys) / sizeof(*keys); q.by_count++)
		strcpy(q.by[q.by_count], keys[q.by_count]);
	error = store_source(s, begin_s, begin_s + MINUTE_S, MINUTE_S, false, &r.source, err, errlen);
	if (!error)
		error = rows_load(&l);
	q.by_count = USER_KEYS;
	if (!error)
		error = users_load(&l);
	if (error) {
		if (!*err)
			snprintf(err, errlen, "%s", strerror(-error));
		minute_free(&m);
		return error;
	}
	*ret = m;
	return 0;
}

void minute_free(struct minute *m)
{
	free(m->rows);
	free(m->users);
	arena_free(&m->memory);
	memset(m, 0, sizeof(*m));
}
