/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where probes are on for some requests only: which of them are captured.  One that
 * begins in the armed process, while there are some left to begin, and only when its
 * class is known before its code goes on.
 */
#ifndef PYCOST_ARMED_BPF_H
#define PYCOST_ARMED_BPF_H

#include "bpf/losses.bpf.h"
#include "bpf/wire_request.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wire_armed);
} armed SEC(".maps");

const volatile __u8 wanted_only; /* requests of some classes: see struct wire_class */

static __always_inline struct wire_armed *armed_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&armed, &zero);
}

/* For a request that begins now: the serial that it may be captured in; 0: none. */
static __always_inline __u32 armed_serial(__u32 tgid)
{
	struct wire_armed *a = armed_here();

	return a && a->tgid == tgid && a->left > 0 ? a->serial : 0;
}

/* It is captured from here on; false: there are enough, or the process is armed no more. */
static __always_inline int armed_take(__u32 serial)
{
	struct wire_armed *a = armed_here();

	if (!serial || !a || a->serial != serial || a->left <= 0)
		return 0;
	__sync_fetch_and_add(&a->left, -1);
	__sync_fetch_and_add(&a->begun, 1);
	return 1;
}

/* A captured one ends; false: it was given up before. */
static __always_inline int armed_end(__u32 serial)
{
	struct wire_armed *a = armed_here();

	if (!a || a->serial != serial)
		return 0;
	__sync_fetch_and_add(&a->ended, 1);
	return 1;
}

#endif
