/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all kernel programs have in common: what was lost is counted.
 */
#ifndef PYCOST_LOSSES_BPF_H
#define PYCOST_LOSSES_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "bpf/wire.h"

#define READ_ONCE(x) (*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))
#define barrier() asm volatile("" ::: "memory")

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WIRE_LOSS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

static __always_inline void lose(__u32 what)
{
	__u64 *total = bpf_map_lookup_elem(&losses, &what);

	if (total)
		(*total)++;
}

#endif
