/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Function costs by request: each class of requests has a call tree of its own, and a
 * thread's stack stands in that of the class it works for.
 *
 * When that changes, what was charged until then stays, and the stack is re-rooted:
 * each of its frames, from the outermost on, is found again as a child of the new root
 * and made where there is none, without counting a call.  So the frames are the same,
 * and a return finds its frame whichever class it was entered in; a call is counted
 * where it was entered.
 *
 * requests.bpf.c does it at once, in the system call that the request came with, when
 * the thread is the current one; else the thread's next probe does.
 *
 * Global functions and loop state in memory, as in resync.bpf.h.  No layout of any
 * Python is needed: names and flags are those of the nodes that are left.
 */
#ifndef PYCOST_REROOT_BPF_H
#define PYCOST_REROOT_BPF_H

#include "bpf/kernel_mode.bpf.h"

static __always_inline __u32 root_make(const struct wire_root_key *key)
{
	__u32 *there = bpf_map_lookup_elem(&roots, key), index = 0;
	struct wire_node *n;

	if (there)
		return *there;
	if (bpf_map_pop_elem(&free_nodes, &index))
		return 0;
	n = node_at(index);
	if (!n)
		return 0;
	n->tgid = key->tgid;
	n->tid = key->tid;
	n->wrapped = key->class_id;
	if (bpf_map_update_elem(&roots, key, &index, BPF_NOEXIST)) {
		bpf_map_push_elem(&free_nodes, &index, BPF_ANY);
		there = bpf_map_lookup_elem(&roots, key);
		return there ? *there : 0;
	}
	barrier();
	WRITE_ONCE(n->flags, WIRE_NODE_LIVE);
	return index;
}

/* The root of a class; beyond those that there is room for, that of all others. */
static __always_inline __u32 root_of_class(struct wire_thread *t, __u64 class_id)
{
	struct wire_root_key key = {.class_id = class_id, .tgid = t->tgid,
				    .tid = per_thread ? t->tid : 0};
	__u32 *known = bpf_map_lookup_elem(&roots, &key), other, index;

	if (known)
		return *known;
	/* Made first, so that there is room for it. */
	key.class_id = WIRE_CLASS_OTHER;
	other = root_make(&key);
	key.class_id = class_id;
	index = root_make(&key);
	if (index)
		return index;
	lose(WIRE_LOSS_CLASSES);
	return other ? other : t->root;
}

/* As child_create(), with what is known of the code object by now. */
static __always_inline __u32 child_copy(const struct wire_node *like,
					const struct wire_child_key *key)
{
	__u32 index = 0, *there;
	struct wire_node *n;

	if (bpf_map_pop_elem(&free_nodes, &index))
		return 0;
	n = node_at(index);
	if (!n)
		return 0;
	n->code = key->code;
	n->wrapped = key->wrapped;
	n->parent = key->parent;
	n->tgid = like->tgid;
	n->tid = 0;
	n->print = like->print;
	if (bpf_map_update_elem(&children, key, &index, BPF_NOEXIST)) {
		bpf_map_push_elem(&free_nodes, &index, BPF_ANY);
		there = bpf_map_lookup_elem(&children, key);
		return there ? *there : 0;
	}
	barrier();
	WRITE_ONCE(n->flags, (like->flags & ~WIRE_NODE_VOLATILE) |
				     (like->print & 1 && !key->print ? WIRE_NODE_VOLATILE : 0));
	return index;
}

/* The parent's child of this node's code object; the parent itself when the tree is full. */
static __always_inline __u32 child_like(const struct wire_node *like, __u32 parent_index)
{
	struct wire_node *parent = node_at(parent_index), *n;
	struct wire_child_key key = {.code = like->code, .wrapped = like->wrapped,
				     .parent = parent_index};
	__u32 *there, index;

	if (!parent)
		return parent_index;
	if (parent->child_code == key.code && !key.wrapped) {
		n = node_at(parent->child);
		if (n && n->print == like->print)
			return parent->child;
	}
	there = bpf_map_lookup_elem(&children, &key);
	n = there ? node_at(*there) : 0;
	if (n && n->print != like->print && n->flags & WIRE_NODE_VOLATILE) {
		key.print = like->print;
		there = bpf_map_lookup_elem(&children, &key);
	}
	index = there ? *there : child_copy(like, &key);
	if (!index) {
		lose(WIRE_LOSS_NODES);
		return parent_index;
	}
	if (!key.wrapped && !key.print) {
		parent->child = index;
		parent->child_code = key.code;
	}
	return index;
}

/* Moves one frame more; 0 when that was the top.  Frame 0 is the root. */
__noinline int frame_move(__u32 slot)
{
	struct wire_thread *t = thread_at(slot);
	struct wire_frame *row;
	struct wire_node *n;
	__u32 old;

	if (!t || t->moved >= t->depth)
		return 0;
	t->moved++;
	row = row_at(&stacks, t, t->moved);
	if (t->moved == t->depth)
		old = t->top_node;
	else if (row)
		old = row->code_or_node;
	else
		return 0;
	/* Where the tree was full, a frame has its caller's node. */
	n = old == t->moved_from ? 0 : node_at(old);
	t->moved_from = old;
	if (n)
		t->moved_to = child_like(n, t->moved_to);
	if (t->moved == t->depth)
		t->top_node = t->moved_to;
	else if (row)
		row->code_or_node = t->moved_to | (row->code_or_node & WIRE_OWED);
	return 1;
}

/*
 * The probes may have been off since: which frames are on the stack will be known by
 * the next one.
 */
static __always_inline void stack_drop(struct wire_thread *t)
{
	t->top_frame = 0;
	t->top_owed = 0;
	t->depth = 0;
	t->over = 0;
	t->seeded = 0;
}

/* Puts the stack where the class is that its thread works for. */
__noinline int stack_reroot(__u32 slot)
{
	struct wire_thread *t = thread_at(slot);
	struct wire_frame *bottom;
	__u64 class_id;
	__u32 root;

	if (!t)
		return 0;
	class_id = READ_ONCE(t->class_id);
	root = class_id ? root_of_class(t, class_id) : t->root;
	t->rooted = class_id;
	if (whole_requests)
		stack_drop(t);
	if (!t->depth) {
		t->top_node = root;
		return 0;
	}
	bottom = row_at(&stacks, t, 0);
	if (!bottom)
		return 0;
	t->moved = 0;
	t->moved_from = bottom->code_or_node;
	t->moved_to = root;
	bottom->code_or_node = root;
	for (__u32 i = 0; i < WIRE_STACK_DEPTH; i++)
		if (!frame_move(slot))
			break;
	return 0;
}

/*
 * The current thread's stack is put where its class is, at once.  Kernel mode starts anew:
 * the caller is within a program that nobody is charged for.
 */
static __always_inline void thread_turn(struct wire_thread *t)
{
	__u64 kernel = kernel_now(), now = counter_now();
	struct wire_node *top = node_at(t->top_node);
	__u32 *here = running_here();

	/* When it is not known to run, its next probe starts its clock, and moves it. */
	if (t->class_id == t->rooted || !top || !here || *here != t->slot + 1)
		return;
	thread_charge(t, top, now);
	kernel_charge(t, kernel);
	stack_reroot(t->slot);
	clock_restart(t);
	kernel_start(t);
}

#endif
