// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/drain.h"

#include <errno.h>
#include <stdlib.h>

#include "bpf/wire_request.h"
#include "userspace/calibrate.h"
#include "userspace/codes.h"
#include "userspace/counter.h"
#include "userspace/kernel.h"
#include "userspace/searches.h"
#include "userspace/sink.h"

/* What the sink was last told of a node of the kernel's. */
struct told {
	uint64_t calls, self;
	uint32_t id; /* the sink's; 0: not told yet */
	uint32_t function; /* until told: the pass in which it began to wait; 0: it does not */
};

struct drain {
	struct kernel *kernel;
	struct codes *codes;
	struct sink *sink;
	struct drain_ops ops;
	struct told *told;
	struct searches *searches;
	uint64_t *kernel_told; /* by node too; NULL: kernel mode is not counted */
	uint32_t top; /* no node above this has ever been seen */
	uint32_t next_id;
	uint32_t pass; /* from 1 */
	uint64_t calls;
	bool last_pass;
};

int drain_new(struct kernel *k, struct codes *codes, struct sink *sink,
	      const struct drain_ops *ops, struct drain **ret)
{
	struct drain *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->kernel = k;
	d->codes = codes;
	d->sink = sink;
	d->ops = *ops;
	/* Untouched pages of it cost no memory. */
	d->told = calloc(k->options.max_nodes, sizeof(*d->told));
	if (k->kernel_selfs)
		d->kernel_told = calloc(k->options.max_nodes, sizeof(*d->kernel_told));
	if (!d->told || (k->kernel_selfs && !d->kernel_told) || searches_new(k, &d->searches)) {
		drain_free(d);
		return -ENOMEM;
	}
	*ret = d;
	return 0;
}

void drain_free(struct drain *d)
{
	if (!d)
		return;
	free(d->kernel_told);
	free(d->told);
	searches_free(d->searches);
	free(d);
}

/* What a node has cost in kernel mode since last told. */
static uint64_t kernel_gained(const struct drain *d, uint32_t index)
{
	return d->kernel_told ? kernel_self(d->kernel, index) - d->kernel_told[index] : 0;
}

/* What is looked for may still come; but not for ever. */
static bool may_wait(const struct drain *d, struct told *t)
{
	if (!t->function)
		t->function = d->pass;
	return t->function == d->pass && !d->last_pass;
}

static int function_of(struct drain *d, struct told *t, const struct wire_node *n, uint32_t *ret)
{
	*ret = 0;
	if (!n->parent)
		return 0;
	*ret = codes_function(d->codes, n);
	if (*ret)
		return 0;
	if (may_wait(d, t))
		return -EAGAIN;
	return codes_invent(d->codes, n, ret);
}

static int endpoint_of(struct drain *d, struct told *t, const struct wire_node *n, uint32_t *ret)
{
	uint64_t class_id = n->parent ? 0 : n->wrapped;

	*ret = 0;
	if (!class_id || !d->ops.endpoint)
		return 0;
	*ret = d->ops.endpoint(d->ops.endpoint_arg, class_id);
	if (*ret)
		return 0;
	if (may_wait(d, t))
		return -EAGAIN;
	/* Its announcement was lost. */
	*ret = d->ops.endpoint(d->ops.endpoint_arg, WIRE_CLASS_OTHER);
	return 0;
}

/* -EAGAIN: its names, its endpoint or its process are not known yet. */
static int node_tell_one(struct drain *d, uint32_t index, uint32_t parent_id)
{
	const struct wire_node *n = &d->kernel->nodes[index];
	struct told *t = &d->told[index];
	struct sink_node fact = {.parent = parent_id, .pid = n->tgid, .tid = n->tid};
	int err;

	if (!n->parent && !d->ops.knows(d->ops.arg, n->tgid))
		return -EAGAIN;
	err = function_of(d, t, n, &fact.function);
	if (!err)
		err = endpoint_of(d, t, n, &fact.endpoint);
	if (err)
		return err;
	fact.id = t->id = ++d->next_id;
	t->function = fact.function;
	return d->sink->node(d->sink, &fact);
}

/* Tells the sink of a node and, before it, of those above it. */
static int node_tell(struct drain *d, uint32_t index)
{
	uint32_t path[WIRE_STACK_DEPTH + 2];
	uint32_t at = index, parent_id = 0;
	int depth = 0, err;

	while (at && !d->told[at].id) {
		if (depth == (int)(sizeof(path) / sizeof(*path)))
			return -ELOOP;
		path[depth++] = at;
		at = d->kernel->nodes[at].parent;
	}
	parent_id = at ? d->told[at].id : 0;
	while (depth--) {
		err = node_tell_one(d, path[depth], parent_id);
		if (err)
			return err;
		parent_id = d->told[path[depth]].id;
	}
	return 0;
}

