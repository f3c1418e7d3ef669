// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Exact costs: where functions of one interpreter build are entered and left, at
 * its function__entry and function__return or at instructions that stand for them.
 *
 * Both probes first read the counter and give what it advanced to the function
 * that was on top until now, so that this program's own work is charged to
 * nobody it can avoid.  Then the stack is put in step and pushed or popped.
 */
#include "bpf/kernel_mode.bpf.h"
#include "bpf/reroot.bpf.h"
#include "bpf/resync.bpf.h"
#include "bpf/search.bpf.h"
#include "bpf/thread.bpf.h"

/*
 * This CPU does not know the thread that is in the probe: it ran when its process
 * was attached to, or a context switch was missed, and its clock starts here.
 */
__noinline int thread_begin(__u64 now)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tid = id, tgid = id >> 32, *here = running_here();
	struct wire_proc *p = bpf_map_lookup_elem(&procs, &tgid);
	struct wire_thread *t;
	__u32 *known = bpf_map_lookup_elem(&slots, &tid);

	if (!p || !here)
		return 0;
	t = known ? thread_at(*known) : 0;
	if (!t)
		t = thread_make(p, tgid, tid, ~0);
	if (t)
		thread_runs(t, here, now);
	else
		lose(per_thread || p->root ? WIRE_LOSS_THREADS : WIRE_LOSS_NODES);
	return 0;
}

static __always_inline struct wire_thread *thread_charged(__u64 now, __u64 kernel)
{
	__u32 *here = running_here();
	struct wire_thread *t;
	struct wire_node *top;

	if (!here)
		return 0;
	t = thread_at(*here - 1);
	if (!t || t->tid != (__u32)bpf_get_current_pid_tgid()) {
		*here = 0;
		thread_begin(now);
		t = thread_at(*here - 1);
		if (!t)
			return 0;
		kernel_start(t);
	}
	if (whole_requests && !t->class_id && !t->rooted)
		return 0;
	top = node_at(t->top_node);
	if (!top)
		return 0;
	thread_charge(t, top, now);
	kernel_charge(t, kernel);
	if (by_request && t->class_id != t->rooted) {
		stack_reroot(t->slot);
		clock_restart(t);
	}
	return t;
}

/*
 * RESUME may be run twice for one entry: when it makes a faster form of itself, or
 * sees that the code must be instrumented anew (3.11 on, Python/bytecodes.c).  Up to
 * 3.10 such a frame is one that resync has put there, as its callee was thrown into.
 */
static __always_inline bool entered_already(struct wire_thread *t, const struct py_frame *f,
					    __u64 frame)
{
	struct wire_node *top;

	if (!trapped || layout.frame_owner == PY_NONE || frame != t->top_frame)
		return false;
	top = node_at(t->top_node);
	return top && top->code == f->code;
}

static __always_inline void entered(struct wire_thread *t, void *ctx, __u64 frame)
{
	struct wire_node *n;
	struct py_frame f;
	__u64 caller;
	__u32 index;

	if (t->over) {
		lose(WIRE_LOSS_DEPTH);
		t->over++;
		return;
	}
	if (frame_read(&f, frame)) {
		lose(WIRE_LOSS_MEMORY);
		return;
	}
	if (entered_already(t, &f, frame))
		return;
	if (f.previous != t->top_frame) {
		caller = caller_of(t, f.previous);
		if (caller != t->top_frame) {
			stack_resync(t->slot, caller);
			clock_restart(t);
		}
	}
	t->seeded = 1;
	index = stack_push(t, frame, f.code, f.owner, 1);
	n = node_at(index);
	if (!trapped && n && n->flags & WIRE_NODE_RESUMABLE)
		search_entry(ctx, index, &f);
}

/* Not the end of a call that anybody knows of, although a frame goes. */
static __always_inline bool return_is_foreign(struct wire_thread *t, void *ctx, __u64 frame)
{
	struct py_frame f;

	if (!trapped) {
		if (return_name_reg == REG_NONE ||
		    reg_read(ctx, return_name_reg) != reg_read(ctx, return_file_reg))
			return false;
		search_shim(t->top_node);
		return true;
	}
	if (layout.frame_owner == PY_NONE || frame_read(&f, frame))
		return false;
	if (code_is_shim(t, f.code)) {
		search_shim(t->top_node);
		return true;
	}
	return frame_is_foreign(&f) || frame_never_ran(&f);
}

static __always_inline void returned(struct wire_thread *t, void *ctx, __u64 frame)
{
	struct wire_node *n;

	if (frame != t->top_frame) {
		if (return_is_foreign(t, ctx, frame))
			return;
		if (t->over) {
			t->over--;
			return;
		}
		stack_resync(t->slot, frame);
		clock_restart(t);
		t->seeded = 1;
		if (frame != t->top_frame)
			return;
	}
	t->over = 0;
	if (t->top_owed)
		call_pay(t);
	n = trapped ? 0 : node_at(t->top_node);
	if (n)
		search_return(ctx, t->top_node, frame, n->code);
	stack_cut(t, t->depth - 1);
}

/* Where no register holds the frame that returns: it is the one on top. */
static __always_inline void top_returned(struct wire_thread *t)
{
	if (t->over)
		t->over--;
	else if (t->depth)
		stack_cut(t, t->depth - 1);
}

SEC("uprobe")
int on_entry(void *ctx)
{
	__u64 kernel = kernel_now(), now = counter_now();
	struct wire_thread *t = thread_charged(now, kernel);

	if (!t)
		return 0;
	entered(t, ctx, reg_read(ctx, entry_frame_reg));
	kernel_start(t);
	return 0;
}

SEC("uprobe")
int on_return(void *ctx)
{
	__u64 kernel = kernel_now(), now = counter_now();
	struct wire_thread *t = thread_charged(now, kernel);

	if (!t)
		return 0;
	if (return_frame_reg == REG_NONE)
		top_returned(t);
	else
		returned(t, ctx, reg_read(ctx, return_frame_reg));
	kernel_start(t);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
