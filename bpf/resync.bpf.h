/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Putting a shadow stack back in step with the interpreter.
 *
 * Each probe says which frame it is in and the frame says who called it.  When
 * that is not the top of the shadow stack, then a probe was missed (attach in
 * mid-call, a resumption by throw, a build's quirk) or the thread now runs
 * another greenlet.  The truth is in the interpreter's own chain of frames: the
 * part of the stack that the chain still has is kept, the rest is dropped, and
 * what is missing is pushed without counting a call.
 *
 * These are global functions, verified once; their loop state lives in the
 * thread's map value, where the verifier does not follow it, so that the bounded
 * loops stay linear to verify on 5.10.
 */
#ifndef PYCOST_RESYNC_BPF_H
#define PYCOST_RESYNC_BPF_H

#include "bpf/tree.bpf.h"

#define NEARBY 64

/* Cuts the stack down to `target` when it lies just below the top. */
__noinline int stack_find(__u32 slot, __u64 target)
{
	struct wire_thread *t = thread_at(slot);
	struct wire_frame *f;

	if (!t)
		return 0;
	for (__u32 i = 1; i <= NEARBY; i++) {
		if (i > t->depth)
			return 0;
		f = row_at(&stacks, t, t->depth - i);
		if (f && f->frame == target) {
			stack_cut(t, t->depth - i);
			return 1;
		}
	}
	return 0;
}

/* Collects one frame more; 0 when there is none, negative when it cannot be. */
__noinline int chain_step(__u32 slot)
{
	struct wire_thread *t = thread_at(slot);
	struct wire_frame *row;
	struct py_frame f;
	__u64 frame;

	if (!t || !t->cursor)
		return 0;
	frame = t->cursor;
	if (frame_read(&f, frame))
		return -1;
	t->cursor = f.previous;
	if (frame_is_foreign(&f) || code_is_shim(t, f.code))
		return 1;
	row = row_at(&chains, t, t->chain);
	if (!row)
		return -1;
	row->frame = frame;
	row->code_or_node = f.code;
	if (f.owner == layout.owner_generator && t->generators == t->chain)
		t->generators++;
	t->chain++;
	return 1;
}

/* Collects `frame` and its callers, innermost first. */
static __always_inline void chain_collect(struct wire_thread *t, __u64 frame)
{
	int more = 1;

	t->cursor = frame;
	t->chain = 0;
	t->generators = 0;
	for (__u32 i = 0; i < WIRE_STACK_DEPTH && more > 0; i++)
		more = chain_step(t->slot);
	if (more)
		lose(WIRE_LOSS_TRUNCATED);
}

/*
 * Keeps the outermost frames that stack and chain have in common.  Returns
 * whether that is the whole stack, but for generators that were passed over: the
 * one they delegate to has yielded again.
 */
__noinline int chain_share(__u32 slot)
{
	struct wire_thread *t = thread_at(slot);
	struct wire_frame *ours, *theirs;
	__u64 frame;
	int owed;

	if (!t)
		return 0;
	t->shared = 0;
	for (__u32 i = 1; i < WIRE_STACK_DEPTH; i++) {
		if (i > t->depth || i > t->chain)
			break;
		ours = row_at(&stacks, t, i);
		theirs = row_at(&chains, t, t->chain - i);
		if (!ours || !theirs)
			break;
		frame = i == t->depth ? t->top_frame : ours->frame;
		if (frame != theirs->frame)
			break;
		t->shared = i;
	}
	if (t->shared == t->depth)
		return 1;
	ours = row_at(&stacks, t, t->shared + 1);
	owed = t->shared + 1 == t->depth ? t->top_owed : ours && ours->code_or_node & WIRE_OWED;
	stack_cut(t, t->shared);
	return owed;
}

__noinline int chain_push(__u32 slot, __u64 frame, __u64 code, __u32 owed)
{
	struct wire_thread *t = thread_at(slot);

	if (!t)
		return 0;
	stack_push(t, frame, code, layout.owner_generator, 0);
	t->top_owed = owed && t->top_frame == frame;
	return 0;
}

/*
 * Makes `target` the top of the stack.
 *
 * throw() and close() resume a generator without an entry probe on 3.15.  Then
 * the stack is in step but for generators' frames above it: of these, the one
 * thrown into runs, and those that delegate to it run once the exception gets to
 * them, if it does.  Each has been called, as cProfile counts, when it returns:
 * so the call is owed until then.
 */
__noinline int stack_resync(__u32 slot, __u64 target)
{
	struct wire_thread *t = thread_at(slot);
	int whole;
	struct wire_frame *row;
	__u32 owed;

	if (!t || t->top_frame == target || stack_find(slot, target))
		return 0;
	chain_collect(t, target);
	whole = chain_share(slot);
	owed = t->seeded && whole && layout.frame_owner != PY_NONE &&
	       t->chain - t->shared <= t->generators;
	for (__u32 i = 0; i < WIRE_STACK_DEPTH; i++) {
		if (t->shared >= t->chain)
			break;
		t->shared++;
		row = row_at(&chains, t, t->chain - t->shared);
		if (row)
			chain_push(slot, row->frame, row->code_or_node, owed);
	}
	return 0;
}

/* The call of a frame that came onto the stack without one. */
static __always_inline void call_pay(struct wire_thread *t)
{
	struct wire_node *top = node_at(t->top_node);

	if (!top)
		return;
	__sync_fetch_and_add(&top->calls, 1);
	t->calls++;
}

#endif
