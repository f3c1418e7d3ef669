/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which class of requests each thread works for: told by requests.bpf.c, asked by
 * whoever adds costs up by request.  All programs of a session share the map.
 */
#ifndef PYCOST_CLASS_OF_BPF_H
#define PYCOST_CLASS_OF_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "bpf/wire_request.h"

/*
 * Only of threads that work for a request.  Its memory is there from the start: it is
 * asked in interrupts that cannot be masked.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WIRE_MAX_SERVERS);
	__type(key, __u32);   /* tid */
	__type(value, __u64); /* wire_class's number */
} class_of SEC(".maps");

const volatile __u8 by_request; /* 0: nobody tells */

static __always_inline __u64 class_of_thread(__u32 tid)
{
	__u64 *found = by_request ? bpf_map_lookup_elem(&class_of, &tid) : 0;

	return found ? *found : 0;
}

#endif
