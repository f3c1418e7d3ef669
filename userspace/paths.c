/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/paths.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "bpf/wire_request.h"
#include "userspace/code_traits.h"
#include "userspace/codes.h"
#include "userspace/line_store.h"
#include "userspace/path_order.h"
#include "userspace/sample_natives.h"
#include "userspace/samples.h"

/* A call path by its parent, or a root by its process. */
struct path_node {
	uint32_t parent, function; /* key; both 0 in a root */
	uint32_t root_serial, root_tid, root_endpoint; /* key; 0 but in a root */
	uint32_t id;
	uint32_t serial;
};
#define NODE_KEY offsetof(struct path_node, id)

struct paths {
	struct paths_options options;
	struct tally nodes;
	struct tally samples, passages; /* of this pass; struct sink_sample, sink_passage */
	uint32_t next_id;
	bool swept; /* in this pass */
	uint64_t taken, unwalked, deep, nodes_lost, orphans;
	struct path_frame frames[WIRE_SAMPLE_FRAMES + WIRE_SAMPLE_AWAITS];
	uint32_t order[WIRE_SAMPLE_FRAMES + WIRE_SAMPLE_AWAITS];
};

int paths_new(const struct paths_options *options, struct paths **ret)
{
	struct paths *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->options = *options;
	p->nodes = (struct tally){.item_size = sizeof(struct path_node), .key_size = NODE_KEY,
				  .max = options->max_nodes ? options->max_nodes
							    : WIRE_DEFAULT_NODES};
	p->samples = (struct tally){.item_size = sizeof(struct sink_sample),
				    .key_size = offsetof(struct sink_sample, count)};
	p->passages = (struct tally){.item_size = sizeof(struct sink_passage),
				     .key_size = offsetof(struct sink_passage, count)};
	*ret = p;
	return 0;
}

void paths_free(struct paths *p)
{
	if (!p)
		return;
	tally_clear(&p->nodes);
	tally_clear(&p->samples);
	tally_clear(&p->passages);
	free(p);
}

/* Lets go of the nodes of processes that are no more; the sink keeps its own. */
static int nodes_sweep(struct paths *p)
{
	struct tally old = p->nodes;
	const struct path_node *nodes = old.items;
	struct path_node *kept;
	int err = 0;

	p->nodes.items = NULL;
	p->nodes.slots = NULL;
	p->nodes.count = p->nodes.capacity = p->nodes.slot_mask = 0;
	for (uint32_t i = 0; !err && i < old.count; i++) {
		if (!p->options.lives(p->options.arg, nodes[i].serial))
			continue;
		err = tally_at(&p->nodes, &nodes[i], &kept);
		if (!err)
			*kept = nodes[i];
	}
	tally_clear(&old);
	return err;
}

/* -ENOSPC: there is no room for it. */
static int node_at(struct paths *p, struct path_node *key, const struct path_owner *owner,
		   uint32_t *ret)
{
	struct sink_node fact = {.parent = key->parent, .function = key->function,
				 .pid = owner->pid, .tid = key->root_tid,
				 .endpoint = key->root_endpoint};
	struct path_node *node = tally_find(&p->nodes, key);
	int err;

	if (node) {
		*ret = node->id;
		return 0;
	}
	err = tally_at(&p->nodes, key, &node);
	if (err == -ENOSPC && !p->swept) {
		p->swept = true;
		err = nodes_sweep(p);
		if (!err)
			err = tally_at(&p->nodes, key, &node);
	}
	if (err)
		return err;
	fact.id = *ret = node->id = ++p->next_id;
	node->serial = owner->serial;
	return p->options.sink->node(p->options.sink, &fact);
}

static int passage_count(struct paths *p, uint32_t node, uint32_t line, uint64_t count)
{
	struct sink_passage key = {.node = node, .line = line}, *passage;
	int err = tally_at(&p->passages, &key, &passage);

	if (!err)
		passage->count += count;
	return err;
}

/* The node that a stack's path ends at, told with all above it. */
static int path_walk(struct paths *p, const struct sample_stack *stack,
		     const struct path_owner *owner, uint32_t endpoint, uint32_t length,
		     uint32_t *ret, uint32_t *ret_line)
{
	struct path_node key = {.root_serial = owner->serial, .root_endpoint = endpoint,
				.root_tid = p->options.per_thread ? stack->tid : 0};
	int err = node_at(p, &key, owner, ret);

	*ret_line = 0;
	for (uint32_t i = 0; !err && i < length; i++) {
		const struct path_frame *f = &p->frames[p->order[i]];
		uint32_t caller = *ret;

		key = (struct path_node){.parent = caller, .function = f->function};
		err = node_at(p, &key, owner, ret);
		if (err == -ENOSPC) {
			*ret = caller;
			p->nodes_lost += stack->count;
			return 0;
		}
		if (!err && i)
			err = passage_count(p, caller, *ret_line, stack->count);
		*ret_line = f->line;
	}
	return err;
}

/* *ret_traits: of all of them.  -EAGAIN: a name has not come yet. */
static int frames_name(struct paths *p, const struct samples *s, const struct sample_stack *stack,
		       bool wait, uint8_t *ret_traits)
{
	const struct wire_sample_frame *frames = s->frames + stack->first;

	*ret_traits = 0;
	for (uint32_t i = 0; i < stack->frames; i++) {
		struct wire_code_key key = {.code = frames[i].code, .tgid = stack->tgid,
					    .print = frames[i].print};
		struct code_known *known = codes_known(p->options.codes, &key);
		uint32_t instr = frames[i].instr & WIRE_NO_INSTR;
		int err;

		if (!known && wait)
			return -EAGAIN;
		p->frames[i] = (struct path_frame){.awaits = frames[i].instr & WIRE_FRAME_AWAITS};
		if (known) {
			p->frames[i].function = known->function;
			p->frames[i].traits = known->traits;
			*ret_traits |= known->traits;
			if (instr != WIRE_NO_INSTR)
				p->frames[i].line = line_store_line(p->options.lines, known->lines,
								    instr);
			continue;
		}
		err = codes_invent_key(p->options.codes, &key, &p->frames[i].function);
		if (err)
			return err;
	}
	return 0;
}

