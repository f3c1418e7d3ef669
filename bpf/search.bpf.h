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

/* As the GIL has one thread of a process here at a time, no atomics are needed. */
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

/*
 * Reading the position takes as long as all the rest here, while the line is in a
 * register.  So where a line had one position only, the first times, it is looked
 * at but one time in sixteen; in no rhythm, as the target may have one.
 */
#define SEARCH_SURE 64
static __always_inline bool search_is_due(__u64 count)
{
	return count < SEARCH_SURE || (__u32)count * 0x9e3779b1u >> 28 == 0;
}

static __always_inline bool search_settled(struct wire_search *s, __u32 line)
{
	if (s->by_position || (s->key[0] == line + 1 && search_is_due(s->count[0])) ||
	    (s->key[1] == line + 1 && search_is_due(s->count[1])))
		return false;
	return search_known(s, line);
}

/* From now on, two returns of one line are told apart. */
static __always_inline void search_compare(struct wire_search *s, __u32 line, __u32 position)
{
	if ((s->key[0] != line + 1 || s->position[0] == position) &&
	    (s->key[1] != line + 1 || s->position[1] == position))
		return;
	s->by_position = 1;
	s->key[0] = s->position[0] + 1;
	if (s->key[1])
		s->key[1] = s->position[1] + 1;
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

/* A return of the frame on top, which `code` is run in. */
static __always_inline void search_return(void *ctx, __u32 node, __u64 frame, __u64 code)
{
	__u32 key = reg_read(ctx, return_line_reg), position = key;
	struct wire_search *s = search_at(node);
	__u64 instr = 0;

	if (!s)
		return;
	if (layout.code_bytecode != PY_NONE) {
		if (search_settled(s, key))
			return;
		bpf_probe_read_user(&instr, sizeof(instr), (void *)(frame + layout.frame_instr));
		position = instr - code - layout.code_bytecode;
		if (!s->by_position)
			search_compare(s, key, position);
		if (s->by_position)
			key = position;
	}
	if (!search_known(s, key))
		search_note(s, key, position);
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
