/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Of all groups that there were, only their numbers are kept; the sums are those of the
 * groups that had requests since the sink was told.
 */
#include "userspace/request_groups.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "userspace/histogram.h"
#include "userspace/saturate.h"
#include "userspace/tally.h"

struct group {
	struct sink_group of; /* key: all but the id, which is 0 in it */
	uint32_t id;	      /* 0: not told yet */
	uint32_t sums;	      /* index + 1; 0: nothing since last told */
};

struct sums {
	struct sink_requests requests;
	struct histogram spread[REQUEST_DISTRIBUTIONS];
	uint32_t group; /* index */
};

struct request_groups {
	struct sink *sink;
	struct tally groups;
	uint32_t told; /* groups */
	struct sums *sums;
	uint32_t count; /* in use; the histograms of the others keep their memory */
	uint32_t made, capacity;
};

/* Keys are compared as bytes. */
_Static_assert(sizeof(struct sink_group) == 4 * 4 + 2 * 2, "no padding");

static const uint8_t distributed[REQUEST_DISTRIBUTIONS] = {
	[DISTRIBUTION_COST] = REQUEST_COST,
	[DISTRIBUTION_LATENCY] = REQUEST_LATENCY,
	[DISTRIBUTION_CPU] = REQUEST_CPU,
};

int request_groups_new(struct sink *sink, struct request_groups **ret)
{
	struct request_groups *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->sink = sink;
	g->groups = (struct tally){ .item_size = sizeof(struct group),
				    .key_size = sizeof(struct sink_group),
				    .max = REQUEST_GROUPS_MAX };
	*ret = g;
	return 0;
}

void request_groups_free(struct request_groups *g)
{
	if (!g)
		return;
	for (uint32_t i = 0; i < g->made; i++)
		for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
			histogram_free(&g->sums[i].spread[d]);
	free(g->sums);
	tally_clear(&g->groups);
	free(g);
}

/* A free one, empty. */
static int sums_take(struct request_groups *g, uint32_t group, struct sums **ret)
{
	struct sums *s;

	if (g->count == g->made) {
		if (g->made == g->capacity) {
			uint32_t capacity = g->capacity + g->capacity / 2 + 16;

			s = reallocarray(g->sums, capacity, sizeof(*s));
			if (!s)
				return -ENOMEM;
			g->sums = s;
			g->capacity = capacity;
		}
		g->sums[g->made++] = (struct sums){ .group = 0 };
	}
	s = &g->sums[g->count++];
	s->requests = (struct sink_requests){ 0 };
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
		histogram_empty(&s->spread[d]);
	s->group = group;
	*ret = s;
	return 0;
}

static int sums_add(struct sums *s, const struct request_values *v)
{
	struct sink_requests *r = &s->requests;
	int err = 0;

	for (int d = 0; d < REQUEST_DISTRIBUTIONS && !err; d++)
		err = histogram_add(&s->spread[d], v->measures[distributed[d]]);
	if (err)
		return err;
	r->count++;
	for (int m = 0; m < REQUEST_MEASURES; m++) {
		r->sums[m] = saturating_add_signed(r->sums[m], v->measures[m]);
		r->squares[m] += (double)v->measures[m] * v->measures[m];
	}
	for (int i = 0; i < REQUEST_BACKENDS; i++) {
		uint32_t calls = r->backend_calls[i] + v->backend_calls[i];

		r->backend_calls[i] = calls < r->backend_calls[i] ? UINT32_MAX : calls;
		r->backend_ns[i] = saturating_add(r->backend_ns[i], v->backend_ns[i]);
	}
	return 0;
}

int request_groups_add(struct request_groups *g, const struct sink_group *key,
		       const struct request_values *v)
{
	struct sink_group of = *key;
	struct group *group;
	struct sums *s;
	int err;

	of.id = 0;
	err = tally_at(&g->groups, &of, &group);
	if (err)
		return err;
	if (group->sums) {
		s = &g->sums[group->sums - 1];
	} else {
		err = sums_take(g, group - (struct group *)g->groups.items, &s);
		if (err)
			return err;
		group->sums = g->count;
	}
	return sums_add(s, v);
}

static int sums_tell(struct request_groups *g, struct sums *s)
{
	struct group *group = (struct group *)g->groups.items + s->group;
	struct sink_group fact = group->of;
	int err = 0;

	group->sums = 0;
	if (!s->requests.count)
		return 0;
	if (!group->id) {
		fact.id = group->id = ++g->told;
		err = g->sink->group ? g->sink->group(g->sink, &fact) : 0;
	}
	if (err)
		return err;
	s->requests.group = group->id;
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++) {
		s->requests.bins[d] = s->spread[d].bins;
		s->requests.bin_counts[d] = s->spread[d].count;
	}
	return g->sink->requests ? g->sink->requests(g->sink, &s->requests) : 0;
}

int request_groups_tell(struct request_groups *g)
{
	int err = 0;

	for (uint32_t i = 0; i < g->count && !err; i++)
		err = sums_tell(g, &g->sums[i]);
	g->count = 0;
	return err;
}