static void searches_drain(struct drain *d, uint32_t index, struct sink_cost *fact)
{
	const struct build_cost *cost = d->ops.cost(d->ops.arg, d->kernel->nodes[index].tgid);
	const struct told *t = &d->told[index];

	if (cost)
		searches_tell(d->searches, index, t->calls,
			      codes_lines(d->codes, t->function, &cost->lines), cost, fact);
}

static bool is_nothing(const struct sink_cost *c)
{
	return !c->calls && !c->self && !c->search_self && !c->search_caller && !c->kernel_self &&
	       !c->lone_self && !c->lone_caller;
}

/* Where only whole requests are measured, what is outside of them is not. */
static bool is_unmeasured(const struct drain *d, const struct wire_node *n)
{
	return d->kernel->options.whole_requests && !n->parent && !n->wrapped;
}

static int node_drain(struct drain *d, uint32_t index)
{
	struct wire_node *n = &d->kernel->nodes[index];
	struct told *t = &d->told[index];
	uint64_t calls = __atomic_load_n(&n->calls, __ATOMIC_RELAXED);
	uint64_t self = __atomic_load_n(&n->self, __ATOMIC_RELAXED);
	uint64_t kernel = kernel_gained(d, index);
	struct sink_cost cost;
	int err;

	if (calls == t->calls && self == t->self && !kernel && !(d->last_pass && t->id))
		return 0;
	if (is_unmeasured(d, n))
		return 0;
	if (!t->id) {
		err = node_tell(d, index);
		if (err)
			return err == -EAGAIN ? 0 : err;
	}
	cost = (struct sink_cost){.node = t->id, .calls = calls - t->calls, .self = self - t->self,
				  .kernel_self = kernel};
	/* self is stored, then calls: a reader in between may see it step back. */
	if ((int64_t)cost.self < 0)
		return 0;
	d->calls += cost.calls;
	t->calls = calls;
	t->self = self;
	searches_drain(d, index, &cost);
	if (d->kernel_told)
		d->kernel_told[index] += kernel;
	return is_nothing(&cost) ? 0 : d->sink->cost(d->sink, &cost);
}

int drain_run(struct drain *d)
{
	uint32_t max = d->kernel->options.max_nodes;
	int err;

	d->pass++;
	searches_pass(d->searches, d->last_pass);
	/* Numbers are handed out upwards, so the first hole is the end. */
	while (d->top + 1 < max &&
	       __atomic_load_n(&d->kernel->nodes[d->top + 1].flags, __ATOMIC_ACQUIRE))
		d->top++;
	for (uint32_t i = 1; i <= d->top; i++) {
		if (!__atomic_load_n(&d->kernel->nodes[i].flags, __ATOMIC_ACQUIRE))
			continue;
		err = node_drain(d, i);
		if (err)
			return err;
	}
	return 0;
}

static void open_call_charge_kernel(struct drain *d, const volatile struct wire_thread *t,
				    uint32_t node)
{
	uint64_t open = t->pending_kernel, now;

	if (!d->kernel_told)
		return;
	if (t->on_cpu && !counter_read(d->kernel->options.kernel_counter, t->cpu, &now) &&
	    now > t->last_kernel)
		open += now - t->last_kernel;
	d->kernel->kernel_selfs[node] += open;
}

/* What a running or waiting thread has cost since its last probe. */
static void open_calls_charge(struct drain *d, const struct counter *counter)
{
	uint64_t now;

	for (unsigned i = 0; i < d->kernel->options.max_threads; i++) {
		const volatile struct wire_thread *t = &d->kernel->threads[i];
		uint32_t node = t->top_node;
		uint64_t open = t->pending;

		if (!t->tgid || !node || node >= d->kernel->options.max_nodes)
			continue;
		if (t->on_cpu && !counter_read(counter, t->cpu, &now) && now > t->last)
			open += now - t->last;
		d->kernel->nodes[node].self += open;
		open_call_charge_kernel(d, t, node);
	}
}

int drain_finish(struct drain *d, const struct counter *counter)
{
	open_calls_charge(d, counter);
	d->last_pass = true;
	return drain_run(d);
}

void drain_recycle(struct drain *d, uint32_t tgid)
{
	for (uint32_t i = 1; i <= d->top; i++) {
		if (d->kernel->nodes[i].tgid != tgid)
			continue;
		d->told[i] = (struct told){0};
		searches_forget(d->searches, i);
		if (d->kernel_told)
			d->kernel_told[i] = 0;
		kernel_recycle(d->kernel, i);
	}
}

uint64_t drain_calls(const struct drain *d)
{
	return d->calls;
}

uint32_t drain_nodes(const struct drain *d)
{
	return d->next_id;
}
