/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Announcing a code object once a process, in the exact mode.  These are global
 * functions: the verifier checks them once, however many loops call them.
 */
#ifndef PYCOST_CODES_BPF_H
#define PYCOST_CODES_BPF_H

#include "bpf/maps.bpf.h"
#include "bpf/names.bpf.h"

/* See names_print(). */
__noinline int code_print(__u64 code)
{
	return names_print(code);
}

__noinline int code_announce(__u64 code, __u64 wrapped, __u32 tgid, __u32 print)
{
	struct wire_code_key key = {.code = code, .wrapped = wrapped, .tgid = tgid,
				    .print = print};
	__u8 one = 1;

	if (bpf_map_lookup_elem(&codes, &key))
		return 0;
	/* Had the ring been full, the next new path tries again. */
	if (!names_send(code, wrapped, tgid, print))
		bpf_map_update_elem(&codes, &key, &one, BPF_ANY);
	return 0;
}

#endif
