/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where one interpreter build keeps things: filled in before loading, so that the
 * verifier drops every branch which that build does not need.
 */
#ifndef PYCOST_LAYOUT_BPF_H
#define PYCOST_LAYOUT_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "bpf/cpython.h"

const volatile struct cpython_layout layout;

static __always_inline __u64 user_u64(__u64 address)
{
	__u64 v = 0;

	bpf_probe_read_user(&v, sizeof(v), (void *)address);
	return v;
}

#endif
