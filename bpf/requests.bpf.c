// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests, seen where they come into a process and go out of it: at its system calls.
 *
 * The tracepoints are of every process on the host, so what is none of ours is left
 * first of all.  Buffers are read when a call has ended, as then they are in memory.
 */
#include <stdbool.h>

#include "bpf/losses.bpf.h"
#include "bpf/wire_request.h"

const volatile struct wire_field request_fields[WIRE_FIELDS];

#include "bpf/backend.bpf.h"
#include "bpf/inbound.bpf.h"
#include "bpf/serving_life.bpf.h"
#include "bpf/sleep.bpf.h"
#include "bpf/traffic.bpf.h"
#include "bpf/wait.bpf.h"
#include <bpf/bpf_tracing.h>

/* What the thread had cost by `ns`, which is now; its clock goes on. */
static __always_inline __u64 server_cpu(struct server *s, __u64 ns)
{
	if (!s->on_cpu || ns - s->last_ns >= SLICE_DOUBT) {
		server_account_at(s, ns);
		return s->now.cpu_ns;
	}
	return s->now.cpu_ns + (ns - s->last_ns);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs___kernel *regs, long nr)
{
	__u32 call = call_kind(nr);
	struct server *s;
	__u64 id, ns;

	if (call == CALL_TRIVIAL)
		return 0;
	id = bpf_get_current_pid_tgid();
	if (!served_maybe(id >> 32))
		return 0;
	s = server_met(id);
	if (!s)
		return 0;
	ns = bpf_ktime_get_ns();
	s->enter_cpu = server_cpu(s, ns);
	s->enter_ns = ns;
	s->call = call;
	if (call == CALL_OTHER)
		return 0;
	call_arguments(regs, s->args);
	switch (call) {
	case CALL_CLOSE:
		traffic_closes(s, 1);
		break;
	case CALL_SHUTDOWN:
		if (s->args[1]) /* not SHUT_RD */
			traffic_closes(s, 0);
		break;
	case CALL_FUTEX:
		futex_begin(s);
		break;
	case CALL_READ:
	case CALL_RECEIVE:
		traffic_awaits(s);
		break;
	case CALL_ACCEPT:
	case CALL_EPOLL:
	case CALL_POLL:
	case CALL_SELECT:
		wait_begin(s, call);
	}
	server_turn(s);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs___kernel *regs, long ret)
{
	struct server *s;
	__u64 id, ns, cpu;
	__u32 call;

	if (call_kind(regs->CALL_NUMBER) == CALL_TRIVIAL)
		return 0;
	id = bpf_get_current_pid_tgid();
	if (!served_maybe(id >> 32))
		return 0;
	s = server_of(id);
	if (!s || !s->enter_ns)
		return 0;
	ns = bpf_ktime_get_ns();
	cpu = server_cpu(s, ns);
	if (cpu > s->enter_cpu)
		s->now.syscall_ns += cpu - s->enter_cpu;
	gil_end(s, ns);
	call = s->call;
	s->call = CALL_OTHER;
	s->parsed_ns = ns;
	switch (call) {
	case CALL_OTHER:
		break;
	case CALL_ACCEPT:
		traffic_accepted(s, ret);
		wait_end(s);
		break;
	case CALL_EPOLL:
	case CALL_POLL:
	case CALL_SELECT:
	case CALL_FUTEX:
		wait_end(s);
		break;
	case CALL_CONNECT:
		traffic_connected(s, ret);
		break;
	default:
		if (ret > 0)
			traffic_moved(call, ret);
	}
	s->enter_ns = 0;
	server_turn(s);
	return 0;
}

/* From here on in place of these two, where there are such tracepoints: see sleep.bpf.h. */
SEC("tp_btf/sock_recv_length")
int BPF_PROG(on_received, struct sock *sk, int size, int flags)
{
	return flags & (MSG_OOB | MSG_PEEK) ? 0 : socket_moved(sk, size, 0);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(on_sent, struct sock *sk, int size)
{
	return socket_moved(sk, size, 1);
}

/* Of every socket that is closed, whatever its family. */
SEC("fentry/sock_close")
int BPF_PROG(on_close, struct inode *inode, struct file *file)
{
	return socket_closed(file);
}

/* In place of it, where functions of the kernel cannot be traced. */

/* Of include/net/tcp_states.h: of a socket that is closed, which of these comes first. */
#define TCP_FIN_WAIT1 4
#define TCP_CLOSE 7
#define TCP_LAST_ACK 9

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int old, int new)
{
	return new == TCP_FIN_WAIT1 || new == TCP_LAST_ACK || new == TCP_CLOSE ? socket_closes(sk) : 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct server *s;

	if (served_maybe(prev->tgid)) {
		s = switched_out(prev);
		if (s && by_sockets)
			thread_leaves(s, prev, preempt);
		if (s)
			s->on_cpu = 0;
	}
	if (served_maybe(next->tgid)) {
		s = switched_in(next);
		if (s && by_sockets)
			thread_returns(s);
	}
	return 0;
}

/* In the parent, before the child can run. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = parent->tgid;
	struct wire_served *p = served_maybe(tgid) ? bpf_map_lookup_elem(&served, &tgid) : 0;

	if (!p)
		return 0;
	if (tgid == (__u32)child->tgid)
		thread_born(tgid, child->pid);
	else if (!no_follow)
		process_born(p, tgid, child);
	return 0;
}

/* Nothing is known of the new image until user space has looked at it. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, void *bprm)
{
	__u32 tgid = task->tgid, old = old_pid;
	struct wire_served *p = served_maybe(tgid) ? bpf_map_lookup_elem(&served, &tgid) : 0;

	if (!p)
		return 0;
	p->runtime = p->runtime_end = 0;
	if (old != (__u32)task->pid)
		server_forget(old);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u32 tgid = task->tgid;
	struct server *s;
	int last;

	if (!served_maybe(tgid))
		return 0;
	/* do_exit() has taken this task off signal->live already. */
	last = !task->signal->live.counter;
	s = server_here();
	if (s)
		thread_dies(s, last || task->signal->flags & SIGNAL_GROUP_EXIT);
	if (last)
		process_dies(task, tgid);
	return 0;
}

/* Has its answer; what its thread went on to do is not the request's any more. */
static __always_inline void request_finish(struct inflight *f)
{
	__u32 tid = f->done;
	struct server *s = server_of(tid);

	if (!s || s->owner != f->r.id)
		return;
	s->since.run_queue_ns = s->now.run_queue_ns;
	s->since.gil_ns = s->now.gil_ns;
	server_settle(s, &f->r);
	s->owner = 0;
}

/*
 * Run by user space, never attached: a request whose process is gone, or is not served
 * any more, which is not told; or, at the end of all, one that has its answer.
 */
SEC("raw_tp")
int BPF_PROG(on_reap, __u64 id, __u64 how)
{
	struct inflight *f = inflight_find(id);

	if (!f || (how == WIRE_REAP_FINISH && !f->done))
		return 0;
	if (how == WIRE_REAP_FINISH)
		request_finish(f);
	else if (!f->done)
		request_died(f);
	if (how != WIRE_REAP_FORGET)
		request_send(f);
	request_forget(f);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
