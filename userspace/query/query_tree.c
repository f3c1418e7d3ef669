/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/query/query_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int grow(void *array, size_t count, size_t *capacity, size_t size)
{
	void **items = array, *grown;
	size_t wanted = *capacity * 2 + 64;

	if (count < *capacity)
		return 0;
	grown = reallocarray(*items, wanted, size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*capacity = wanted;
	return 0;
}

static const char *keep(struct query_tree *t, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = arena_alloc(&t->strings, size);

	return copy ? memcpy(copy, text, size) : NULL;
}

int query_tree_add_function(struct query_tree *t, const struct query_tree_function *f)
{
	struct query_tree_function kept = { keep(t, f->name), keep(t, f->file), f->line };

	if (!kept.name || !kept.file ||
	    grow(&t->functions, t->function_count, &t->function_capacity, sizeof(kept)))
		return -ENOMEM;
	t->functions[t->function_count++] = kept;
	return 0;
}

static bool group_is(const struct query_tree *t, const struct query_tree_group *a,
		     const struct query_tree_group *b)
{
	for (unsigned i = 0; i < t->key_count; i++)
		if (strcmp(a->values[i], b->values[i]))
			return false;
	return !strcmp(a->pair.metric, b->pair.metric) && !strcmp(a->pair.mode, b->pair.mode);
}

int query_tree_add_group(struct query_tree *t, const struct query_tree_group *g, uint32_t *ret)
{
	struct query_tree_group kept = { .pair = g->pair };

	/* Those of the same group come together, mostly. */
	for (size_t i = t->group_count; i-- > 0;)
		if (group_is(t, &t->groups[i], g)) {
			*ret = i;
			return 0;
		}
	if (grow(&t->groups, t->group_count, &t->group_capacity, sizeof(kept)))
		return -ENOMEM;
	for (unsigned i = 0; i < t->key_count; i++) {
		kept.values[i] = keep(t, g->values[i]);
		if (!kept.values[i])
			return -ENOMEM;
	}
	*ret = t->group_count;
	t->groups[t->group_count++] = kept;
	return 0;
}

int query_tree_add_node(struct query_tree *t, const struct query_tree_node *n)
{
	if (!t->node_count) {
		if (grow(&t->nodes, 0, &t->node_capacity, sizeof(*n)))
			return -ENOMEM;
		t->nodes[t->node_count++] = (struct query_tree_node){ 0 };
	}
	if (t->node_count >= UINT32_MAX)
		return -E2BIG;
	if (grow(&t->nodes, t->node_count, &t->node_capacity, sizeof(*n)))
		return -ENOMEM;
	t->nodes[t->node_count++] = *n;
	return 0;
}

void query_tree_free(struct query_tree *t)
{
	free(t->functions);
	free(t->groups);
	free(t->nodes);
	arena_free(&t->strings);
	*t = (struct query_tree){ 0 };
}
