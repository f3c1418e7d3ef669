// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of processes whose interpreters say what they do: fork, exec, exit.
 */
#include "bpf/events.bpf.h"
#include "bpf/marking.bpf.h"
#include <bpf/bpf_tracing.h>

const volatile __u8 no_follow; /* children are only announced */

/* In the parent, before the child can run: its probes are on already. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = parent->tgid, pid = child->tgid;
	struct wire_sampled *p = bpf_map_lookup_elem(&marked, &tgid), copy;

	if (!p || tgid == pid) /* or a thread */
		return 0;
	copy = *p;
	copy.epoch = bpf_ktime_get_ns() >> 10;
	if (!no_follow && bpf_map_update_elem(&marked, &pid, &copy, BPF_ANY)) {
		lose(WIRE_LOSS_PROCS);
		return 0;
	}
	tell_fork(tgid, pid);
	return 0;
}

/* Nothing is known of the new image until user space has looked at it. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, void *bprm)
{
	__u32 tgid = task->tgid, tid = old_pid;
	struct wire_sampled *p = bpf_map_lookup_elem(&marked, &tgid);

	if (!p)
		return 0;
	p->build = WIRE_NO_BUILD;
	bpf_map_delete_elem(&marking, &tid);
	bpf_map_delete_elem(&marking, &tgid);
	tell(WIRE_EVENT_EXEC, tgid);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u32 tgid = task->tgid, tid = task->pid;

	if (!bpf_map_lookup_elem(&marked, &tgid))
		return 0;
	bpf_map_delete_elem(&marking, &tid);
	/* do_exit() has taken this task off signal->live already. */
	if (task->signal->live.counter)
		return 0;
	bpf_map_delete_elem(&marked, &tgid);
	tell(WIRE_EVENT_EXIT, tgid);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
