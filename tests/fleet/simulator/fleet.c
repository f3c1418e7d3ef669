/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fleet/simulator/fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "tests/fleet/simulator/fleet_service.h"

#define HOSTS_PER_CLUSTER 50
#define CLUSTERS_PER_REGION 4
#define TAGS 9
#define USERS_PER_MINUTE 400 /* that one host sees */

struct fleet {
	struct fleet_options options;
	struct service services[];
};

int fleet_new(const struct fleet_options *o, struct fleet **ret)
{
	struct fleet *f = calloc(1, sizeof(*f) + o->services * sizeof(*f->services));
	int err = f ? 0 : -ENOMEM;

	if (f)
		f->options = *o;
	for (uint32_t i = 0; !err && i < o->services; i++)
		err = service_make(o, i, &f->services[i]);
	if (err)
		fleet_free(f);
	else
		*ret = f;
	return err;
}

void fleet_free(struct fleet *f)
{
	for (uint32_t i = 0; f && i < f->options.services; i++)
		service_clear(&f->services[i], f->options.patterns);
	free(f);
}

static void *take(struct batch *b, size_t size)
{
	char *p = arena_alloc(&b->memory, size + 15);

	return p ? (void *)(((uintptr_t)p + 15) & ~(uintptr_t)15) : NULL;
}

static const char *numbered(struct batch *b, const char *name, uint32_t number)
{
	char text[64], *kept;

	snprintf(text, sizeof(text), "%s%u", name, number);
	kept = arena_alloc(&b->memory, strlen(text) + 1);
	return kept ? strcpy(kept, text) : "";
}

/* The texts that a host's slices have in common. */
struct host_texts {
	const char *host, *cluster, *region, *version, *service;
};

/* Keys in their order; a value of NULL leaves one out. */
static int slice(struct batch *b, struct batch_slice *s, const struct host_texts *t,
		 const char *endpoint, const char *mode, const char *status)
{
	const struct batch_tag all[TAGS] = {
		{"cluster", t->cluster}, {"endpoint", endpoint}, {"host", t->host},
		{"metric", "instructions:u"}, {"mode", mode}, {"region", t->region},
		{"service", t->service}, {"status", status}, {"version", t->version}};
	struct batch_tag *tags = take(b, sizeof(all));

	if (!tags)
		return -ENOMEM;
	s->tag_count = 0;
	for (unsigned i = 0; i < TAGS; i++)
		if (all[i].value)
			tags[s->tag_count++] = all[i];
	s->tags = tags;
	s->id = batch_slice_id(tags, s->tag_count, NULL);
	s->fleet = batch_slice_id(tags, s->tag_count, TAG_KEY_HOST);
	return 0;
}

static int slices(struct batch *b, const struct service *s, const struct host_texts *t)
{
	uint32_t n = 2 + s->endpoint_count * (1 + SERVICE_STATUSES);
	struct batch_slice *all = take(b, n * sizeof(*all));
	int err = all ? slice(b, &all[0], t, "", "sampled", NULL) : -ENOMEM;

	for (uint32_t e = 0; e < s->endpoint_count && !err; e++) {
		err = slice(b, &all[SERVICE_SLICE(e)], t, s->endpoints[e], "sampled", NULL);
		for (unsigned i = 0; i < SERVICE_STATUSES && !err; i++)
			err = slice(b, &all[SERVICE_REQUEST_SLICE(s, e, i)], t, s->endpoints[e], NULL,
				    service_statuses[i]);
	}
	if (!err)
		err = slice(b, &all[n - 1], t, NULL, NULL, NULL);
	b->slices = all;
	b->slice_count = n;
	return err;
}

/* Users come and go by the minute; the fleet has so many of them. */
static int users(const struct fleet *f, struct batch *b, uint64_t random)
{
	struct sketch *sketch = calloc(1, sizeof(*sketch));
	struct batch_users *u = take(b, sizeof(*u));
	struct batch_register *r = take(b, SKETCH_REGISTERS * sizeof(*r));

	if (!sketch || !u || !r) {
		free(sketch);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < USERS_PER_MINUTE; i++) {
		uint64_t user = fleet_random(&random) % f->options.users;

		sketch_add(sketch, XXH3_64bits(&user, sizeof(user)));
	}
	*u = (struct batch_users){.slice = b->slice_count - 1, .registers = r};
	for (uint32_t i = 0; i < SKETCH_REGISTERS; i++)
		if (sketch->ranks[i])
			r[u->register_count++] = (struct batch_register){i, sketch->ranks[i]};
	free(sketch);
	b->users = u;
	b->user_count = 1;
	return 0;
}

static void totals_add(struct fleet_totals *t, const struct fleet_totals *more)
{
	t->batches += more->batches;
	t->cost_rows += more->cost_rows;
	t->path_rows += more->path_rows;
	t->request_rows += more->request_rows;
	t->bins += more->bins;
	t->samples += more->samples;
	t->self += more->self;
	t->requests += more->requests;
	t->request_cost += more->request_cost;
}

static void pattern_use(struct batch *b, const struct service_pattern *p)
{
	b->costs = p->costs;
	b->cost_count = p->cost_count;
	b->path_costs = p->path_costs;
	b->path_cost_count = p->path_cost_count;
	b->requests = p->requests;
	b->request_count = p->request_count;
}

static void names_use(struct batch *b, const struct service *s)
{
	b->functions = s->functions;
	b->function_count = s->function_count;
	b->paths = s->names;
	b->path_count = s->name_count;
}

int fleet_batch(const struct fleet *f, uint32_t host, uint64_t begin_s, int with_names,
		struct batch *b, struct fleet_totals *totals)
{
	const struct service *s = &f->services[host % f->options.services];
	uint64_t said[3] = {f->options.seed, host, begin_s};
	XXH128_hash_t id = XXH3_128bits(said, sizeof(said));
	uint32_t cluster = host / HOSTS_PER_CLUSTER;
	const struct service_pattern *p = &s->patterns[id.low64 % f->options.patterns];
	struct host_texts t;
	int err;

	*b = (struct batch){.begin_s = begin_s, .seconds = BATCH_SECONDS};
	memcpy(b->id, &id, BATCH_ID_SIZE);
	t = (struct host_texts){numbered(b, "host", host), numbered(b, "cluster", cluster),
				numbered(b, "region", cluster / CLUSTERS_PER_REGION),
				numbered(b, "v", begin_s / 86400 % 1000), s->name};
	b->sender = t.host;
	pattern_use(b, p);
	if (with_names)
		names_use(b, s);
	err = slices(b, s, &t);
	if (!err)
		err = users(f, b, id.high64 | 1);
	if (err)
		batch_free(b);
	else if (totals)
		totals_add(totals, &p->totals);
	return err;
}
