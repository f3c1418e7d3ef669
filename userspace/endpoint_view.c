/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/endpoint_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/call_tree.h"
#include "userspace/framework.h"
#include "userspace/saturate.h"

/* Decorators around a view, and what is below them: no more is looked at. */
#define WRAPPERS_MAX 64
/* Decorators call helpers too: what costs so many times less than another callee is one. */
#define HELPER_SHARE 5

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
	struct call_tree tree;
	uint64_t *cost; /* by node, with all below it */
	uint8_t *roles; /* enum framework_role, by function */
	bool *is_view;	/* by node */
	struct tally votes;
	int err;
};

static const struct sink_function *function_of(const struct election *e, uint32_t node)
{
	return &e->p->functions[e->p->nodes[node].function];
}

static enum framework_role role_of(const struct election *e, uint32_t node)
{
	return e->roles[e->p->nodes[node].function];
}

static void vote(struct election *e, uint32_t node, bool second, bool of_class)
{
	const struct profile_node *n = &e->p->nodes[node];
	struct vote key = { n->endpoint, second, n->function, of_class }, *at;

	e->is_view[node] = true;
	if (!e->err)
		e->err = tally_at(&e->votes, &key, &at);
	if (!e->err)
		at->cost = saturating_add(at->cost, e->cost[node]);
}

static void search_callees(struct election *e, uint32_t node, bool second, unsigned depth);

/*
 * Below a method that is the framework's, methods of the application's class say which it
 * is.  False: there are none.
 */
static bool search_class(struct election *e, uint32_t node, bool second, unsigned depth)
{
	bool any = false;

	for (uint32_t c = e->tree.first_child[node]; c; c = e->tree.next_sibling[c]) {
		enum framework_role role = role_of(e, c);

		if (role == FRAMEWORK_NONE && *function_of(e, c)->class_name) {
			vote(e, c, second, true);
			any = true;
		} else if (role == FRAMEWORK_GENERIC && depth < WRAPPERS_MAX) {
			any |= search_class(e, c, second, depth + 1);
		}
	}
	return any;
}

/*
 * Looks for the view from a function on that was called by a dispatcher or a wrapper.
 * Dispatchers on the way are found by themselves.
 */
static void search(struct election *e, uint32_t node, bool second, unsigned depth)
{
	enum framework_role role = role_of(e, node);

	if (role == FRAMEWORK_NONE)
		vote(e, node, second, false);
	else if (role == FRAMEWORK_GENERIC && !search_class(e, node, second, depth))
		vote(e, node, second, false);
	else if (role == FRAMEWORK_WRAPPER && depth < WRAPPERS_MAX)
		search_callees(e, node, second, depth + 1);
}

/* What it wraps may be in C, or be called by another name: then by what it calls. */
static bool wraps_any(const struct election *e, uint32_t node)
{
	for (uint32_t c = e->tree.first_child[node]; c; c = e->tree.next_sibling[c])
		if (framework_wraps(function_of(e, node), function_of(e, c)))
			return true;
	return false;
}

/* What a callee has to cost to be taken for what a wrapper is there for. */
static uint64_t callee_cost_min(const struct election *e, uint32_t node)
{
	uint64_t most = 0;

	for (uint32_t c = e->tree.first_child[node]; c; c = e->tree.next_sibling[c])
		if (role_of(e, c) != FRAMEWORK_PLUMBING && e->cost[c] > most)
			most = e->cost[c];
	return most / HELPER_SHARE;
}

static void search_callees(struct election *e, uint32_t node, bool second, unsigned depth)
{
	bool wrapper = role_of(e, node) == FRAMEWORK_WRAPPER;
	bool known = wrapper && wraps_any(e, node);
	uint64_t least = wrapper && !known ? callee_cost_min(e, node) : 0;

	for (uint32_t c = e->tree.first_child[node]; c; c = e->tree.next_sibling[c])
		if (known ? framework_wraps(function_of(e, node), function_of(e, c))
			  : e->cost[c] >= least)
			search(e, c, second, depth);
}

static void search_tree(struct election *e)
{
	struct call_walk walk = { &e->tree, e->p->nodes };

	while (!e->err && call_walk_next(&walk)) {
		const struct profile_node *n = &e->p->nodes[walk.node];

		enum framework_role role = e->roles[n->function];

		if (walk.leaving)
			continue;
		if (!n->endpoint || e->is_view[walk.node])
			walk.leaving = true;
		else if (role == FRAMEWORK_DISPATCH || role == FRAMEWORK_RUNNER)
			search_callees(e, walk.node, role == FRAMEWORK_RUNNER, 0);
	}
}

static void cost_add_up(struct election *e)
{
	for (size_t i = e->p->node_count; i-- > 1;) {
		const struct profile_node *n = &e->p->nodes[i];

		e->cost[i] = saturating_add(e->cost[i], n->self_raw);
		e->cost[n->parent] = saturating_add(e->cost[n->parent], e->cost[i]);
	}
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

static int election_open(const struct profile *p, struct election *e)
{
	*e = (struct election){
		.p = p,
		.cost = calloc(p->node_count, sizeof(*e->cost)),
		.roles = calloc(p->function_count, sizeof(*e->roles)),
		.is_view = calloc(p->node_count, sizeof(*e->is_view)),
		.votes = { .item_size = sizeof(struct vote),
			   .key_size = offsetof(struct vote, cost) },
	};
	if (!e->cost || !e->roles || !e->is_view)
		return -ENOMEM;
	/* Slot 0 stands for code outside any function. */
	e->roles[0] = FRAMEWORK_PLUMBING;
	for (size_t i = 1; i < p->function_count; i++)
		e->roles[i] = framework_role(&p->functions[i]);
	return call_tree_build(p, NULL, &e->tree);
}

static void election_close(struct election *e)
{
	call_tree_free(&e->tree);
	tally_clear(&e->votes);
	free(e->cost);
	free(e->roles);
	free(e->is_view);
}

int endpoint_views_compute(const struct profile *p, struct endpoint_views *ret)
{
	struct endpoint_views views = { 0 };
	struct election e;
	int err = election_open(p, &e);

	if (!err) {
		cost_add_up(&e);
		search_tree(&e);
		err = e.err;
	}
	if (!err)
		err = views_make(&e, &views);
	election_close(&e);
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
