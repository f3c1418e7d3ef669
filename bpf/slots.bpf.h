/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exact mode's rows of threads.  The programs that see requests have these maps
 * too, to tell it which request a thread works for; without the exact mode they are
 * empty.
 */
#ifndef PYCOST_SLOTS_BPF_H
#define PYCOST_SLOTS_BPF_H

#include "bpf/losses.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WIRE_DEFAULT_THREADS);
	__type(key, __u32); /* slot */
	__type(value, struct wire_thread);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WIRE_DEFAULT_THREADS);
	__type(key, __u32);   /* tid */
	__type(value, __u32); /* slot */
} slots SEC(".maps");

static __always_inline struct wire_thread *thread_at(__u32 slot)
{
	return bpf_map_lookup_elem(&threads, &slot);
}

#endif
