/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread of a followed process, from its creation: its row, with an empty stack.
 *
 * All that it does before its first Python function, and between them, belongs to
 * its root: so the costs of a process add up to what its threads' own counters say.
 */
#ifndef PYCOST_THREAD_BPF_H
#define PYCOST_THREAD_BPF_H

#include "bpf/maps.bpf.h"

/* 0 when all slots below `limit` are taken, or when it is known already. */
static __always_inline struct wire_thread *thread_make(const struct wire_proc *p, __u32 tgid,
						       __u32 tid, __u32 limit)
{
	struct wire_thread *t;
	__u32 slot = 0;

	if (bpf_map_pop_elem(&free_slots, &slot))
		return 0;
	t = slot < limit ? thread_at(slot) : 0;
	if (!t) {
		bpf_map_push_elem(&free_slots, &slot, BPF_ANY);
		return 0;
	}
	__builtin_memset(t, 0, sizeof(*t));
	t->root = per_thread ? root_create(tgid, tid) : p->root;
	t->slot = slot;
	t->tgid = tgid;
	t->tid = tid;
	t->func_type = p->func_type;
	t->top_node = t->root;
	t->class_id = class_of_thread(tid);
	if (t->root && !bpf_map_update_elem(&slots, &tid, &slot, BPF_NOEXIST))
		return t;
	t->tgid = 0;
	bpf_map_push_elem(&free_slots, &slot, BPF_ANY);
	return 0;
}

#endif
