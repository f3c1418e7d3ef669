// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Imports and collections of garbage, at the probes of one interpreter build.
 *
 * They are in each file once or a few times, with arguments in other registers: so there
 * is a program for each, which hands what it has read to a function that all share.
 */
#include "bpf/serving.bpf.h"
#include "bpf/marking.bpf.h"
#include "bpf/regs.bpf.h"

const volatile struct wire_arg gc_start_args[WIRE_GC_SITES];
const volatile struct wire_arg gc_done_args[WIRE_GC_SITES];
const volatile struct wire_arg import_start_args[WIRE_IMPORT_SITES];
const volatile struct wire_arg import_done_args[WIRE_IMPORT_SITES];

static __always_inline __u64 class_here(const struct server *s)
{
	struct wire_request *r = request_find(s->owner);

	return r ? r->class_id : 0;
}

__noinline int gc_start(__u64 generation)
{
	struct server *s = server_here();
	struct marking *m = s ? marking_make() : 0;

	if (!m)
		return 0;
	m->gc_ns = bpf_ktime_get_ns();
	server_account(s);
	m->gc_cost = s->now.cost;
	m->generation = generation;
	m->collecting = 1;
	return 0;
}

__noinline int gc_done(__u64 collected)
{
	struct server *s = server_here();
	struct marking *m = s ? marking_here() : 0;
	struct wire_event_collection e = {.head.kind = WIRE_EVENT_COLLECTION};

	/* What began before it was attached to is not known. */
	if (!m || !m->collecting)
		return 0;
	server_account(s);
	m->collecting = 0;
	e.head.tgid = s->tgid;
	e.ns = bpf_ktime_get_ns() - m->gc_ns;
	e.cost = s->now.cost - m->gc_cost;
	e.collected = (__s64)collected > 0 ? collected : 0;
	e.generation = m->generation;
	s->now.gc_ns += e.ns;
	s->now.gc_cost += e.cost;
	s->now.gcs++;
	place_read(m, class_here(s), 0, &e.place);
	if (bpf_ringbuf_output(&events, &e, sizeof(e), BPF_RB_NO_WAKEUP))
		lose(WIRE_LOSS_MARKS);
	return 0;
}

static __always_inline struct import *import_at(struct marking *m, __u32 depth)
{
	return depth < WIRE_IMPORTS ? &m->imports[depth & (WIRE_IMPORTS - 1)] : 0;
}

__noinline int import_start(__u64 name)
{
	struct server *s = server_here();
	struct marking *m = s ? marking_make() : 0;
	struct import *i = m ? import_at(m, m->depth) : 0;

	if (!m)
		return 0;
	if (!i) {
		lose(WIRE_LOSS_MARKS);
		return 0;
	}
	i->ns = bpf_ktime_get_ns();
	server_account(s);
	m->depth++;
	i->name = name;
	i->cost = s->now.cost;
	i->inner_ns = i->inner_cost = 0;
	return 0;
}

/*
 * Looks at the import below the one that was looked at last.  1: it is it; 0: there is one
 * more; -1: there is none.
 */
__noinline int import_step(__u64 name)
{
	struct marking *m = marking_here();
	struct import *i;
	__u32 depth;

	if (!m || !m->below)
		return -1;
	depth = --m->below;
	i = import_at(m, depth);
	if (!i)
		return -1;
	return i->name == name;
}

/*
 * The one that ends here is on top, but where a greenlet was left amid an import, or an
 * end was not seen.  0: none is it, as its beginning was not seen.
 */
static __always_inline struct import *import_pop(struct marking *m, __u64 name)
{
	int found = 0;

	m->below = m->depth;
	for (int n = 0; n < WIRE_IMPORTS && !found; n++)
		found = import_step(name);
	if (found <= 0) {
		lose(WIRE_LOSS_MARKS);
		return 0;
	}
	m->depth = m->below;
	return import_at(m, m->depth);
}

static __always_inline void import_charge(struct server *s, struct marking *m,
					  const struct wire_event_import *e)
{
	struct import *outer = import_at(m, m->depth - 1);

	s->now.import_ns += e->self_ns;
	s->now.import_cost += e->self_cost;
	s->now.imports++;
	if (!outer)
		return;
	outer->inner_ns += e->ns;
	outer->inner_cost += e->cost;
}

__noinline int import_done(__u64 name)
{
	struct server *s = server_here();
	struct marking *m = s ? marking_here() : 0;
	struct import *i = m && m->depth ? import_pop(m, name) : 0;
	struct wire_event_import e = {.head.kind = WIRE_EVENT_IMPORT};
	long length;

	if (!i)
		return 0;
	server_account(s);
	e.head.tgid = s->tgid;
	e.ns = bpf_ktime_get_ns() - i->ns;
	e.cost = s->now.cost - i->cost;
	e.self_ns = e.ns > i->inner_ns ? e.ns - i->inner_ns : 0;
	e.self_cost = e.cost > i->inner_cost ? e.cost - i->inner_cost : 0;
	import_charge(s, m, &e);
	length = bpf_probe_read_user_str(e.module, sizeof(e.module), (void *)name);
	e.length = length > 0 ? length - 1 : 0;
	place_read(m, class_here(s), 1, &e.place);
	if (bpf_ringbuf_output(&events, &e, sizeof(e), BPF_RB_NO_WAKEUP))
		lose(WIRE_LOSS_MARKS);
	return 0;
}

#define SITE(what, n)                                                                              \
	SEC("uprobe") int on_##what##_##n(void *ctx)                                               \
	{                                                                                          \
		what(arg_read(ctx, &what##_args[n]));                                              \
		return 0;                                                                          \
	}
SITE(gc_start, 0)
SITE(gc_start, 1)
SITE(gc_done, 0)
SITE(gc_done, 1)
SITE(import_start, 0)
SITE(import_start, 1)
SITE(import_start, 2)
SITE(import_start, 3)
SITE(import_done, 0)
SITE(import_done, 1)
SITE(import_done, 2)
SITE(import_done, 3)

char LICENSE[] SEC("license") = "GPL";
