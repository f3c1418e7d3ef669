// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of processes whose interpreters say what they do: fork, exec, exit.
 */
#include "bpf/followed.bpf.h"
#include "bpf/marking.bpf.h"
#include <bpf/bpf_tracing.h>

/* Its probes are on already. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	return followed_forks(&marked, parent, child, 1);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, void *bprm)
{
	__u32 tgid = task->tgid, tid = old_pid;

	if (!followed_execs(&marked, tgid))
		return 0;
	bpf_map_delete_elem(&marking, &tid);
	bpf_map_delete_elem(&marking, &tgid);
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
