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

/* Collects `frame` and its callers, innermost first.  Returns its owner. */
__noinline int chain_collect(__u32 slot, __u64 frame)
{
	struct wire_thread *t = thread_at(slot);
	struct wire_frame *row;
	struct py_frame f;
	int owner = 0;

	if (!t)
		return 0;
	t->chain = 0;
	for (__u32 i = 0; i < WIRE_STACK_DEPTH; i++) {
		if (!frame)
			return owner;
		if (frame_read(&f, frame))
			break;
		if (!i)
			owner = f.owner;
		if (!frame_is_foreign(&f) && !code_is_shim(t, f.code)) {
			row = row_at(&chains, t, t->chain);
			if (!row)
				break;
			row->frame = frame;
			row->code_or_node = f.code;
			t->chain++;
		}
		frame = f.previous;
	}
	lose(WIRE_LOSS_TRUNCATED);
	return owner;
}

/* Keeps the outermost frames that stack and chain have in common. */
__noinline int chain_share(__u32 slot)
{
	struct wire_thread *t = thread_at(slot);
	struct wire_frame *ours, *theirs;
	__u64 frame;

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
	stack_cut(t, t->shared);
	return 0;
}

__noinline int chain_push(__u32 slot, __u64 frame, __u64 code, __u32 calls)
{
	struct wire_thread *t = thread_at(slot);

	if (t)
		stack_push(t, frame, code, layout.owner_generator, calls);
	return 0;
}

/*
 * Makes `target` the top of the stack.  A generator's frame that appears alone
 * on a stack otherwise in step was resumed by throw() or close(), which have no
 * entry probe on 3.15: that is a call, as it is to cProfile.
 */
__noinline int stack_resync(__u32 slot, __u64 target)
{
	struct wire_thread *t = thread_at(slot);
	struct wire_frame *row;
	__u32 calls;
	int owner;

	if (!t || t->top_frame == target || stack_find(slot, target))
		return 0;
	owner = chain_collect(slot, target);
	chain_share(slot);
	calls = t->seeded && layout.frame_owner != PY_NONE && owner == layout.owner_generator &&
		t->shared + 1 == t->chain;
	for (__u32 i = 0; i < WIRE_STACK_DEPTH; i++) {
		if (t->shared >= t->chain)
			break;
		t->shared++;
		row = row_at(&chains, t, t->chain - t->shared);
		if (row)
			chain_push(slot, row->frame, row->code_or_node, calls);
	}
	return 0;
}

#endif
