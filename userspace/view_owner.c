/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/view_owner.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "userspace/framework.h"
#include "userspace/saturate.h"
#include "userspace/view_search.h"

#define VIEWS_MAX 65536

/* A view, by its names: the same in every process of a group. */
struct view {
	uint64_t name; /* these three are the key */
	uint32_t group;
	uint32_t zero;
	uint64_t samples;
	uint64_t most; /* of one endpoint: */
	uint32_t endpoint;
};

struct served {
	uint64_t name; /* these three are the key */
	uint32_t group;
	uint32_t endpoint;
	uint64_t samples;
};

/* One run over a profile. */
struct owning {
	struct view_owners *o;
	struct profile *p;
	const uint32_t *groups;
	uint64_t *names;     /* by function: view_name(); 0: not made yet */
	uint32_t *endpoints; /* by node: that which it goes to */
	bool any;
};

static uint64_t text_hash(uint64_t before, const char *text)
{
	return XXH3_64bits_withSeed(text, strlen(text) + 1, before);
}

static uint64_t function_name(struct owning *w, uint32_t function)
{
	const struct sink_function *f = &w->p->functions[function];
	uint64_t *name = &w->names[function];

	if (!*name)
		*name = text_hash(text_hash(text_hash(0, f->file), f->module), f->qualname);
	return *name;
}

static struct view key_of(struct owning *w, uint32_t node, bool of_class)
{
	const struct profile_node *n = &w->p->nodes[node];
	const struct sink_function *f = &w->p->functions[n->function];
	struct view key = { .group = w->groups ? w->groups[n->process] : 0 };

	/* Its methods stand for a class, of whichever they are sampled. */
	key.name = of_class ? text_hash(text_hash(text_hash(1, f->file), f->module), f->class_name)
			    : function_name(w, n->function);
	return key;
}

static bool is_generic(const struct owning *w, uint32_t node)
{
	return framework_role(&w->p->functions[w->p->nodes[node].function]) == FRAMEWORK_GENERIC;
}

static int learn(void *arg, const struct view_found *v)
{
	struct owning *w = arg;
	uint32_t endpoint = w->p->nodes[v->node].endpoint;
	uint64_t samples = v->cost / w->p->meta.period;
	struct view key = key_of(w, v->node, v->of_class), *view;
	struct served of = { key.name, key.group, endpoint }, *served;
	int err;

	/* What is the framework's own serves whoever makes use of it. */
	if (!samples || (!v->of_class && is_generic(w, v->node)))
		return 0;
	err = tally_at(&w->o->served, &of, &served);
	if (!err)
		err = tally_at(&w->o->views, &key, &view);
	if (err)
		return err == -ENOSPC ? 0 : err;
	served->samples = saturating_add(served->samples, samples);
	view->samples = saturating_add(view->samples, samples);
	if (served->samples >= view->most) {
		view->most = served->samples;
		view->endpoint = endpoint;
	}
	return 0;
}

static int give(void *arg, const struct view_found *v)
{
	struct owning *w = arg;
	struct view key = key_of(w, v->node, v->of_class);
	const struct view *view = tally_find(&w->o->views, &key);

	if (view && view->samples >= VIEW_OWNER_SAMPLES &&
	    view->most >= VIEW_OWNER_SHARE * view->samples) {
		w->endpoints[v->node] = view->endpoint;
		w->any = true;
	}
	return 0;
}

static bool is_view(void *arg, uint32_t node)
{
	struct owning *w = arg;
	struct view key = key_of(w, node, false);

	return tally_find(&w->o->views, &key) != NULL;
}

static int views_search(struct owning *w)
{
	struct view_search search = { .found = learn, .is_view = is_view, .arg = w };
	int err = view_search_open(w->p, &search);

	if (err)
		return err;
	err = view_search_run(&search, false);
	search.found = give;
	if (!err)
		err = view_search_run(&search, true);
	view_search_close(&search);
	return err;
}

int view_owners_apply(struct view_owners *o, struct profile *p, const uint32_t *groups,
		      struct tally *ret)
{
	struct owning w = {
		.o = o,
		.p = p,
		.groups = groups,
		.names = calloc(p->function_count, sizeof(*w.names)),
		.endpoints = calloc(p->node_count, sizeof(*w.endpoints)),
	};
	int err = w.names && w.endpoints ? views_search(&w) : -ENOMEM;

	*ret = (struct tally){ .count = 0 };
	if (!err && w.any)
		err = profile_rehome(p, w.endpoints, ret);
	free(w.names);
	free(w.endpoints);
	return err;
}

int view_owners_of_profile(struct profile *p)
{
	struct profile_requests *r = &p->requests;
	const struct profile_rehomed *at;
	struct view_owners o;
	struct tally moved;
	int err;

	if (!view_owners_are_needed(p))
		return 0;
	r->by_view = calloc(r->endpoint_count, sizeof(*r->by_view));
	if (!r->by_view)
		return -ENOMEM;
	view_owners_init(&o);
	err = view_owners_apply(&o, p, NULL, &moved);
	at = moved.items;
	for (uint32_t i = 0; i < moved.count; i++) {
		uint64_t *of = &r->by_view[at[i].endpoint];

		*of = saturating_add(*of, at[i].cost);
		r->by_view[0] = saturating_add(r->by_view[0], at[i].cost);
	}
	tally_clear(&moved);
	view_owners_clear(&o);
	return err;
}

bool view_owners_are_needed(const struct profile *p)
{
	return p->meta.period && p->meta.budget;
}

void view_owners_init(struct view_owners *o)
{
	*o = (struct view_owners){
		.served = { .item_size = sizeof(struct served),
			    .key_size = offsetof(struct served, samples), .max = 4 * VIEWS_MAX },
		.views = { .item_size = sizeof(struct view),
			   .key_size = offsetof(struct view, samples), .max = VIEWS_MAX },
	};
}

void view_owners_clear(struct view_owners *o)
{
	tally_clear(&o->served);
	tally_clear(&o->views);
}
