/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/leaves.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/saturate.h"

static int leaf_compare(const void *a, const void *b)
{
	const struct leaf *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	if (x->native != y->native)
		return x->native < y->native ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->state < y->state ? -1 : x->state > y->state;
}

static uint32_t *orders_find(const struct report *r)
{
	uint32_t *orders = calloc(r->profile->node_count, sizeof(*orders)), next = 0;
	struct call_walk walk = { &r->tree, r->profile->nodes };

	while (orders && call_walk_next(&walk))
		if (!walk.leaving)
			orders[walk.node] = next++;
	return orders;
}

int leaves_compute(const struct report *r, bool by_native, struct tally *ret)
{
	struct tally leaves = { .item_size = sizeof(struct leaf),
				.key_size = offsetof(struct leaf, samples) };
	const struct profile *p = r->profile;
	uint32_t *orders = orders_find(r);
	int err = orders ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < p->sample_count; i++) {
		const struct sink_sample *sample = &p->samples[i];
		struct leaf key = { orders[sample->node], sample->node }, *leaf;

		if (by_native) {
			key.native = sample->native;
		} else {
			key.line = sample->line;
			key.state = sample->state;
		}
		err = tally_at(&leaves, &key, &leaf);
		if (!err)
			leaf->samples = saturating_add(leaf->samples, sample->count);
	}
	free(orders);
	if (err) {
		tally_clear(&leaves);
		return err;
	}
	if (leaves.count)
		qsort(leaves.items, leaves.count, sizeof(struct leaf), leaf_compare);
	*ret = leaves;
	return 0;
}
