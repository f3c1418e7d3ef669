/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>

#include "userspace/call_tree.h"

static int weight_compare(const void *a, const void *b, void *arg)
{
	const uint64_t *weight = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (weight[x] != weight[y])
		return weight[x] < weight[y] ? -1 : 1;
	return x < y ? 1 : -1;
}

int call_tree_build(const struct profile *p, const uint64_t *weight, struct call_tree *ret)
{
	size_t count = p->node_count;
	uint32_t *order = malloc(count * sizeof(*order));
	struct call_tree t = { calloc(count, sizeof(uint32_t)), calloc(count, sizeof(uint32_t)) };

	if (!order || !t.first_child || !t.next_sibling) {
		free(order);
		call_tree_free(&t);
		return -ENOMEM;
	}
	/* Every node is put in front of its siblings, so the last one comes first. */
	for (size_t i = 1; i < count; i++)
		order[i - 1] = count - i;
	if (weight)
		qsort_r(order, count - 1, sizeof(*order), weight_compare, (void *)weight);
	for (size_t i = 0; i < count - 1; i++) {
		uint32_t node = order[i], parent = p->nodes[node].parent;

		t.next_sibling[node] = t.first_child[parent];
		t.first_child[parent] = node;
	}
	free(order);
	*ret = t;
	return 0;
}

void call_tree_free(struct call_tree *t)
{
	free(t->first_child);
	free(t->next_sibling);
	*t = (struct call_tree){ 0 };
}

bool call_walk_next(struct call_walk *w)
{
	const struct call_tree *t = w->tree;

	if (!w->leaving && t->first_child[w->node]) {
		w->node = t->first_child[w->node];
		w->depth++;
	} else if (!w->leaving) {
		w->leaving = true;
	} else if (t->next_sibling[w->node]) {
		w->node = t->next_sibling[w->node];
		w->leaving = false;
	} else {
		w->node = w->nodes[w->node].parent;
		w->depth--;
	}
	return w->node != 0;
}
