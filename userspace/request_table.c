/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/request_table.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Without memory, HASH_ADD leaves hh.tbl NULL instead of calling exit(). */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "userspace/confidence.h"
#include "userspace/histogram.h"
#include "userspace/saturate.h"

#define KEY_SIZE (REQUEST_BY_MAX * (REQUEST_FIELD_SIZE + 1))

const double request_quantile_levels[REQUEST_QUANTILES] = { 0.5, 0.9, 0.99 };
const char *const request_quantile_names[REQUEST_QUANTILES] = { "p50", "p90", "p99" };

/* A row as it grows. */
struct entry {
	char *key; /* the values, each with its NUL */
	struct request_row row;
	double plain_cost, plain_squares; /* of those not probed */
	double probed_raw, probed_squares, probed_cost; /* of the others */
	struct histogram bins[REQUEST_DISTRIBUTIONS];
	struct histogram probed_bins; /* of costs */
	struct profile_estimates estimates;
	UT_hash_handle hh;
};

struct adding {
	const struct profile *p;
	const struct request_query *q;
	struct arena *strings;
	struct entry *entries;
	struct entry total;
};

/* ---- what came since a moment ---- */

static int group_copy(const struct profile_group *g, struct profile_group *ret)
{
	int err = 0;

	*ret = *g;
	memset(ret->distributions, 0, sizeof(ret->distributions));
	for (int d = 0; !err && d < REQUEST_DISTRIBUTIONS; d++)
		err = histogram_merge(&ret->distributions[d], g->distributions[d].bins, g->distributions[d].count);
	if (!g->estimates)
		return err;
	ret->estimates = malloc(sizeof(*ret->estimates));
	if (!ret->estimates)
		return -ENOMEM;
	*ret->estimates = *g->estimates;
	return err;
}

static void group_clear(struct profile_group *g)
{
	free(g->estimates);
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
		histogram_free(&g->distributions[d]);
}

int request_moment_take(const struct profile *p, struct request_moment *ret)
{
	struct request_moment m = { .duration_ns = p->duration_ns };
	int err = 0;

	m.groups = calloc(p->requests.group_count, sizeof(*m.groups));
	if (!m.groups)
		return -ENOMEM;
	for (; !err && m.count < p->requests.group_count; m.count++)
		err = group_copy(&p->requests.groups[m.count], &m.groups[m.count]);
	if (err)
		request_moment_free(&m);
	else
		*ret = m;
	return err;
}

void request_moment_free(struct request_moment *m)
{
	for (size_t i = 0; i < m->count; i++)
		group_clear(&m->groups[i]);
	free(m->groups);
	*m = (struct request_moment){ 0 };
}

/* Each bin of the earlier ones is in the later ones, and no greater. */
static void bins_take_out(struct histogram *h, const struct histogram *old)
{
	uint32_t kept = 0, at = 0;

	for (uint32_t i = 0; i < h->count; i++) {
		struct sink_bin bin = h->bins[i];

		while (at < old->count && old->bins[at].bin < bin.bin)
			at++;
		if (at < old->count && old->bins[at].bin == bin.bin)
			bin.count -= old->bins[at].count;
		if (bin.count)
			h->bins[kept++] = bin;
	}
	h->count = kept;
}

/* Batches may have been put together since then: they say nothing of the difference. */
static void sum_take_out(struct phase_sum *s, const struct phase_sum *old)
{
	s->sum -= old->sum;
	s->chance = fmax(s->chance - old->chance, 0);
	memset(s->batches, 0, sizeof(s->batches));
}

static int group_since(const struct profile_group *g, const struct profile_group *old,
		       struct profile_group *ret)
{
	int err = group_copy(g, ret);

	if (err) {
		group_clear(ret);
		return err;
	}
	ret->count -= old->count;
	for (int m = 0; m < REQUEST_MEASURES; m++) {
		ret->sums[m] -= old->sums[m];
		ret->squares[m] = fmax(ret->squares[m] - old->squares[m], 0);
	}
	for (int b = 0; b < REQUEST_BACKENDS; b++) {
		ret->backend_calls[b] -= old->backend_calls[b];
		ret->backend_ns[b] -= old->backend_ns[b];
	}
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
		bins_take_out(&ret->distributions[d], &old->distributions[d]);
	if (ret->estimates && old->estimates) {
		sum_take_out(&ret->estimates->count, &old->estimates->count);
		sum_take_out(&ret->estimates->cost, &old->estimates->cost);
	}
	return 0;
}

/* ---- adding up ---- */

/* What the probes cost a call of this process, by its calibration. */
static double probed_call_cost(const struct profile *p, uint32_t pid)
{
	/* The last of that pid: what came before an exec was another program. */
	for (size_t i = p->process_count; i-- > 0;)
		if (p->processes[i].pid == pid) {
			const struct sink_calibration *c =
				profile_calibration(p, &p->processes[i]);

			return c->entry + c->exit;
		}
	return 0;
}

