/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/recording_requests.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "userspace/bytes.h"
#include "userspace/histogram.h"
#include "userspace/recording_block.h"

/* ---- what both ends check ---- */

bool tags_are_valid(const struct sink_tags *t)
{
	if (t->count > TAGS_MAX)
		return false;
	for (uint32_t i = 0; i < t->count; i++)
		if (!*t->keys[i] || (i && strcmp(t->keys[i - 1], t->keys[i]) >= 0))
			return false;
	return true;
}

bool endpoint_is_valid(const struct request_ids *told, const struct sink_endpoint *e)
{
	return e->source >= ENDPOINT_PATTERN && e->source <= ENDPOINT_OTHER && e->tags <= told->tags;
}

bool group_is_valid(const struct request_ids *told, const struct sink_group *g)
{
	return g->endpoint && g->endpoint <= told->endpoints && g->tags <= told->tags &&
	       !(g->flags & ~GROUP_FLAGS);
}

static bool bins_are_valid(const struct sink_bin *bins, uint32_t n, uint64_t requests)
{
	for (uint32_t i = 0; i < n; i++)
		if (bins[i].bin >= HISTOGRAM_BINS || !bins[i].count ||
		    (i && bins[i - 1].bin >= bins[i].bin))
			return false;
	return !n || bins_total(bins, n) == requests;
}

bool requests_are_valid(const struct request_ids *told, const struct sink_requests *r)
{
	if (!r->group || r->group > told->groups || !r->count)
		return false;
	for (int m = 0; m < REQUEST_MEASURES; m++)
		if (!(r->squares[m] >= 0) || isinf(r->squares[m]) ||
		    (r->sums[m] < 0 && m != REQUEST_RSS))
			return false;
	for (uint32_t i = 0; i < REQUEST_BACKENDS; i++)
		if (i >= told->backends && (r->backend_calls[i] || r->backend_ns[i]))
			return false;
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
		if (!bins_are_valid(r->bins[d], r->bin_counts[d], r->count))
			return false;
	return true;
}

/* Longer ones than a year are not added up. */
#define PHASE_MAX_NS ((uint64_t)1 << 55)

bool phase_is_valid(const struct request_ids *told, const struct sink_phase *p)
{
	return told->phases && p->watched_ns < PHASE_MAX_NS && p->gap_ns < PHASE_MAX_NS;
}

/* ---- writing ---- */

int block_tags(struct block *b, struct request_ids *told, const struct sink_tags *t)
{
	int err;

	if (t->id != told->tags + 1 || !tags_are_valid(t))
		return -EINVAL;
	err = block_fact(b, FACT_TAGS,
			 VARINT_MAX + block_strings_size(t->keys, t->count) +
				 block_strings_size(t->values, t->count));
	if (err)
		return err;
	told->tags = t->id;
	block_varint(b, t->count);
	for (uint32_t i = 0; i < t->count; i++) {
		block_strings(b, &t->keys[i], 1);
		block_strings(b, &t->values[i], 1);
	}
	return 0;
}

int block_common_tags(struct block *b, const struct request_ids *told, uint32_t tags)
{
	int err = tags > told->tags ? -EINVAL : block_fact(b, FACT_COMMON_TAGS, VARINT_MAX);

	if (!err)
		block_varint(b, tags);
	return err;
}

int block_endpoint(struct block *b, struct request_ids *told, const struct sink_endpoint *e)
{
	const char *strings[] = { e->method, e->name };
	int err;

	if (e->id != told->endpoints + 1 || !endpoint_is_valid(told, e))
		return -EINVAL;
	err = block_fact(b, FACT_ENDPOINT, 2 * VARINT_MAX + block_strings_size(strings, 2));
	if (err)
		return err;
	told->endpoints = e->id;
	block_varint(b, e->source);
	block_varint(b, e->tags);
	block_strings(b, strings, 2);
	return 0;
}

int block_backend(struct block *b, struct request_ids *told, const struct sink_backend *e)
{
	int err;

	if (e->id != told->backends + 1 || e->id > REQUEST_BACKENDS)
		return -EINVAL;
	err = block_fact(b, FACT_BACKEND, block_strings_size(&e->name, 1));
	if (err)
		return err;
	told->backends = e->id;
	block_strings(b, &e->name, 1);
	return 0;
}

int block_group(struct block *b, struct request_ids *told, const struct sink_group *g)
{
	int err;

	if (g->id != told->groups + 1 || !group_is_valid(told, g))
		return -EINVAL;
	err = block_fact(b, FACT_GROUP, 5 * VARINT_MAX);
	if (err)
		return err;
	told->groups = g->id;
	block_varint(b, g->endpoint);
	block_varint(b, g->pid);
	block_varint(b, g->tags);
	block_varint(b, g->status);
	block_varint(b, g->flags);
	return 0;
}

