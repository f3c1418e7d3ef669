// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of the followed tasks: on and off a CPU, fork, exec, exit.
 *
 * The counters count whatever runs on a CPU.  A thread's own share is kept by
 * stopping its clock when it is switched out and starting it again, on whatever
 * CPU, when it is switched in.  A fork is followed here, in the parent, before
 * the child can run, and so is a new thread: what it costs is counted from its
 * first instruction on.
 */
#include <stdbool.h>

#include "bpf/kernel_mode.bpf.h"
#include "bpf/task.bpf.h"
#include "bpf/thread.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

const volatile __u8 no_follow; /* children are only announced */
/*
 * Threads take these slots at birth.  The rest is kept for those that run Python,
 * which native threads by the hundred must not keep out.
 */
const volatile __u32 born_slots;

static __always_inline void switch_out(__u32 *here, __u32 tid)
{
	__u64 kernel = kernel_now();
	struct wire_thread *t = thread_at(*here - 1);

	*here = 0;
	if (!t)
		return;
	/* Else its own switch was not told, and what ran here since is not its own. */
	if (t->tid == tid) {
		t->pending += counter_advance(t->last, counter_now());
		kernel_stop(t, kernel);
	}
	t->on_cpu = 0;
}

/*
 * The scheduler counts a task's switches too: a gap says that some were not told,
 * and that their slices are missing from the costs.
 */
static __always_inline void switches_check(struct wire_thread *t, struct task_struct *task)
{
	__u32 switches = task->nvcsw + task->nivcsw;

	if (t->switches && switches != t->switches + 1)
		lose(WIRE_LOSS_SLICES);
	t->switches = switches;
}

static __always_inline void switch_in(__u32 *here, struct task_struct *task)
{
	__u32 tid = task->pid;
	__u32 *slot = bpf_map_lookup_elem(&slots, &tid);
	struct wire_thread *t = slot ? thread_at(*slot) : 0;

	if (!t)
		return;
	switches_check(t, task);
	thread_runs(t, here, counter_now());
	kernel_start(t);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 *here = running_here();

	if (!here)
		return 0;
	if (*here)
		switch_out(here, prev->pid);
	if (next->pid)
		switch_in(here, next);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct wire_proc *p, copy = {};
	__u32 tgid = parent->tgid, pid = child->tgid;

	p = bpf_map_lookup_elem(&procs, &tgid);
	if (!p)
		return 0;
	if (tgid == pid) { /* a thread */
		thread_make(p, tgid, child->pid, born_slots);
		return 0;
	}
	if (no_follow)
		goto tell;
	copy.func_type = p->func_type;
	if (!per_thread)
		copy.root = root_create(pid, 0);
	if (bpf_map_update_elem(&procs, &pid, &copy, BPF_ANY)) {
		lose(WIRE_LOSS_PROCS);
		return 0;
	}
	thread_make(&copy, pid, pid, born_slots);
tell:
	tell_fork(tgid, pid);
	return 0;
}

/*
 * The thread is gone, or its program is: what it still owes goes to its top.
 * It is the current task, so this CPU runs it.
 */
static __always_inline void thread_forget(__u32 tid)
{
	__u32 *found = bpf_map_lookup_elem(&slots, &tid), *here = running_here(), slot;
	struct wire_thread *t;
	struct wire_node *top;
	__u64 kernel, now;

	if (!found || !here)
		return;
	kernel = kernel_now();
	now = counter_now();
	slot = *found;
	*here = 0;
	t = thread_at(slot);
	top = t ? node_at(t->top_node) : 0;
	if (top) {
		/* Not known to run, it is here since the attach or a switch that was missed. */
		if (!t->on_cpu) {
			t->last = now;
			t->last_kernel = kernel;
		}
		thread_charge(t, top, now);
		kernel_charge(t, kernel);
		t->tgid = 0;
	}
	if (!bpf_map_delete_elem(&slots, &tid))
		bpf_map_push_elem(&free_slots, &slot, BPF_ANY);
}

/* It is the current task. */
static __always_inline void thread_start(struct wire_thread *t)
{
	__u32 *here = running_here();

	if (!t || !here)
		return;
	thread_runs(t, here, counter_now());
	kernel_start(t);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *p, int old_pid, void *bprm)
{
	__u32 tgid = p->tgid;
	struct wire_proc *proc = bpf_map_lookup_elem(&procs, &tgid);

	if (!proc)
		return 0;
	thread_forget(old_pid);
	if (!per_thread)
		proc->root = root_create(tgid, 0);
	thread_start(thread_make(proc, tgid, p->pid, ~0));
	tell(WIRE_EVENT_EXEC, tgid);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *p)
{
	__u32 tgid = p->tgid;

	thread_forget(p->pid);
	/* do_exit() has taken this task off signal->live already. */
	if (p->signal->live.counter || !bpf_map_lookup_elem(&procs, &tgid))
		return 0;
	bpf_map_delete_elem(&procs, &tgid);
	tell(WIRE_EVENT_EXIT, tgid);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
