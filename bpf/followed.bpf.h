/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes that are followed through fork and exec, in a map of struct wire_sampled by tgid.
 */
#ifndef PYCOST_FOLLOWED_BPF_H
#define PYCOST_FOLLOWED_BPF_H

#include "bpf/events.bpf.h"
#include "bpf/task.bpf.h"

const volatile __u8 no_follow; /* children are only announced */

/* In the parent, before the child can run.  renews: its epoch is another than its parent's. */
static __always_inline int followed_forks(void *processes, const struct task_struct *parent,
					  const struct task_struct *child, int renews)
{
	__u32 tgid = parent->tgid, pid = child->tgid;
	struct wire_sampled *p = bpf_map_lookup_elem(processes, &tgid), copy;

	if (!p || tgid == pid) /* or a thread */
		return 0;
	copy = *p;
	if (renews)
		copy.epoch = bpf_ktime_get_ns() >> 10;
	if (!no_follow && bpf_map_update_elem(processes, &pid, &copy, BPF_ANY)) {
		lose(WIRE_LOSS_PROCS);
		return 0;
	}
	tell_fork(tgid, pid);
	return 0;
}

/* Nothing is known of the new image until user space has looked at it. */
static __always_inline int followed_execs(void *processes, __u32 tgid)
{
	struct wire_sampled *p = bpf_map_lookup_elem(processes, &tgid);

	if (!p)
		return 0;
	p->build = WIRE_NO_BUILD;
	tell(WIRE_EVENT_EXEC, tgid);
	return 1;
}

#endif