static void row_add(struct request_row *r, const struct profile_group *g)
{
	r->count = saturating_add(r->count, g->count);
	/* A task has no status. */
	if (g->of.status >= 500 || (!g->of.status && !(g->of.flags & GROUP_TASK)))
		r->failed = saturating_add(r->failed, g->count);
	if (g->of.flags & GROUP_ABORTED)
		r->aborted = saturating_add(r->aborted, g->count);
	if (g->of.flags & GROUP_EXACT)
		r->probed = saturating_add(r->probed, g->count);
	if (g->of.flags & GROUP_SHARED)
		r->shared = saturating_add(r->shared, g->count);
	if (g->of.flags & GROUP_TICKS)
		r->by_ticks = saturating_add(r->by_ticks, g->count);
	for (int m = 0; m < REQUEST_MEASURES; m++) {
		r->sums[m] = saturating_add_signed(r->sums[m], g->sums[m]);
		r->squares[m] += g->squares[m];
	}
	for (int b = 0; b < REQUEST_BACKENDS; b++) {
		r->backend_calls[b] = saturating_add(r->backend_calls[b], g->backend_calls[b]);
		r->backend_ns[b] = saturating_add(r->backend_ns[b], g->backend_ns[b]);
	}
}

static int entry_add(struct entry *e, const struct profile *p, const struct profile_group *g)
{
	bool probed = g->of.flags & GROUP_EXACT;
	double raw = g->sums[REQUEST_COST];
	double cost = fmax(raw - probed_call_cost(p, g->of.pid) * g->sums[REQUEST_PROBED_CALLS], 0);
	int err = 0;

	row_add(&e->row, g);
	e->row.cost += cost;
	if (g->estimates) {
		phase_sum_join(&e->estimates.count, &g->estimates->count);
		phase_sum_join(&e->estimates.cost, &g->estimates->cost);
	}
	if (probed) {
		e->probed_raw += raw;
		e->probed_cost += cost;
		e->probed_squares += g->squares[REQUEST_COST];
	} else {
		e->plain_cost += cost;
		e->plain_squares += g->squares[REQUEST_COST];
	}
	for (int d = 0; !err && d < REQUEST_DISTRIBUTIONS; d++) {
		struct histogram *h = probed && d == DISTRIBUTION_COST ? &e->probed_bins
								       : &e->bins[d];

		err = histogram_merge(h, g->distributions[d].bins, g->distributions[d].count);
	}
	return err;
}

/* The values of all fields, each with its NUL; their size. */
static size_t key_make(const struct adding *a, const struct sink_group *g, char *key)
{
	char text[REQUEST_FIELD_SIZE];
	size_t used = 0;

	for (size_t i = 0; i < a->q->by_count; i++) {
		const char *value =
			request_field_value(a->p, a->q->views, g, &a->q->by[i], text);
		size_t size = strnlen(value, REQUEST_FIELD_SIZE - 1);

		memcpy(key + used, value, size);
		key[used + size] = 0;
		used += size + 1;
	}
	return used;
}

