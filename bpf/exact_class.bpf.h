/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the programs that see requests tell the exact mode of a thread, and learn of it.
 * Without the exact mode a constant takes it all out.
 */
#ifndef PYCOST_EXACT_CLASS_BPF_H
#define PYCOST_EXACT_CLASS_BPF_H

#include "bpf/reroot.bpf.h"

const volatile __u8 exact_mode; /* its programs are loaded too */

/* Its row; 0: the exact mode does not follow it. */
static __always_inline struct wire_thread *exact_thread(__u32 tid)
{
	__u32 *slot = exact_mode ? bpf_map_lookup_elem(&slots, &tid) : 0;

	return slot ? thread_at(*slot) : 0;
}

/* Its function costs are this class's from its next probe on, or thread_turns(). */
static __always_inline void exact_class(__u32 tid, __u64 class_id)
{
	struct wire_thread *t = exact_thread(tid);

	if (t)
		WRITE_ONCE(t->class_id, class_id);
}

/* The current thread's are at once: the last thing that a program does. */
static __always_inline void exact_turn(__u32 tid)
{
	struct wire_thread *t = exact_thread(tid);

	if (t)
		thread_turn(t);
}

#endif
