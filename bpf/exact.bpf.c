// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Exact costs: function__entry and function__return of one interpreter build.
 *
 * Both probes first read the counter and give what it advanced to the function
 * that was on top until now, so that this program's own work is charged to
 * nobody it can avoid.  Then the stack is put in step and pushed or popped.
 */
#include "bpf/kernel_mode.bpf.h"
#include "bpf/resync.bpf.h"

/*
 * This CPU does not know the thread that is in the probe: its first probe, which
 * gives it a slot and an empty stack; or a context switch was missed, and its
 * clock starts again here.
 */
__noinline int thread_begin(__u64 now)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tid = id, tgid = id >> 32, slot = 0, *here = running_here();
	struct wire_proc *p = bpf_map_lookup_elem(&procs, &tgid);
	struct wire_thread *t;
	__u32 *known = bpf_map_lookup_elem(&slots, &tid);

	if (!p || !here)
		return 0;
	if (known && (t = thread_at(*known))) {
		t->cpu = bpf_get_smp_processor_id();
		t->on_cpu = 1;
		t->last = now;
		*here = *known + 1;
		return 0;
	}
	if (bpf_map_pop_elem(&free_slots, &slot) || !(t = thread_at(slot))) {
		lose(WIRE_LOSS_THREADS);
		return 0;
	}
	__builtin_memset(t, 0, sizeof(*t));
	t->root = per_thread ? root_create(tgid, tid) : p->root;
	t->slot = slot;
	t->tgid = tgid;
	t->tid = tid;
	t->func_type = p->func_type;
	t->top_node = t->root;
	t->last = now;
	t->cpu = bpf_get_smp_processor_id();
	t->on_cpu = 1;
	if (!t->root)
		lose(WIRE_LOSS_NODES);
	if (!t->root || bpf_map_update_elem(&slots, &tid, &slot, BPF_NOEXIST)) {
		bpf_map_push_elem(&free_slots, &slot, BPF_ANY);
		return 0;
	}
	*here = slot + 1;
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
	top = node_at(t->top_node);
	if (!top)
		return 0;
	thread_charge(t, top, now);
	kernel_charge(t, kernel);
	return t;
}

static __always_inline void entered(struct wire_thread *t, __u64 frame)
{
	struct py_frame f;
	__u64 caller;

	if (t->over) {
		lose(WIRE_LOSS_DEPTH);
		t->over++;
		return;
	}
	if (frame_read(&f, frame)) {
		lose(WIRE_LOSS_MEMORY);
		return;
	}
	if (f.previous != t->top_frame) {
		caller = caller_of(t, f.previous);
		if (caller != t->top_frame) {
			stack_resync(t->slot, caller);
			clock_restart(t);
		}
	}
	t->seeded = 1;
	stack_push(t, frame, f.code, f.owner, 1);
}

static __always_inline void returned(struct wire_thread *t, void *ctx, __u64 frame)
{
	if (frame != t->top_frame) {
		if (t->over) {
			t->over--;
			return;
		}
		if (return_name_reg != REG_NONE &&
		    reg_read(ctx, return_name_reg) == reg_read(ctx, return_file_reg))
			return;
		stack_resync(t->slot, frame);
		clock_restart(t);
		t->seeded = 1;
		if (frame != t->top_frame)
			return;
	}
	t->over = 0;
	if (t->top_owed)
		call_pay(t);
	stack_cut(t, t->depth - 1);
}

SEC("uprobe")
int on_entry(void *ctx)
{
	__u64 kernel = kernel_now(), now = counter_now();
	struct wire_thread *t = thread_charged(now, kernel);

	if (!t)
		return 0;
	entered(t, reg_read(ctx, entry_frame_reg));
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
	returned(t, ctx, reg_read(ctx, return_frame_reg));
	kernel_start(t);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
