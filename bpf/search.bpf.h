/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where in the code the probes fire.
 *
 * dtrace_function_entry() and _return() in Python/ceval.c (ceval_macros.h) hand
 * over a line number, for which PyCode_Addr2Line() searches the line table from
 * its start.  So a return at the end of a long function costs the target more than
 * one at the start, and user space takes that out: see userspace/search.h.
 */
#ifndef PYCOST_SEARCH_BPF_H
#define PYCOST_SEARCH_BPF_H

#include <stdbool.h>

#include "bpf/python.bpf.h"

const volatile __u32 max_nodes; /* entries of `nodes` */

static __always_inline struct wire_search *search_at(__u32 index)
{
	return bpf_map_lookup_elem(&searches, &index);
}

/*
 * Counted at once where it has fired before: the line is in a register.  As the GIL
 * has one thread of a process here at a time, no atomics are needed.
 */
static __always_inline bool search_known(struct wire_search *s, __u32 key)
{
	if (s->key[0] == key + 1)
		s->count[0]++;
	else if (s->key[1] == key + 1)
		s->count[1]++;
	else
		return false;
	return true;
}

static __always_inline void search_note(struct wire_search *s, __u32 key, __u32 position)
{
	if (position > WIRE_NO_LINE)
		position = WIRE_NO_LINE;
	if (!s->key[0]) {
		s->key[0] = key + 1;
		s->position[0] = position;
		s->count[0] = 1;
	} else if (!s->key[1]) {
		s->key[1] = key + 1;
		s->position[1] = position;
		s->count[1] = 1;
	} else {
		s->others++;
		s->other_positions += position;
	}
}

/*
 * A return of the frame on top, which `code` is run in.  Two of one line are apart
 * (`return x if x < n else f(x)`, and whatever awaits), so it is known by its address.
 */
static __always_inline void search_return(void *ctx, __u32 node, __u64 frame, __u64 code)
{
	struct wire_search *s = search_at(node);
	__u32 position;
	__u64 instr = 0;

	if (!s)
		return;
	if (layout.code_bytecode == PY_NONE) {
		position = reg_read(ctx, return_line_reg);
	} else {
		bpf_probe_read_user(&instr, sizeof(instr), (void *)(frame + layout.frame_instr));
		position = instr - code - layout.code_bytecode;
	}
	if (!search_known(s, position))
		search_note(s, position, position);
}

/* An entry of a generator or a coroutine. */
static __always_inline void search_entry(void *ctx, __u32 node, const struct py_frame *f)
{
	struct wire_search *s = search_at(max_nodes + node);
	__u32 position = f->instr - f->code - layout.code_bytecode;

	if (layout.code_bytecode == PY_NONE)
		position = reg_read(ctx, entry_line_reg);
	if (s && !search_known(s, position))
		search_note(s, position, position);
}

/* A return of 3.15's shim, which ran under this node. */
static __always_inline void search_shim(__u32 node)
{
	struct wire_search *s = search_at(node);

	if (s)
		s->shims++;
}

#endif