static void add_measures(struct block *b, const struct sink_requests *r)
{
	uint64_t present = 0;

	for (int m = 0; m < REQUEST_MEASURES; m++)
		if (r->sums[m] || r->squares[m] != 0)
			present |= 1ull << m;
	block_varint(b, present);
	for (int m = 0; m < REQUEST_MEASURES; m++)
		if (present & 1ull << m) {
			block_varint(b, zigzag(r->sums[m]));
			block_double(b, r->squares[m]);
		}
}

static void add_backends(struct block *b, const struct sink_requests *r)
{
	uint64_t present = 0;

	for (int i = 0; i < REQUEST_BACKENDS; i++)
		if (r->backend_calls[i] || r->backend_ns[i])
			present |= 1ull << i;
	block_varint(b, present);
	for (int i = 0; i < REQUEST_BACKENDS; i++)
		if (present & 1ull << i) {
			block_varint(b, r->backend_calls[i]);
			block_varint(b, r->backend_ns[i]);
		}
}

static void add_bins(struct block *b, const struct sink_bin *bins, uint32_t n)
{
	int last = -1;

	block_varint(b, n);
	for (uint32_t i = 0; i < n; i++) {
		block_varint(b, bins[i].bin - last - 1);
		block_varint(b, bins[i].count);
		last = bins[i].bin;
	}
}

int block_requests(struct block *b, const struct request_ids *told, const struct sink_requests *r)
{
	size_t size = (4 + 2 * REQUEST_BACKENDS + REQUEST_DISTRIBUTIONS) * VARINT_MAX +
		      REQUEST_MEASURES * (VARINT_MAX + sizeof(double));
	int err;

	if (!requests_are_valid(told, r))
		return -EINVAL;
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
		size += r->bin_counts[d] * 2 * VARINT_MAX;
	err = block_fact(b, FACT_REQUESTS, size);
	if (err)
		return err;
	block_varint(b, r->group);
	block_varint(b, r->count);
	add_measures(b, r);
	add_backends(b, r);
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
		add_bins(b, r->bins[d], r->bin_counts[d]);
	return 0;
}

int block_phase(struct block *b, const struct request_ids *told, const struct sink_phase *p)
{
	int err = phase_is_valid(told, p) ? block_fact(b, FACT_PHASE, 4 * VARINT_MAX) : -EINVAL;

	if (err)
		return err;
	block_varint(b, p->gap_ns);
	block_varint(b, p->watched_ns);
	block_varint(b, p->cost_ns);
	block_varint(b, p->cpu_ns);
	return 0;
}

int block_worker(struct block *b, const struct request_ids *told, const struct sink_worker *w)
{
	int err = block_fact(b, FACT_WORKER, 12 * VARINT_MAX);

	if (err)
		return err;
	block_varint(b, w->pid);
	block_varint(b, w->ppid);
	block_varint(b, w->born_ns);
	block_varint(b, w->died_ns);
	block_varint(b, zigzag(w->exit_status));
	block_varint(b, w->requests);
	block_varint(b, w->cost);
	block_varint(b, w->cpu_ns);
	block_varint(b, w->request_cost);
	block_varint(b, w->birth_rss);
	block_varint(b, w->last_rss);
	block_varint(b, w->peak_rss);
	return 0;
}

int block_import(struct block *b, const struct request_ids *told, const struct sink_import *i)
{
	int err;

	if (i->endpoint > told->endpoints || !i->count)
		return -EINVAL;
	err = block_fact(b, FACT_IMPORT, 7 * VARINT_MAX + block_strings_size(&i->module, 1));
	if (err)
		return err;
	block_varint(b, i->endpoint);
	block_varint(b, i->function);
	block_strings(b, &i->module, 1);
	block_varint(b, i->count);
	block_varint(b, i->ns);
	block_varint(b, i->cost);
	block_varint(b, i->self_ns);
	block_varint(b, i->self_cost);
	return 0;
}

int block_collection(struct block *b, const struct request_ids *told,
		     const struct sink_collection *c)
{
	int err;

	if (c->endpoint > told->endpoints || !c->count)
		return -EINVAL;
	err = block_fact(b, FACT_COLLECTION, 7 * VARINT_MAX);
	if (err)
		return err;
	block_varint(b, c->endpoint);
	block_varint(b, c->function);
	block_varint(b, c->generation);
	block_varint(b, c->count);
	block_varint(b, c->ns);
	block_varint(b, c->cost);
	block_varint(b, c->collected);
	return 0;
}
