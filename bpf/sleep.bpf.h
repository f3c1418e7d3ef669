/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that go to sleep, and what for: the system call that a thread sleeps in is in
 * the registers that it entered the kernel with.
 *
 * So nobody's system calls have to be looked at.  What does not sleep is not seen to wait:
 * a thread that finds its next work at once goes on for its last request until it
 * receives the next, or closes the connection of the last.
 *
 * sock_close() tells of that, where the kernel lets us trace its functions: it runs when
 * the last descriptor of a socket is closed, in the thread that did it, before that is
 * back in its program (net/socket.c; fs/file_table.c).  Else inet_sock_set_state does, of
 * a TCP connection that is not reset or closed by the other side before.  What neither
 * tells is found out when the thread sleeps or turns to another connection, and when
 * another has the descriptor: a close while a forked child has the socket open, too.
 *
 * Wants Linux 6.5, from which on all that goes through sockets passes sock_send_length and
 * sock_recv_length (include/trace/events/sock.h, net/socket.c; what sendfile() sends, since
 * splice_to_socket()).
 */
#ifndef PYCOST_SLEEP_BPF_H
#define PYCOST_SLEEP_BPF_H

#include "bpf/steady.bpf.h"
#include "bpf/traffic.bpf.h"
#include "bpf/wait.bpf.h"
#include <bpf/bpf_tracing.h>

/*
 * The system call of `task`, and its arguments.  Of an entry that was none, like a page
 * fault's, the number is -1, which is CALL_OTHER.
 */
static __always_inline __u32 call_of(struct task_struct *task, __u64 args[4])
{
	struct pt_regs___kernel *regs = (void *)bpf_task_pt_regs(task);

	call_arguments(regs, args);
	return call_kind(regs->CALL_NUMBER);
}

/*
 * The connection that the thread held may have been closed since, or shut down for what is
 * sent: nobody may have told.
 */
static __always_inline void held_check(struct server *s)
{
	int open;

	if (!s->held.file || !task_here()->files)
		return;
	open = socket_is(s->held_fd, &s->held);
	if (open && !socket_is_shut(&s->held))
		return;
	s->key = s->held;
	if (!open)
		s->held.file = 0;
	s->ends_ns = s->sent_ns;
	traffic_ends(!open, 1);
	s->ends_ns = 0;
}

/* It turns to another connection, s->key. */
static __always_inline void held_leaves(struct server *s)
{
	struct connection_key key = s->key;

	if (key_is(&key, &s->held))
		return;
	held_check(s);
	s->key = key;
}

static __always_inline void sleep_begin(struct server *s, struct task_struct *task)
{
	__u32 call = call_of(task, s->args);

	s->call = CALL_OTHER;
	s->enter_ns = s->last_ns;
	switch (call) {
	case CALL_FUTEX:
		held_check(s);
		futex_begin(s);
		break;
	case CALL_READ:
	case CALL_RECEIVE:
		held_check(s);
		traffic_awaits(s);
		break;
	case CALL_ACCEPT:
	case CALL_EPOLL:
	case CALL_POLL:
	case CALL_SELECT:
		held_check(s);
		s->call = call;
		wait_begin(s, call);
	}
}

/* The current thread leaves its CPU; by itself when it is not ready to run any more. */
static __always_inline void thread_leaves(struct server *s, struct task_struct *task, int preempt)
{
	born_pays(s);
	if (!preempt && task->__state)
		sleep_begin(s, task);
}

/* It is back: not yet the current one. */
static __always_inline void thread_returns(struct server *s)
{
	__u32 call = s->call;

	gil_end(s, s->last_ns);
	s->call = CALL_OTHER;
	if (call == CALL_OTHER || s->owner || s->run.task)
		return;
	s->span = s->now;
	s->fresh = 1;
}

/*
 * Where nobody has told that a socket is closed: the last that each descriptor stood for.
 * What had it before the one that has it now is closed.
 */
