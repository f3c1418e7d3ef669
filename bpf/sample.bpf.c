// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sampling: a perf event on each CPU, and the life of the processes that it is for.
 *
 * The event fires whatever runs.  What is no followed process is left at once; for
 * others the sample is begun, and goes on in their interpreter's walker.  Nothing
 * hangs on context switches, so others pay for nothing else.
 */
#include <stdbool.h>

#include "bpf/class_of.bpf.h"
#include "bpf/followed.bpf.h"
#include "bpf/samples.bpf.h"
#include "bpf/self.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WIRE_MAX_PROCS);
	__type(key, __u32); /* tgid */
	__type(value, struct wire_sampled);
} sampled SEC(".maps");

/* Those that are not kept for some purpose: the first of pt_regs. */
#ifdef __TARGET_ARCH_arm64
#define GENERAL_REGISTERS 31
#else
#define GENERAL_REGISTERS 15
#endif

static __always_inline void registers_read(struct bpf_perf_event_data *ctx, struct walk *w)
{
	const __u64 *registers = (const __u64 *)&ctx->regs;

#pragma unroll
	for (int i = 0; i < GENERAL_REGISTERS; i++)
		w->registers[i] = registers[i];
	w->n_registers = GENERAL_REGISTERS;
}

static __always_inline void sample_begin(struct bpf_perf_event_data *ctx, struct walk *w,
					 const struct wire_sampled *p, __u64 id)
{
	__builtin_memset(&w->sample, 0, sizeof(w->sample));
	w->sample.head.kind = WIRE_EVENT_SAMPLE;
	w->sample.head.tgid = id >> 32;
	w->sample.tid = id;
	w->sample.class_id = class_of_thread(id);
#ifdef __TARGET_ARCH_arm64
	w->sample.in_kernel = (ctx->regs.pstate & 0xf) != 0;
	w->stack = ctx->regs.sp;
#else
	w->sample.in_kernel = (ctx->regs.cs & 3) == 0;
	w->stack = ctx->regs.rsp;
#endif
	w->n_registers = 0;
	if (w->sample.in_kernel)
		w->stack = 0;
	else
		registers_read(ctx, w);
	w->process = *p;
	w->self = self_read();
	w->slack = SELF_SLACK;
}

SEC("perf_event")
int on_sample(struct bpf_perf_event_data *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32;
	struct wire_sampled *p = bpf_map_lookup_elem(&sampled, &tgid);
	struct walk *w = p ? scratch_here() : 0;

	if (!w)
		return 0;
	sample_begin(ctx, w, p, id);
	bpf_tail_call(ctx, &walkers, p->build);
	w->sample.flags = WIRE_SAMPLE_NO_THREAD;
	sample_send(ctx, w);
	return 0;
}

/* It is sampled from birth. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	return followed_forks(&sampled, parent, child, 0);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, void *bprm)
{
	followed_execs(&sampled, task->tgid);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u32 tgid = task->tgid;

	/* do_exit() has taken this task off signal->live already. */
	if (task->signal->live.counter || !bpf_map_lookup_elem(&sampled, &tgid))
		return 0;
	bpf_map_delete_elem(&sampled, &tgid);
	tell(WIRE_EVENT_EXIT, tgid);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
