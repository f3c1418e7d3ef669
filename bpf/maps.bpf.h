/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps of the exact mode's programs, and the small accessors to them.
 * User space sizes `nodes`, `searches`, `children`, `threads`, `stacks` and `chains` before
 * loading; free slots come from stacks that user space fills, because 5.10 has
 * no atomic that returns the old value.
 */
#ifndef PYCOST_MAPS_BPF_H
#define PYCOST_MAPS_BPF_H

#include "bpf/class_of.bpf.h"
#include "bpf/counter.bpf.h"
#include "bpf/events.bpf.h"
#include "bpf/slots.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WIRE_DEFAULT_NODES);
	__type(key, __u32);
	__type(value, struct wire_node);
} nodes SEC(".maps");

/* Twice as many: see struct wire_search. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * WIRE_DEFAULT_NODES);
	__type(key, __u32);
	__type(value, struct wire_search);
} searches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WIRE_DEFAULT_NODES);
	__type(key, struct wire_child_key);
	__type(value, __u32);
} children SEC(".maps");

/*
 * Slot + 1 of the thread now on this CPU, 0 when it is no known one.  Kept by
 * on_switch(), so that a probe finds its thread without hashing.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} running SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WIRE_MAX_PROCS);
	__type(key, __u32); /* tgid */
	__type(value, struct wire_proc);
} procs SEC(".maps");

/* Row `slot` of WIRE_STACK_DEPTH: the frames below each thread's top. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WIRE_DEFAULT_THREADS *WIRE_STACK_DEPTH);
	__type(key, __u32);
	__type(value, struct wire_frame);
} stacks SEC(".maps");

/* Scratch rows of the same shape, for rebuilding a stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WIRE_DEFAULT_THREADS *WIRE_STACK_DEPTH);
	__type(key, __u32);
	__type(value, struct wire_frame);
} chains SEC(".maps");

/* Those of classes of requests; one entry when costs are not added up by request. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WIRE_MAX_ROOTS);
	__type(key, struct wire_root_key);
	__type(value, __u32); /* node */
} roots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, WIRE_DEFAULT_NODES);
	__uint(value_size, sizeof(__u32));
} free_nodes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, WIRE_DEFAULT_THREADS);
	__uint(value_size, sizeof(__u32));
} free_slots SEC(".maps");

/* Code objects already announced. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WIRE_MAX_CODES);
	__type(key, struct wire_code_key);
	__type(value, __u8);
} codes SEC(".maps");

const volatile __u8 per_thread; /* a root per thread, not per process */
/* Probes are on for some requests only: what is outside of these is not measured. */
const volatile __u8 whole_requests;

static __always_inline struct wire_node *node_at(__u32 index)
{
	return bpf_map_lookup_elem(&nodes, &index);
}

static __always_inline struct wire_frame *row_at(void *map, struct wire_thread *t, __u32 i)
{
	__u32 key = t->slot * WIRE_STACK_DEPTH + i;

	return i < WIRE_STACK_DEPTH ? bpf_map_lookup_elem(map, &key) : 0;
}

static __always_inline __u32 *running_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&running, &zero);
}

/* What the counter advanced since last asked goes to the top of the stack. */
static __always_inline void thread_charge(struct wire_thread *t, struct wire_node *top, __u64 now)
{
	__u64 advance;

	/* Newer kernels may switch tasks inside a probe: then `now` is stale. */
	if ((__s64)(now - t->last) < 0)
		now = counter_now();
	advance = counter_advance(t->last, now) + t->pending;
	t->last = now;
	t->pending = 0;
	__sync_fetch_and_add(&top->self, advance);
}

/* The slow paths take up to microseconds; as time, they are nobody's. */
static __always_inline void clock_restart(struct wire_thread *t)
{
	__u64 now;

	if (!task_clock)
		return;
	now = bpf_ktime_get_ns();
	t->left_out += now - t->last;
	t->last = now;
}

/* It is on this CPU, and its clock starts. */
static __always_inline void thread_runs(struct wire_thread *t, __u32 *here, __u64 now)
{
	t->cpu = bpf_get_smp_processor_id();
	t->on_cpu = 1;
	t->last = now;
	*here = t->slot + 1;
}

/* A root, or 0 when the tree is full. */
static __always_inline __u32 root_create(__u32 tgid, __u32 tid)
{
	struct wire_node *n;
	__u32 index = 0;

	if (bpf_map_pop_elem(&free_nodes, &index) || !(n = node_at(index))) {
		lose(WIRE_LOSS_NODES);
		return 0;
	}
	n->tgid = tgid;
	n->tid = tid;
	barrier();
	WRITE_ONCE(n->flags, WIRE_NODE_LIVE);
	return index;
}

#endif
