/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/endpoint_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/saturate.h"
#include "userspace/view_search.h"

/* What an endpoint's calls of a view cost, with all that it calls. */
struct vote {
	uint32_t endpoint;
	uint32_t second; /* by a dispatcher that runs other things too */
	uint32_t function;
	uint32_t of_class; /* it stands for its class, whose other methods are the framework's */
	uint64_t cost;
};

struct election {
	const struct profile *p;
	struct tally votes;
};

static int vote(void *arg, const struct view_found *v)
{
	struct election *e = arg;
	const struct profile_node *n = &e->p->nodes[v->node];
	struct vote key = { n->endpoint, v->second, n->function, v->of_class }, *at;
	int err = tally_at(&e->votes, &key, &at);

	if (!err)
		at->cost = saturating_add(at->cost, v->cost);
	return err;
}

/* ---- who has won ---- */

static const char *view_name(const struct sink_function *f, bool of_class)
{
	return of_class ? f->class_name : f->qualname;
}

static int vote_compare(const void *a, const void *b, void *arg)
{
	const struct profile *p = arg;
	const struct vote *x = a, *y = b;
	const struct sink_function *f = &p->functions[x->function];
	const struct sink_function *g = &p->functions[y->function];
	int order;

	if (x->endpoint != y->endpoint)
		return x->endpoint < y->endpoint ? -1 : 1;
	if (x->second != y->second)
		return x->second ? 1 : -1;
	order = strcmp(f->module, g->module);
	if (!order)
		order = strcmp(view_name(f, x->of_class), view_name(g, y->of_class));
	if (order)
		return order;
	return x->function < y->function ? -1 : x->function > y->function;
}

static bool is_same_view(const struct profile *p, const struct vote *a, const struct vote *b)
{
	const struct sink_function *f = &p->functions[a->function], *g = &p->functions[b->function];

	return a->endpoint == b->endpoint && a->second == b->second &&
	       !strcmp(f->module, g->module) &&
	       !strcmp(view_name(f, a->of_class), view_name(g, b->of_class));
}

static int text_set(struct endpoint_views *views, struct endpoint_view *v, const struct profile *p,
		    bool of_class)
{
	const struct sink_function *f = &p->functions[v->function];
	size_t size = strlen(f->module) + strlen(f->qualname) + 32;
	char *text = v->count ? arena_alloc(&views->strings, size) : "";

	if (!text)
		return -ENOMEM;
	if (v->function)
		snprintf(text, size, "%s%s%s", f->module, *f->module ? "." : "",
			 view_name(f, of_class));
	else if (v->count)
		snprintf(text, size, "%u views", v->count);
	v->text = text;
	return 0;
}

/*
 * Of one endpoint's votes, those of the same view together.  The second ones count where
 * there are no others.  Returns whether the winner stands for its class.
 */
static bool votes_count(const struct profile *p, const struct vote *votes, size_t count,
			struct endpoint_view *v)
{
	bool of_class = false;
	uint64_t all = 0, best = 0, cost = 0;

	for (size_t i = 0; i < count && votes[i].second == votes[0].second; i++) {
		bool same = i && is_same_view(p, &votes[i - 1], &votes[i]);

		cost = same ? saturating_add(cost, votes[i].cost) : votes[i].cost;
		all = saturating_add(all, votes[i].cost);
		v->count += !same;
		if (cost > best || !v->function) {
			best = cost;
			v->function = votes[i].function;
			of_class = votes[i].of_class;
		}
	}
	v->share = all ? (double)best / all : v->count == 1;
	if (v->share < ENDPOINT_VIEW_SHARE)
		v->function = 0;
	return of_class;
}

static int views_make(struct election *e, struct endpoint_views *ret)
{
	struct vote *votes = e->votes.items;
	int err = 0;

	ret->count = e->p->requests.endpoint_count;
	ret->v = calloc(ret->count, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (size_t i = 0; i < ret->count; i++)
		ret->v[i].text = "";
	if (e->votes.count)
		qsort_r(votes, e->votes.count, sizeof(*votes), vote_compare, (void *)e->p);
	for (size_t i = 0, n; !err && i < e->votes.count; i += n) {
		struct endpoint_view *v = &ret->v[votes[i].endpoint];

		for (n = 1; i + n < e->votes.count && votes[i + n].endpoint == votes[i].endpoint;)
			n++;
		err = text_set(ret, v, e->p, votes_count(e->p, votes + i, n, v));
	}
	return err;
}

int endpoint_views_compute(const struct profile *p, struct endpoint_views *ret)
{
	struct endpoint_views views = { 0 };
	struct election e = {
		.p = p,
		.votes = { .item_size = sizeof(struct vote),
			   .key_size = offsetof(struct vote, cost) },
	};
	struct view_search search = { .found = vote, .arg = &e };
	int err = view_search_open(p, &search);

	if (err)
		return err;
	err = view_search_run(&search, false);
	if (!err)
		err = views_make(&e, &views);
	view_search_close(&search);
	tally_clear(&e.votes);
	if (err)
		endpoint_views_free(&views);
	else
		*ret = views;
	return err;
}

void endpoint_views_free(struct endpoint_views *views)
{
	free(views->v);
	arena_free(&views->strings);
	*views = (struct endpoint_views){ 0 };
}

const char *endpoint_view_text(const struct endpoint_views *views, uint32_t endpoint)
{
	return endpoint < views->count ? views->v[endpoint].text : "";
}
