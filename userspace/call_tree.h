/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile's call tree from the callers' side; nodes only name their parents. */
#ifndef PYCOST_CALL_TREE_H
#define PYCOST_CALL_TREE_H

#include "userspace/profile.h"

/* Indexed by node; 0 ends a list.  The children of node 0 are the roots. */
struct call_tree {
	uint32_t *first_child;
	uint32_t *next_sibling;
};

/* Siblings come by id, or by falling weight when there is one for each node. */
int call_tree_build(const struct profile *p, const uint64_t *weight, struct call_tree *ret);
void call_tree_free(struct call_tree *t);

/*
 * Visits every node twice, on the way down and on the way up, without
 * recursion: the depth of a tree is whatever a file says it is.
 *
 *	struct call_walk walk = { tree, profile->nodes };
 *	while (call_walk_next(&walk))
 *		... walk.node, walk.leaving, walk.depth (roots: 1)
 *
 * Setting leaving on the way down skips the node's children and its way up.
 */
struct call_walk {
	const struct call_tree *tree;
	const struct profile_node *nodes;
	uint32_t node;
	uint32_t depth;
	bool leaving;
};

bool call_walk_next(struct call_walk *w);

#endif
