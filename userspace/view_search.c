/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/view_search.h"

#include <errno.h>
#include <stdlib.h>

#include "userspace/framework.h"
#include "userspace/saturate.h"

/* Decorators around a view, and what is below them: no more is looked at. */
#define WRAPPERS_MAX 64
/* Decorators call helpers too: what costs so many times less than another callee is one. */
#define HELPER_SHARE 5

static const struct sink_function *function_of(const struct view_search *s, uint32_t node)
{
	return &s->p->functions[s->p->nodes[node].function];
}

static enum framework_role role_of(const struct view_search *s, uint32_t node)
{
	uint32_t function = s->p->nodes[node].function;
	uint8_t *role = &s->roles[function];

	/* Slot 0 stands for code outside any function. */
	if (!*role)
		*role = 1 + (function ? framework_role(&s->p->functions[function])
				      : FRAMEWORK_PLUMBING);
	return *role - 1;
}

static void tell(struct view_search *s, uint32_t node, bool second, bool of_class)
{
	struct view_found v = { node, second, of_class, s->cost[node] };

	if (s->met[node])
		return;
	s->met[node] = true;
	if (!s->err)
		s->err = s->found(s->arg, &v);
}

static void search_callees(struct view_search *s, uint32_t node, bool second, unsigned depth);

/*
 * Below a method that is the framework's, methods of the application's class say which it
 * is.  False: there are none.
 */
static bool search_class(struct view_search *s, uint32_t node, bool second, unsigned depth)
{
	bool any = false;

	for (uint32_t c = s->tree.first_child[node]; c; c = s->tree.next_sibling[c]) {
		enum framework_role role = role_of(s, c);

		if (role == FRAMEWORK_NONE && *function_of(s, c)->class_name) {
			tell(s, c, second, true);
			any = true;
		} else if (role == FRAMEWORK_GENERIC && depth < WRAPPERS_MAX) {
			any |= search_class(s, c, second, depth + 1);
		}
	}
	return any;
}

/*
 * Looks for the view from a function on that was called by a dispatcher or a wrapper.
 * Dispatchers on the way are found by themselves.
 */
static void search(struct view_search *s, uint32_t node, bool second, unsigned depth)
{
	enum framework_role role = role_of(s, node);

	if (role == FRAMEWORK_NONE)
		tell(s, node, second, false);
	else if (role == FRAMEWORK_GENERIC && !search_class(s, node, second, depth))
		tell(s, node, second, false);
	else if (role == FRAMEWORK_WRAPPER && depth < WRAPPERS_MAX)
		search_callees(s, node, second, depth + 1);
}

/* What it wraps may be in C, or be called by another name: then by what it calls. */
static bool wraps_any(const struct view_search *s, uint32_t node)
{
	for (uint32_t c = s->tree.first_child[node]; c; c = s->tree.next_sibling[c])
		if (framework_wraps(function_of(s, node), function_of(s, c)))
			return true;
	return false;
}

/* What a callee has to cost to be taken for what a wrapper is there for. */
static uint64_t callee_cost_min(const struct view_search *s, uint32_t node)
{
	uint64_t most = 0;

	for (uint32_t c = s->tree.first_child[node]; c; c = s->tree.next_sibling[c])
		if (role_of(s, c) != FRAMEWORK_PLUMBING && s->cost[c] > most)
			most = s->cost[c];
	return most / HELPER_SHARE;
}

static void search_callees(struct view_search *s, uint32_t node, bool second, unsigned depth)
{
	bool wrapper = role_of(s, node) == FRAMEWORK_WRAPPER;
	bool known = wrapper && wraps_any(s, node);
	uint64_t least = wrapper && !known ? callee_cost_min(s, node) : 0;

	for (uint32_t c = s->tree.first_child[node]; c; c = s->tree.next_sibling[c])
		if (known ? framework_wraps(function_of(s, node), function_of(s, c))
			  : s->cost[c] >= least || (s->is_view && s->is_view(s->arg, c)))
			search(s, c, second, depth);
}

/* What no sample was in tells nothing of views. */
static bool is_left_out(const struct view_search *s, uint32_t node)
{
	return !s->p->nodes[node].endpoint != s->unowned || s->met[node] ||
	       (s->p->meta.period && !s->cost[node]);
}

int view_search_run(struct view_search *s, bool unowned)
{
	struct call_walk walk = { &s->tree, s->p->nodes };

	s->err = 0;
	s->unowned = unowned;
	while (!s->err && call_walk_next(&walk)) {
		enum framework_role role;

		if (walk.leaving)
			continue;
		if (is_left_out(s, walk.node)) {
			walk.leaving = true;
			continue;
		}
		role = role_of(s, walk.node);
		if (role == FRAMEWORK_DISPATCH || role == FRAMEWORK_RUNNER)
			search_callees(s, walk.node, role == FRAMEWORK_RUNNER, 0);
	}
	return s->err;
}

static void cost_add_up(struct view_search *s)
{
	for (size_t i = s->p->node_count; i-- > 1;) {
		const struct profile_node *n = &s->p->nodes[i];

		s->cost[i] = saturating_add(s->cost[i], n->self_raw);
		s->cost[n->parent] = saturating_add(s->cost[n->parent], s->cost[i]);
	}
}

int view_search_open(const struct profile *p, struct view_search *ret)
{
	int err = -ENOMEM;

	ret->p = p;
	ret->cost = calloc(p->node_count, sizeof(*ret->cost));
	ret->roles = calloc(p->function_count, sizeof(*ret->roles));
	ret->met = calloc(p->node_count, sizeof(*ret->met));
	ret->tree = (struct call_tree){ 0 };
	if (ret->cost && ret->roles && ret->met)
		err = call_tree_build(p, NULL, &ret->tree);
	if (err)
		view_search_close(ret);
	else
		cost_add_up(ret);
	return err;
}

void view_search_close(struct view_search *s)
{
	call_tree_free(&s->tree);
	free(s->cost);
	free(s->roles);
	free(s->met);
	s->cost = NULL;
	s->roles = NULL;
	s->met = NULL;
}