static int entry_of(struct adding *a, const struct sink_group *g, struct entry **ret)
{
	char key[KEY_SIZE];
	size_t size = key_make(a, g, key), at = 0;
	struct entry *e;

	HASH_FIND(hh, a->entries, key, size, e);
	if (e) {
		*ret = e;
		return 0;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->key = arena_alloc(a->strings, size + 1);
	if (e->key) {
		memcpy(e->key, key, size);
		HASH_ADD_KEYPTR(hh, a->entries, e->key, size, e);
	}
	if (!e->key || !e->hh.tbl) {
		free(e);
		return -ENOMEM;
	}
	for (size_t i = 0; i < a->q->by_count; i++) {
		e->row.keys[i] = e->key + at;
		at += strlen(e->key + at) + 1;
	}
	*ret = e;
	return 0;
}

static int group_add(struct adding *a, const struct profile_group *g)
{
	struct entry *e;
	int err;

	if (!g->count && !(g->estimates && g->estimates->count.sum > 0))
		return 0;
	err = entry_of(a, &g->of, &e);
	if (!err)
		err = entry_add(e, a->p, g);
	return err ? err : entry_add(&a->total, a->p, g);
}

static bool is_wanted(const struct adding *a, const struct sink_group *g)
{
	for (size_t i = 0; i < a->q->filter_count; i++)
		if (!request_filter_passes(a->p, a->q->views, g, &a->q->filters[i]))
			return false;
	return true;
}

static int groups_add(struct adding *a)
{
	const struct request_moment *since = a->q->since;
	int err = 0;

	for (size_t i = 1; !err && i < a->p->requests.group_count; i++) {
		const struct profile_group *g = &a->p->requests.groups[i];
		struct profile_group later;

		if (!is_wanted(a, &g->of))
			continue;
		if (!since || i >= since->count) {
			err = group_add(a, g);
			continue;
		}
		err = group_since(g, &since->groups[i], &later);
		if (!err) {
			err = group_add(a, &later);
			group_clear(&later);
		}
	}
	return err;
}

/* ---- what is said of one request ---- */

static void quantiles_set(double *quantiles, const struct histogram *h, double scale)
{
	for (int i = 0; i < REQUEST_QUANTILES; i++)
		quantiles[i] =
			scale * bins_quantile(h->bins, h->count, request_quantile_levels[i]);
}

static double error_of(const struct request_table *t, const struct phase_sum *s)
{
	return t->later ? sqrt(s->chance) : phase_sum_error(&t->profile->requests.phases, s);
}

/* Of all requests; those not yet of a phase that is over are in no estimate. */
static void entry_estimate(const struct request_table *t, struct entry *e)
{
	const struct phase_times *phases = &t->profile->requests.phases;
	double all = ((double)phases->gap_ns + phases->watched_ns) / 1e9;
	double scale = !t->later && all > 0 && t->seconds > all ? t->seconds / all : 1;
	struct request_row *r = &e->row;

	if (!t->estimated) {
		r->estimate = r->count;
		return;
	}
	r->estimate = scale * e->estimates.count.sum;
	r->estimate_error = scale * error_of(t, &e->estimates.count);
	r->cost = scale * e->estimates.cost.sum;
	r->total_error = scale * error_of(t, &e->estimates.cost);
}

static void entry_finish(const struct request_table *t, struct entry *e)
{
	struct request_row *r = &e->row;
	double scale = 1;

	entry_estimate(t, e);
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
		quantiles_set(r->quantiles[d], &e->bins[d], 1);
	r->cost_count = r->count - r->probed;
	if (r->cost_count) {
		r->cost_mean = e->plain_cost / r->cost_count;
		r->cost_error =
			confidence_of_mean(r->cost_count, e->plain_cost, e->plain_squares);
		return;
	}
	if (!r->count)
		return;
	r->corrected = true;
	r->cost_count = r->count;
	if (e->probed_raw > 0)
		scale = e->probed_cost / e->probed_raw;
	r->cost_mean = e->probed_cost / r->count;
	r->cost_error =
		scale * confidence_of_mean(r->count, e->probed_raw, e->probed_squares);
	quantiles_set(r->quantiles[DISTRIBUTION_COST], &e->probed_bins, scale);
}

static void entry_clear(struct entry *e)
{
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
		histogram_free(&e->bins[d]);
	histogram_free(&e->probed_bins);
}

static void entries_free(struct adding *a)
{
	struct entry *e, *tmp;

	HASH_ITER(hh, a->entries, e, tmp) {
		HASH_DEL(a->entries, e);
		entry_clear(e);
		free(e);
	}
	entry_clear(&a->total);
}

static int rows_make(struct adding *a, struct request_table *t)
{
	struct entry *e, *tmp;

	t->rows = calloc(HASH_COUNT(a->entries) + 1, sizeof(*t->rows));
	if (!t->rows)
		return -ENOMEM;
	HASH_ITER(hh, a->entries, e, tmp) {
		entry_finish(t, e);
		t->rows[t->row_count++] = e->row;
	}
	entry_finish(t, &a->total);
	t->total = a->total.row;
	return 0;
}

static void workers_add(struct request_table *t)
{
	const struct profile *p = t->profile;

	for (size_t i = 0; i < p->requests.worker_count; i++) {
		t->has_workers = true;
		t->workers_cost = saturating_add(t->workers_cost, p->requests.workers[i].cost);
		t->workers_request_cost =
			saturating_add(t->workers_request_cost, p->requests.workers[i].request_cost);
	}
}

int request_table_compute(const struct profile *p, const struct request_query *q,
			  struct request_table *ret)
{
	struct request_table t = { .profile = p };
	struct adding a = { .p = p, .q = q, .strings = &t.strings };
	uint64_t since = q->since ? q->since->duration_ns : 0;
	int err = q->by_count > REQUEST_BY_MAX ? -E2BIG : groups_add(&a);

	t.seconds = (p->duration_ns > since ? p->duration_ns - since : 0) / 1e9;
	t.later = since;
	/* What was watched all the time is known. */
	t.estimated = p->meta.budget && phase_share(&p->requests.phases) < 1;
	if (!err)
		err = rows_make(&a, &t);
	entries_free(&a);
	if (err) {
		request_table_free(&t);
		return err;
	}
	workers_add(&t);
	*ret = t;
	return 0;
}

void request_table_free(struct request_table *t)
{
	free(t->rows);
	arena_free(&t->strings);
	*t = (struct request_table){ 0 };
}
