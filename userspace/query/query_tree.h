/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call paths of a stretch of time, as trees: between a store's rows, the answer's JSON and a
 * profile, which is what exporters take.
 */
#ifndef PYCOST_QUERY_TREE_H
#define PYCOST_QUERY_TREE_H

#include <jansson.h>

#include "userspace/arena.h"
#include "userspace/query/query_run.h"

struct profile;

struct query_tree_function {
	const char *name; /* as it is displayed */
	const char *file;
	uint32_t line;
};

/* What is kept apart: a metric and a mode, and the values of the keys. */
struct query_tree_group {
	struct query_pair pair;
	const char *values[QUERY_KEYS_MAX];
};

struct query_tree_node {
	uint32_t parent; /* before it; 0: a root */
	uint32_t function, group; /* indices */
	uint64_t calls, samples;
	double self;
};

/* Nodes are from 1 on. All zero: empty. */
struct query_tree {
	struct query_tree_function *functions;
	struct query_tree_group *groups;
	struct query_tree_node *nodes;
	size_t function_count, group_count, node_count;
	size_t function_capacity, group_capacity, node_capacity;
	unsigned key_count;
	struct arena strings;
};
void query_tree_free(struct query_tree *t);

/*
 * Those that cost the most themselves, and whatever calls them; limit: how many of the
 * former, of each metric and mode. What the others cost is a root of its own.
 */
int query_tree_load(struct query_run *r, uint32_t limit, struct query_tree *ret);

/* Columns and rows of the answer. */
int query_tree_write(struct query_run *r, const struct query_tree *t);
/* Back again, from what came over a wire; -EBADMSG: that is no such answer. */
int query_tree_parse(const json_t *answer, struct query_tree *ret);

/*
 * Those of one metric and mode; each group is a process of its own, called by the values of
 * its keys. -ENOENT: there is none; -E2BIG: 2^32 nodes.
 */
int query_tree_profile(const struct query_tree *t, const struct query_pair *pair, uint64_t since,
		       uint64_t until, struct profile **ret);

/* For who makes one: copies, appended; a group only if there is none like it. -ENOMEM. */
int query_tree_add_function(struct query_tree *t, const struct query_tree_function *f);
int query_tree_add_group(struct query_tree *t, const struct query_tree_group *g, uint32_t *ret);
int query_tree_add_node(struct query_tree *t, const struct query_tree_node *n);

#endif