static bool runs_in_import(const struct paths *p, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		if (p->frames[p->order[i]].traits & TRAIT_IMPORT)
			return true;
	return false;
}

static enum sample_state state_of(const struct sample_place *place,
				  const struct native_found *native, bool in_import)
{
	if (place->state == WIRE_SAMPLE_GC)
		return SAMPLE_GC;
	return native->state ? native->state : in_import ? SAMPLE_IMPORT : SAMPLE_RUNS;
}

static int place_count(struct paths *p, const struct samples *s, const struct sample_stack *stack,
		       const struct sample_place *place, const struct path_owner *owner,
		       struct sink_sample at, bool walked, bool in_import)
{
	const struct sample_chain *chain = (struct sample_chain *)s->chains.items + place->chain - 1;
	struct native_found native = {0};
	struct sink_sample *sample;
	int err = 0;

	if (place->chain && p->options.natives)
		err = sample_natives_find(p->options.natives, stack->tgid, owner->interpreter,
					  s->natives + chain->first, chain->natives, &native);
	if (err)
		return err;
	at.native = native.id;
	at.state = state_of(place, &native, in_import);
	at.in_kernel = place->in_kernel;
	at.opcode = place->has_opcode && walked ? place->opcode : SINK_NO_OPCODE;
	err = tally_at(&p->samples, &at, &sample);
	if (err)
		return err;
	sample->count += place->count;
	p->taken += place->count;
	if (place->flags & (WIRE_SAMPLE_UNREAD | WIRE_SAMPLE_TORN))
		p->unwalked += place->count;
	if (place->flags & WIRE_SAMPLE_DEEP)
		p->deep += place->count;
	return 0;
}

/* -EAGAIN: it has not been announced yet. */
static int endpoint_find(const struct paths *p, uint64_t class_id, bool wait, uint32_t *ret)
{
	*ret = 0;
	if (!class_id || !p->options.endpoint)
		return 0;
	*ret = p->options.endpoint(p->options.endpoint_arg, class_id);
	if (*ret)
		return 0;
	if (wait)
		return -EAGAIN;
	/* Its announcement was lost. */
	*ret = p->options.endpoint(p->options.endpoint_arg, WIRE_CLASS_OTHER);
	return 0;
}

static int stack_take(struct paths *p, const struct samples *s, const struct sample_stack *stack,
		      bool wait)
{
	const struct path_owner *owner = p->options.owner(p->options.arg, stack->tgid);
	const struct sample_place *places = s->places.items;
	struct sink_sample at = {0};
	uint32_t length = 0, endpoint;
	uint8_t traits;
	bool in_import;
	int err;

	if (!stack->count) /* there was no room for its place */
		return 0;
	if (!owner) {
		p->orphans += wait ? 0 : stack->count;
		return wait ? -EAGAIN : 0;
	}
	err = endpoint_find(p, stack->class_id, wait, &endpoint);
	if (err)
		return err;
	if (owner->refused && *owner->refused) {
		p->unwalked += stack->count;
	} else {
		err = frames_name(p, s, stack, wait, &traits);
		if (err)
			return err;
		if (traits & TRAIT_NO_CALL)
			p->unwalked += stack->count;
		else
			length = path_order(p->frames, stack->frames, p->order);
	}
	in_import = runs_in_import(p, length);
	err = path_walk(p, stack, owner, endpoint, length, &at.node, &at.line);
	for (uint32_t i = stack->place; !err && i != SAMPLES_NO_PLACE; i = places[i].next)
		err = place_count(p, s, stack, &places[i], owner, at, length != 0, in_import);
	return err;
}

/* What this pass has found, and nothing of it is kept. */
static int pass_tell(struct paths *p)
{
	const struct sink_sample *samples = p->samples.items;
	const struct sink_passage *passages = p->passages.items;
	struct sink *sink = p->options.sink;
	int err = 0;

	for (uint32_t i = 0; !err && i < p->samples.count; i++)
		err = sink->sample(sink, &samples[i]);
	for (uint32_t i = 0; !err && i < p->passages.count; i++)
		err = sink->passage(sink, &passages[i]);
	tally_empty(&p->samples);
	tally_empty(&p->passages);
	return err;
}

int paths_take(struct paths *p, struct samples *samples, struct samples *later, uint32_t settled)
{
	const struct sample_stack *stacks = samples->stacks.items;
	int err = 0;

	p->swept = false;
	for (uint32_t i = 0; !err && i < samples->stacks.count; i++) {
		bool wait = later && !stacks[i].waited && stacks[i].tgid != settled;

		err = stack_take(p, samples, &stacks[i], wait);
		if (err == -EAGAIN)
			err = samples_move(later, samples, &stacks[i]);
	}
	samples_empty(samples);
	return err ? err : pass_tell(p);
}

uint64_t paths_samples(const struct paths *p)
{
	return p->taken;
}

uint32_t paths_nodes(const struct paths *p)
{
	return p->next_id;
}

void paths_losses(const struct paths *p, uint64_t losses[LOSS_MAX])
{
	losses[LOSS_UNWALKED] += p->unwalked;
	losses[LOSS_DEEP] += p->deep;
	losses[LOSS_NODES] += p->nodes_lost;
	losses[LOSS_PROCESSES] += p->orphans;
}
