/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metric in kernel mode, counted beside the one in user mode and never added
 * to it.  It is charged where that is, by a second event on each CPU.
 *
 * Unlike user mode, this counter also counts the programs here.  So it is read
 * first when one begins and started again when it ends: what is left of a probe
 * is the way into the kernel and out of it, which is the same for each call.
 */
#ifndef PYCOST_KERNEL_MODE_BPF_H
#define PYCOST_KERNEL_MODE_BPF_H

#include "bpf/maps.bpf.h"

/* By node, as `nodes` is, whose cache line is full; one entry when not counted. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} kernel_selfs SEC(".maps");

/* The last thing that a program does for the current thread. */
static __always_inline void kernel_start(struct wire_thread *t)
{
	if (kernel_mode)
		t->last_kernel = kernel_now();
}

/*
 * A switch inside a program has started it anew since `now` was read: then nothing
 * is to be added.  Where it could not be read, user mode could not either.
 */
static __always_inline __u64 kernel_advance(const struct wire_thread *t, __u64 now)
{
	return now > t->last_kernel && now != COUNTER_NONE ? now - t->last_kernel : 0;
}

/* The thread leaves this CPU. */
static __always_inline void kernel_stop(struct wire_thread *t, __u64 now)
{
	if (kernel_mode)
		t->pending_kernel += kernel_advance(t, now);
}

/* As thread_charge(); kernel_start() has to follow. */
static __always_inline void kernel_charge(struct wire_thread *t, __u64 now)
{
	__u64 advance, *self;
	__u32 node = t->top_node;

	if (!kernel_mode)
		return;
	self = bpf_map_lookup_elem(&kernel_selfs, &node);
	if (!self)
		return;
	advance = kernel_advance(t, now) + t->pending_kernel;
	t->last_kernel = now;
	t->pending_kernel = 0;
	__sync_fetch_and_add(self, advance);
}

#endif
