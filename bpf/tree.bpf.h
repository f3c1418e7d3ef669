/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The call tree and the push and pop that walk it.
 *
 * A node is a calling context, found by (parent, code object).  Self cost goes
 * to the node on top of the stack at each probe; cumulative cost is the sum
 * over a subtree, which user space makes.  So a call costs two charges and, when
 * its caller called the same function last, no hash lookup at all.
 */
#ifndef PYCOST_TREE_BPF_H
#define PYCOST_TREE_BPF_H

#include "bpf/codes.bpf.h"
#include "bpf/python.bpf.h"

/* A new child, or 0 when the tree is full.  print: of its key, see child_of(). */
__noinline int child_create(__u64 code, __u64 wrapped, __u32 parent, __u32 tgid, __u32 print)
{
	struct wire_child_key key = {.code = code, .wrapped = wrapped, .parent = parent,
				     .print = print};
	__u32 index = 0, flags = 0;
	struct wire_node *n;
	__u32 *there;

	if (bpf_map_pop_elem(&free_nodes, &index))
		return 0;
	n = node_at(index);
	if (!n)
		return 0;
	bpf_probe_read_user(&flags, sizeof(flags), (void *)(code + layout.code_flags));
	n->code = code;
	n->wrapped = wrapped;
	n->parent = parent;
	n->tgid = tgid;
	n->tid = 0;
	if (!print)
		print = code_print(code);
	n->print = print;
	if (bpf_map_update_elem(&children, &key, &index, BPF_NOEXIST)) {
		bpf_map_push_elem(&free_nodes, &index, BPF_ANY);
		there = bpf_map_lookup_elem(&children, &key);
		return there ? *there : 0;
	}
	code_announce(code, wrapped, tgid, print);
	barrier();
	WRITE_ONCE(n->flags, WIRE_NODE_LIVE | (flags & PY_CO_RESUMABLE ? WIRE_NODE_RESUMABLE : 0) |
				     (flags & PY_CO_NESTED && !wrapped ? WIRE_NODE_NESTED : 0) |
				     (print & 1 && !key.print ? WIRE_NODE_VOLATILE : 0));
	return index;
}

/*
 * The top's child of this code object.  At an address where code objects come
 * and go, those after the first are told apart by their print.
 */
static __always_inline __u32 child_of(struct wire_thread *t, __u64 code, __u64 wrapped, __u32 print)
{
	struct wire_child_key key = {.code = code, .wrapped = wrapped, .parent = t->top_node,
				     .print = print};
	__u32 *index = bpf_map_lookup_elem(&children, &key);

	return index ? *index
		     : (__u32)child_create(code, wrapped, t->top_node, t->tgid, print);
}

/* The stack becomes `depth` frames high, which must not be more than it is. */
static __always_inline void stack_cut(struct wire_thread *t, __u32 depth)
{
	struct wire_frame *f = row_at(&stacks, t, depth);

	if (!f || depth >= t->depth)
		return;
	t->top_frame = f->frame;
	t->top_node = f->code_or_node;
	t->top_owed = f->code_or_node >> 63;
	t->depth = depth;
}

/*
 * Pushes `frame` as a call from the top of the stack.  On 3.11 and later, where
 * a generator's frame is its own only once it runs, making the generator is no
 * call: the frame is not pushed.  Returns the node, in both cases; 0: none.
 */
static __always_inline __u32 stack_push(struct wire_thread *t, __u64 frame, __u64 code, __u8 owner,
				       __u32 calls)
{
	struct wire_node *top = node_at(t->top_node), *n;
	struct wire_frame *below;
	__u32 index, print = 0;

	if (!top)
		return 0;
	if (top->child_code == code) {
		index = top->child;
	} else {
		index = child_of(t, code, 0, 0);
		top->child = index;
		top->child_code = index ? code : 0;
		clock_restart(t);
	}
	n = node_at(index);
	if (n && n->flags & WIRE_NODE_VOLATILE) {
		print = code_print(code);
		if (print != n->print) {
			index = child_of(t, code, 0, print);
			n = node_at(index);
		} else {
			print = 0;
		}
		clock_restart(t);
	}
	if (n && n->flags & WIRE_NODE_RESUMABLE && layout.frame_owner != PY_NONE &&
	    owner != layout.owner_generator)
		return index;
	if (n && n->flags & WIRE_NODE_NESTED) {
		__u64 wrapped = closure_wraps(t, frame, code);

		if (wrapped) {
			index = child_of(t, code, wrapped, print);
			n = node_at(index);
		}
		clock_restart(t);
	}
	if (!index || !n) {
		lose(WIRE_LOSS_NODES);
		index = t->top_node;
		calls = 0;
		n = top;
	}
	below = row_at(&stacks, t, t->depth);
	if (!below) {
		lose(WIRE_LOSS_DEPTH);
		t->over++;
		return 0;
	}
	below->frame = t->top_frame;
	below->code_or_node = t->top_node | (t->top_owed ? WIRE_OWED : 0);
	t->top_owed = 0;
	t->depth++;
	t->top_frame = frame;
	t->top_node = index;
	if (calls) {
		__sync_fetch_and_add(&n->calls, calls);
		t->calls += calls;
	}
	return index;
}

#endif