struct descriptor {
	__u32 tgid, fd;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WIRE_MAX_CONNECTIONS);
	__type(key, struct descriptor);
	__type(value, struct connection_key);
} descriptors SEC(".maps");

static __always_inline void descriptor_becomes(struct server *s)
{
	struct connection_key now = s->key, *before;
	struct descriptor key = {.tgid = s->tgid, .fd = s->fd};

	before = bpf_map_lookup_elem(&descriptors, &key);
	if (before && !key_is(before, &now)) {
		s->key = *before;
		traffic_ends(1, 1);
		s->key = now;
	}
	bpf_map_update_elem(&descriptors, &key, &now, BPF_ANY);
}

/*
 * The current thread closes s->key by this call, or shuts it down before it does.  When it
 * has answered, and by that connection, it has done all that it does for the request.
 */
static __always_inline void socket_ends(struct server *s, __u32 call)
{
	int held = key_is(&s->held, &s->key);
	int whole = call != CALL_SHUTDOWN;
	struct inflight *f;

	traffic_ends(whole, 1);
	if (!held)
		return;
	if (whole)
		s->held.file = 0;
	f = inflight_find(s->owner);
	if (f && f->done)
		server_own(s, 0);
}

/*
 * A TCP socket of some process has come to its end.  When a task has it locked, that is
 * that task's doing; but not when it was sent to or received from: an error will follow.
 */
static __always_inline void thread_ends(struct sock *sk)
{
	struct server *s = server_here();
	__u64 args[4];
	__u32 call;

	if (!s)
		return;
	call = call_of(bpf_get_current_task_btf(), args);
	if (call_moves(call) || socket_key_of(sk, &s->key))
		return;
	socket_ends(s, call);
	server_turn(s);
}

static __always_inline int socket_closes(struct sock *sk)
{
	if (!served_maybe(bpf_get_current_pid_tgid() >> 32) || !sk->sk_lock.owned)
		return 0;
	steady_begin();
	thread_ends(sk);
	steady_end();
	return 0;
}

/* A socket's last descriptor is closed, by the current thread. */
static __always_inline void thread_closes(struct file *file)
{
	struct server *s = server_here();

	if (!s)
		return;
	s->key = (struct connection_key){.file = (__u64)file, .inode = file->f_inode->i_ino};
	socket_ends(s, CALL_CLOSE);
	server_turn(s);
}

static __always_inline int socket_closed(struct file *file)
{
	if (!served_maybe(bpf_get_current_pid_tgid() >> 32))
		return 0;
	steady_begin();
	thread_closes(file);
	steady_end();
	return 0;
}

/* Of include/uapi/asm-generic/errno.h, errno-base.h */
#define EPIPE 32
#define ECONNRESET 104

/* So much went through a socket, by a call of the current thread; or an error came of it. */
static __always_inline void thread_moves(__u64 id, struct sock *sk, int size, int sends)
{
	struct server *s = server_met(id);
	__u32 call;

	if (!s)
		return;
	call = call_of(bpf_get_current_task_btf(), s->args);
	if (!call_moves(call) || call_sends(call) != sends)
		return;
	if (socket_key_of(sk, &s->key))
		return;
	held_leaves(s);
	s->enter_ns = s->parsed_ns = bpf_ktime_get_ns();
	s->fd = call_socket(s, call);
	if (!connection_of(s))
		descriptor_becomes(s);
	if (size > 0)
		traffic_moved(call, size);
	else
		traffic_ends(1, 1);
	/* Nothing will tell what becomes of its requests. */
	if (connection_is_given_up(s))
		traffic_ends(1, 0);
	server_turn(s);
}

static __always_inline int socket_moved(struct sock *sk, int size, int sends)
{
	__u64 id = bpf_get_current_pid_tgid();

	if (!served_maybe(id >> 32) || (size <= 0 && size != -EPIPE && size != -ECONNRESET))
		return 0;
	steady_begin();
	thread_moves(id, sk, size, sends);
	steady_end();
	return 0;
}

#endif
