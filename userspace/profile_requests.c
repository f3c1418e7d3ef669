/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/profile_requests.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/strpool.h"
#include "userspace/profile.h"
#include "userspace/profile_keep.h"
#include "userspace/recording_requests.h"
#include "userspace/saturate.h"
#include "userspace/text.h"

#define MODULES_MAX ((size_t)64 << 20) /* bytes of names of imported modules */

static struct profile *profile_of(struct sink *s)
{
	return (struct profile *)s;
}

static struct request_ids ids_of(const struct profile_requests *r)
{
	return (struct request_ids){ r->tag_count - 1, r->endpoint_count - 1, r->backend_count - 1,
				     r->group_count - 1, false };
}

int profile_tags(struct sink *s, const struct sink_tags *t)
{
	struct profile *p = profile_of(s);
	struct profile_requests *r = &p->requests;
	const char **strings;
	int err;

	if (!p->meta.requests || t->id != r->tag_count || !tags_are_valid(t))
		return -EINVAL;
	err = profile_grow(&r->tags, r->tag_count, &r->tag_capacity, sizeof(*r->tags));
	if (err)
		return err;
	strings = calloc(2 * t->count + 1, sizeof(*strings));
	if (!strings)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->count; i++) {
		strings[i] = t->keys[i];
		strings[t->count + i] = t->values[i];
	}
	for (uint32_t i = 0; i < 2 * t->count && !err; i++)
		err = PROFILE_KEEP(p, &strings[i]);
	if (err) {
		free(strings);
		return err;
	}
	r->tags[r->tag_count++] = (struct sink_tags){ t->id, t->count, strings, strings + t->count };
	return 0;
}

int profile_common_tags(struct sink *s, uint32_t tags)
{
	struct profile *p = profile_of(s);

	if (!p->meta.requests || tags >= p->requests.tag_count)
		return -EINVAL;
	p->requests.common_tags = tags;
	return 0;
}

const char *profile_tag(const struct profile *p, uint32_t tags, const char *key)
{
	const struct sink_tags *t = &p->requests.tags[tags < p->requests.tag_count ? tags : 0];

	for (uint32_t i = 0; i < t->count; i++)
		if (!strcmp(t->keys[i], key))
			return t->values[i];
	return NULL;
}

int profile_endpoint(struct sink *s, const struct sink_endpoint *e)
{
	struct profile *p = profile_of(s);
	struct profile_requests *r = &p->requests;
	struct request_ids ids = ids_of(r);
	struct sink_endpoint kept = *e;
	int err;

	if (!p->meta.requests || e->id != r->endpoint_count || !endpoint_is_valid(&ids, e))
		return -EINVAL;
	err = profile_grow(&r->endpoints, r->endpoint_count, &r->endpoint_capacity,
			   sizeof(*r->endpoints));
	if (!err)
		err = PROFILE_KEEP(p, &kept.method, &kept.name);
	if (!err)
		r->endpoints[r->endpoint_count++] = kept;
	return err;
}

int profile_backend(struct sink *s, const struct sink_backend *b)
{
	struct profile *p = profile_of(s);
	struct profile_requests *r = &p->requests;
	struct sink_backend kept = *b;
	int err;

	if (!p->meta.requests || b->id != r->backend_count || b->id > REQUEST_BACKENDS)
		return -EINVAL;
	err = PROFILE_KEEP(p, &kept.name);
	if (!err)
		r->backends[r->backend_count++] = kept;
	return err;
}

int profile_group(struct sink *s, const struct sink_group *g)
{
	struct profile *p = profile_of(s);
	struct profile_requests *r = &p->requests;
	struct request_ids ids = ids_of(r);
	int err;

	if (!p->meta.requests || g->id != r->group_count || !group_is_valid(&ids, g))
		return -EINVAL;
	err = profile_grow(&r->groups, r->group_count, &r->group_capacity, sizeof(*r->groups));
	if (!err)
		r->groups[r->group_count++].of = *g;
	return err;
}

