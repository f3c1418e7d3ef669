/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a thread waits, and what that says of whom it works for.
 *
 * A thread that has answered ends its request when it waits for other work.  One that
 * has not, and waits again where it waited before it got the request, is an event loop
 * and works for nobody; anywhere else it waits for the request's sake.
 */
#ifndef PYCOST_WAIT_BPF_H
#define PYCOST_WAIT_BPF_H

#include "bpf/calls.bpf.h"
#include "bpf/serving.bpf.h"
#include "bpf/tasks.bpf.h"

/* Of include/uapi/linux/futex.h */
#define FUTEX_WAIT 0
#define FUTEX_LOCK_PI 6
#define FUTEX_WAIT_BITSET 9
#define FUTEX_COMMAND 0x7f

/* What is waited at, as a number that is the same each time; 0: no place of its own. */
static __always_inline __u64 wait_place(const struct server *s, __u32 call)
{
	__u64 first = 0;
	__u32 fd = 0;

	switch (call) {
	case CALL_POLL:
		bpf_probe_read_user(&fd, sizeof(fd), (void *)s->args[0]);
		return (__u64)call << 56 | fd;
	case CALL_SELECT:
		bpf_probe_read_user(&first, sizeof(first), (void *)s->args[1]);
		return (__u64)call << 56 | ((first ^ s->args[0] << 48) & ((1ull << 56) - 1));
	case CALL_FUTEX:
		return 0;
	default:
		return (__u64)call << 56 | (__u32)s->args[0];
	}
}

/* At the entry of a call that waits. */
static __always_inline void wait_begin(struct server *s, __u32 call)
{
	__u64 place = wait_place(s, call);
	struct inflight *f;

	if (call == CALL_EPOLL)
		task_waits(s, place);
	if (!s->owner) {
		if (place && !s->run.task) /* which waits in the middle of its work */
			s->loop = place;
		return;
	}
	f = inflight_find(s->owner);
	if (!f || f->done || (place && place == s->loop))
		server_own(s, 0);
}

/* At its exit: what comes may be for a request that is not known yet. */
static __always_inline void wait_end(struct server *s)
{
	if (s->owner || s->run.task)
		return;
	server_account(s);
	s->span = s->now;
}

/*
 * A thread that was born within a request: its maker may wait for what it does here, and
 * answer before it has ended.  So the request gets its costs now.
 */
static __always_inline void born_pays(struct server *s)
{
	struct inflight *f = s->born ? inflight_find(s->owner) : 0;

	if (!f)
		return;
	server_account(s);
	server_settle(s, &f->r);
}

/* The GIL's is no wait for work; nor is one that ends by itself. */
static __always_inline void futex_begin(struct server *s)
{
	__u32 command = s->args[1] & FUTEX_COMMAND, tgid = s->tgid;
	const struct wire_served *p;

	s->call = CALL_OTHER;
	born_pays(s);
	if (command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET && command != FUTEX_LOCK_PI)
		return;
	p = bpf_map_lookup_elem(&served, &tgid);
	s->gil = p && s->args[0] - p->runtime < p->runtime_end - p->runtime;
	if (s->gil || s->args[3])
		return;
	s->call = CALL_FUTEX;
	wait_begin(s, CALL_FUTEX);
}

static __always_inline void gil_end(struct server *s, __u64 ns)
{
	if (!s->gil)
		return;
	s->gil = 0;
	s->now.gil_ns += ns - s->enter_ns;
}

#endif
