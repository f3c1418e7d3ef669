/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/profile_rehome.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "userspace/profile_keep.h"
#include "userspace/saturate.h"

/* A node of an endpoint's tree, by its parent or, of a root, by what it is the root of. */
struct home {
	uint32_t parent, function;
	uint32_t process, tid, endpoint; /* 0 but of a root */
	uint32_t node;
};

struct moving {
	struct profile *p;
	const uint32_t *endpoints;
	size_t count;	 /* of nodes, before any was added */
	uint64_t *cost;	 /* by node, with all below it */
	uint32_t *to;	 /* by node: what it becomes; 0: it stays */
	uint32_t *chain; /* a node and its callers */
	struct tally homes;
	struct tally *told;
};

static struct home key_of(const struct profile_node *n, uint32_t parent, uint32_t endpoint)
{
	struct home key = { .parent = parent, .function = n->function };

	if (!parent) {
		key.process = n->process;
		key.tid = n->tid;
		key.endpoint = endpoint;
	}
	return key;
}

static int homes_fill(struct moving *m)
{
	int err = 0;

	for (uint32_t i = 1; i < m->count && !err; i++) {
		const struct profile_node *n = &m->p->nodes[i];
		struct home key = key_of(n, n->parent, n->endpoint), *home;

		if (!n->endpoint)
			continue;
		err = tally_at(&m->homes, &key, &home);
		if (!err && !home->node)
			home->node = i;
	}
	return err;
}

/* The like of a node, below that parent: one that is there, or a new one. */
static int home_at(struct moving *m, uint32_t node, uint32_t parent, uint32_t endpoint,
		    uint32_t *ret)
{
	struct profile *p = m->p;
	struct profile_node like = p->nodes[node];
	struct home key = key_of(&like, parent, endpoint), *home;
	int err = tally_at(&m->homes, &key, &home);

	if (err)
		return err;
	if (!home->node) {
		err = profile_grow(&p->nodes, p->node_count, &p->node_capacity, sizeof(*p->nodes));
		if (err)
			return err;
		p->nodes[p->node_count] = (struct profile_node){
			.parent = parent, .function = like.function, .process = like.process,
			.tid = like.tid, .endpoint = endpoint,
		};
		home->node = p->node_count++;
	}
	*ret = home->node;
	return 0;
}

/* Callers come with it, down from the root. */
static int chain_move(struct moving *m, uint32_t node)
{
	uint32_t endpoint = m->endpoints[node], root = 0, length = 0, to = 0;
	struct profile_rehomed *told;
	int err = 0;

	for (uint32_t n = node; n; n = m->p->nodes[n].parent)
		m->chain[length++] = n;
	while (!err && length--) {
		err = home_at(m, m->chain[length], to, endpoint, &to);
		root = root ? root : to;
	}
	if (!err)
		err = tally_at(m->told, &root, &told);
	if (err)
		return err;
	told->endpoint = endpoint;
	told->cost = saturating_add(told->cost, m->cost[node]);
	m->to[node] = to;
	return 0;
}

static void cost_move(struct profile *p, uint32_t from, uint32_t to)
{
	struct profile_node *a = &p->nodes[from], *b = &p->nodes[to];

	b->samples = saturating_add(b->samples, a->samples);
	b->self_raw = saturating_add(b->self_raw, a->self_raw);
	a->samples = a->self_raw = 0;
}

/* Parents come before their children. */
static int nodes_move(struct moving *m)
{
	int err = 0;

	for (uint32_t i = 1; i < m->count && !err; i++) {
		uint32_t parent = m->to[m->p->nodes[i].parent];

		if (m->p->nodes[i].endpoint || !m->cost[i])
			continue;
		if (parent)
			err = home_at(m, i, parent, m->p->nodes[parent].endpoint, &m->to[i]);
		else if (m->endpoints[i])
			err = chain_move(m, i);
		if (!err && m->to[i])
			cost_move(m->p, i, m->to[i]);
	}
	return err;
}

/* Items that begin with their node and end with their count. */
static int items_move(const struct moving *m, struct tally *items, size_t count_at)
{
	struct tally moved = { .item_size = items->item_size, .key_size = items->key_size };
	int err = 0;

	for (uint32_t i = 0; i < items->count && !err; i++) {
		char *item = (char *)items->items + i * items->item_size, *at;
		uint32_t *node = (uint32_t *)item;
		uint64_t *count;

		*node = m->to[*node] ? m->to[*node] : *node;
		err = tally_at(&moved, item, &at);
		if (err)
			break;
		count = (uint64_t *)(at + count_at);
		*count = saturating_add(*count, *(uint64_t *)(item + count_at));
	}
	if (err) {
		tally_clear(&moved);
		return err;
	}
	tally_clear(items);
	*items = moved;
	return 0;
}

_Static_assert(!offsetof(struct sink_sample, node) && !offsetof(struct sink_passage, node),
	       "an item begins with its node");

static int places_move(struct moving *m)
{
	struct profile *p = m->p;
	int err = items_move(m, &p->sample_tally, offsetof(struct sink_sample, count));

	p->samples = p->sample_tally.items;
	p->sample_count = p->sample_tally.count;
	if (!err)
		err = items_move(m, &p->passage_tally, offsetof(struct sink_passage, count));
	p->passages = p->passage_tally.items;
	p->passage_count = p->passage_tally.count;
	return err;
}

static void cost_add_up(struct moving *m)
{
	for (size_t i = m->count; i-- > 1;) {
		const struct profile_node *n = &m->p->nodes[i];

		m->cost[i] = saturating_add(m->cost[i], n->self_raw);
		m->cost[n->parent] = saturating_add(m->cost[n->parent], m->cost[i]);
	}
}

int profile_rehome(struct profile *p, const uint32_t *endpoints, struct tally *ret)
{
	struct moving m = {
		.p = p,
		.endpoints = endpoints,
		.count = p->node_count,
		.cost = calloc(p->node_count, sizeof(*m.cost)),
		.to = calloc(p->node_count, sizeof(*m.to)),
		.chain = calloc(p->node_count, sizeof(*m.chain)),
		.homes = { .item_size = sizeof(struct home),
			    .key_size = offsetof(struct home, node) },
		.told = ret,
	};
	int err = m.cost && m.to && m.chain ? 0 : -ENOMEM;

	*ret = (struct tally){ .item_size = sizeof(struct profile_rehomed),
			       .key_size = offsetof(struct profile_rehomed, endpoint) };
	if (!err)
		err = homes_fill(&m);
	if (!err) {
		cost_add_up(&m);
		err = nodes_move(&m);
	}
	if (!err)
		err = places_move(&m);
	free(m.cost);
	free(m.to);
	free(m.chain);
	tally_clear(&m.homes);
	return err;
}