int profile_requests_add(struct sink *s, const struct sink_requests *q)
{
	struct profile *p = profile_of(s);
	struct request_ids ids = ids_of(&p->requests);
	struct profile_group *g;
	int err = 0;

	if (!p->meta.requests || !requests_are_valid(&ids, q))
		return -EINVAL;
	g = &p->requests.groups[q->group];
	for (int d = 0; d < REQUEST_DISTRIBUTIONS && !err; d++)
		err = histogram_merge(&g->distributions[d], q->bins[d], q->bin_counts[d]);
	if (err)
		return err;
	g->count = saturating_add(g->count, q->count);
	for (int m = 0; m < REQUEST_MEASURES; m++) {
		g->sums[m] = saturating_add_signed(g->sums[m], q->sums[m]);
		g->squares[m] = fmin(g->squares[m] + q->squares[m], DBL_MAX);
	}
	for (int i = 0; i < REQUEST_BACKENDS; i++) {
		g->backend_calls[i] = saturating_add(g->backend_calls[i], q->backend_calls[i]);
		g->backend_ns[i] = saturating_add(g->backend_ns[i], q->backend_ns[i]);
	}
	g->open_count = saturating_add(g->open_count, q->count);
	g->open_cost += q->sums[REQUEST_COST];
	g->open_squares = fmin(g->open_squares + q->squares[REQUEST_COST], DBL_MAX);
	return 0;
}

static int group_phase(const struct phase_times *t, struct profile_group *g, double weight)
{
	if (!g->estimates)
		g->estimates = calloc(1, sizeof(*g->estimates));
	if (!g->estimates)
		return -ENOMEM;
	phase_sum_add(t, &g->estimates->count, weight, g->open_count, g->open_count);
	phase_sum_add(t, &g->estimates->cost, weight, g->open_cost, g->open_squares);
	g->open_count = 0;
	g->open_cost = g->open_squares = 0;
	return 0;
}

int profile_phase(struct sink *s, const struct sink_phase *ph)
{
	struct profile_requests *r = &profile_of(s)->requests;
	struct request_ids ids = { .phases = profile_of(s)->meta.budget };
	int merged, err = 0;

	if (!phase_is_valid(&ids, ph))
		return -EINVAL;
	r->phases.cost_ns = saturating_add(r->phases.cost_ns, ph->cost_ns);
	r->phases.cpu_ns = saturating_add(r->phases.cpu_ns, ph->cpu_ns);
	if (!ph->watched_ns) {
		r->phases.tail_ns += ph->gap_ns;
		return 0;
	}
	merged = phase_times_add(&r->phases, ph->gap_ns, ph->watched_ns);
	for (size_t i = 1; i < r->group_count && !err; i++) {
		struct profile_group *g = &r->groups[i];

		if (merged && g->estimates) {
			phase_sum_merge(&g->estimates->count);
			phase_sum_merge(&g->estimates->cost);
		}
		if (g->open_count)
			err = group_phase(&r->phases, g,
					  phase_weight(ph->gap_ns, ph->watched_ns));
	}
	return err;
}

/* Keys are compared as bytes. */
_Static_assert(offsetof(struct sink_worker, died_ns) == 2 * 4 + 8, "no padding");

int profile_worker(struct sink *s, const struct sink_worker *w)
{
	struct profile *p = profile_of(s);
	struct profile_requests *r = &p->requests;
	struct sink_worker *kept;
	int err;

	if (!p->meta.requests)
		return -EINVAL;
	err = tally_at(&r->worker_tally, w, &kept);
	if (err)
		return err;
	*kept = *w;
	r->workers = r->worker_tally.items;
	r->worker_count = r->worker_tally.count;
	return 0;
}

/* The name's only copy, repaired, so that equal names have equal addresses. */
static int module_keep(struct profile_requests *r, const char **name)
{
	size_t size = text_repair(NULL, *name);
	char *repaired = malloc(size);

	if (!repaired)
		return -ENOMEM;
	text_repair(repaired, *name);
	*name = strpool_intern(r->modules, repaired);
	free(repaired);
	return *name ? 0 : -ENOMEM;
}

_Static_assert(offsetof(struct sink_import, count) == 2 * 4 + sizeof(char *), "no padding");

int profile_import(struct sink *s, const struct sink_import *i)
{
	struct profile *p = profile_of(s);
	struct profile_requests *r = &p->requests;
	struct sink_import key = { .endpoint = i->endpoint, .function = i->function,
				   .module = i->module }, *kept;
	int err;

	if (!p->meta.requests || i->endpoint >= r->endpoint_count ||
	    i->function >= p->function_count || !i->count)
		return -EINVAL;
	err = module_keep(r, &key.module);
	if (!err)
		err = tally_at(&r->import_tally, &key, &kept);
	if (err)
		return err;
	kept->count = saturating_add(kept->count, i->count);
	kept->ns = saturating_add(kept->ns, i->ns);
	kept->cost = saturating_add(kept->cost, i->cost);
	kept->self_ns = saturating_add(kept->self_ns, i->self_ns);
	kept->self_cost = saturating_add(kept->self_cost, i->self_cost);
	r->imports = r->import_tally.items;
	r->import_count = r->import_tally.count;
	return 0;
}

_Static_assert(offsetof(struct profile_collection, count) == 4 * 4, "no padding");

int profile_collection_add(struct sink *s, const struct sink_collection *c)
{
	struct profile *p = profile_of(s);
	struct profile_requests *r = &p->requests;
	struct profile_collection key = { c->endpoint, c->function, c->generation, 0 }, *kept;
	int err;

	if (!p->meta.requests || c->endpoint >= r->endpoint_count ||
	    c->function >= p->function_count || !c->count)
		return -EINVAL;
	err = tally_at(&r->collection_tally, &key, &kept);
	if (err)
		return err;
	kept->count = saturating_add(kept->count, c->count);
	kept->ns = saturating_add(kept->ns, c->ns);
	kept->cost = saturating_add(kept->cost, c->cost);
	kept->collected = saturating_add(kept->collected, c->collected);
	r->collections = r->collection_tally.items;
	r->collection_count = r->collection_tally.count;
	return 0;
}

int profile_requests_init(struct profile_requests *r)
{
	static const struct sink_endpoint no_endpoint = { .method = "", .name = "" };
	static const struct sink_backend no_backend = { .name = "" };

	/* Their keys are what they begin with. */
	r->worker_tally = (struct tally){ .item_size = sizeof(struct sink_worker),
					  .key_size = offsetof(struct sink_worker, died_ns) };
	r->import_tally = (struct tally){ .item_size = sizeof(struct sink_import),
					  .key_size = offsetof(struct sink_import, count) };
	r->collection_tally =
		(struct tally){ .item_size = sizeof(struct profile_collection),
				.key_size = offsetof(struct profile_collection, count) };
	r->tag_count = r->endpoint_count = r->backend_count = r->group_count = 1;
	r->backends[0] = no_backend;
	r->modules = strpool_new(MODULES_MAX);
	if (!r->modules ||
	    profile_grow(&r->tags, 0, &r->tag_capacity, sizeof(*r->tags)) ||
	    profile_grow(&r->endpoints, 0, &r->endpoint_capacity, sizeof(*r->endpoints)) ||
	    profile_grow(&r->groups, 0, &r->group_capacity, sizeof(*r->groups)))
		return -ENOMEM;
	r->endpoints[0] = no_endpoint;
	return 0;
}

static void group_clear(struct profile_group *g)
{
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
		histogram_free(&g->distributions[d]);
	free(g->estimates);
}

void profile_requests_clear(struct profile_requests *r)
{
	for (size_t i = 1; r->tags && i < r->tag_count; i++)
		free((void *)r->tags[i].keys);
	for (size_t i = 1; r->groups && i < r->group_count; i++)
		group_clear(&r->groups[i]);
	free(r->tags);
	free(r->endpoints);
	free(r->groups);
	free(r->by_view);
	tally_clear(&r->worker_tally);
	tally_clear(&r->import_tally);
	tally_clear(&r->collection_tally);
	strpool_free(r->modules);
}

void profile_requests_keep_pid(struct profile_requests *r, uint32_t pid)
{
	struct sink_worker *items = r->worker_tally.items;
	size_t groups = 1, workers = 0;
	bool others;

	for (size_t i = 1; i < r->group_count; i++)
		if (r->groups[i].of.pid == pid)
			r->groups[groups++] = r->groups[i];
		else
			group_clear(&r->groups[i]);
	for (size_t i = 0; i < r->worker_count; i++)
		if (items[i].pid == pid)
			items[workers++] = items[i];
	others = groups < r->group_count || workers < r->worker_count;
	r->group_count = groups;
	r->worker_count = workers;
	if (others)
		r->import_count = r->collection_count = 0;
}

void profile_requests_keep_endpoints(struct profile_requests *r, const bool *wanted)
{
	struct sink_import *imports = r->import_tally.items;
	struct profile_collection *collections = r->collection_tally.items;
	size_t groups = 1, kept = 0;

	for (size_t i = 1; i < r->group_count; i++)
		if (wanted[r->groups[i].of.endpoint])
			r->groups[groups++] = r->groups[i];
		else
			group_clear(&r->groups[i]);
	r->group_count = groups;
	for (size_t i = 0; i < r->import_count; i++)
		if (wanted[imports[i].endpoint])
			imports[kept++] = imports[i];
	r->import_count = kept;
	kept = 0;
	for (size_t i = 0; i < r->collection_count; i++)
		if (wanted[collections[i].endpoint])
			collections[kept++] = collections[i];
	r->collection_count = kept;
	for (size_t i = 1; r->by_view && i < r->endpoint_count; i++)
		if (!wanted[i])
			r->by_view[0] -= r->by_view[i];
}
