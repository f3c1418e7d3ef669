/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of the threads of served processes: what is known of each, and finding it.
 */
#ifndef PYCOST_SERVER_BPF_H
#define PYCOST_SERVER_BPF_H

#include "bpf/account.bpf.h"
#include "bpf/losses.bpf.h"
#include "bpf/socket.bpf.h"

/* A thread and the sockets and TLS sessions that it uses: see tls.bpf.h. */
struct tls_thread {
	__u64 ssl; /* the session that it is in a call about; 0: none */
	__u64 buffer, count_at; /* of that call */
	__u32 moves, moves_before; /* bytes went through sockets so often; and before the call */
	struct connection_key moved, received; /* through which last, and which way */
	__u32 sends; /* the call does */
	__u32 pad;
};

/* The thread is only changed by itself, and by on_switch() when it goes and comes. */
struct server {
	__u64 last, last_kernel, last_ns; /* counters when it was last looked at on its CPU */
	struct totals now;  /* up to then */
	struct totals since; /* when its owner began to be that */
	struct totals span; /* when it last waited for work */
	__u64 told_cost, told_kernel, told_cpu; /* of these, what its process's totals have */
	__u64 owner; /* the request that it works for; 0: none */
	__u64 loop;  /* what it waited at before it got the request */
	struct running run; /* where it is an event loop */
	/* The system call it is in. */
	__u64 enter_ns, enter_cpu;
	__u64 args[4];
	struct connection_key key; /* of the socket it is about */
	__u64 parsed_ns; /* when it ended */
	/* The inbound connection that it has received from last; file 0: none. */
	struct connection_key held;
	__u64 sent_ns; /* when it last sent to who asks */
	__u64 ends_ns; /* what is found to have ended did so then; 0: now */
	__u32 held_fd;
	__u32 fd; /* of the socket that the call is about */
	__u32 call, connection; /* enum call_kind; row of what it was last about */
	__u32 moves, moved; /* the same of what is parsed, and how many bytes are yet to be */
	__u32 tgid, tid; /* tid 0: a free slot */
	__u32 slot, cpu;
	__u32 switches; /* the task's own count when it was last seen on a CPU */
	__u8 on_cpu;
	__u8 turns; /* the exact mode is to be told that it works for another class */
	__u8 gil; /* it waits for the GIL */
	__u8 born; /* within the request that it works for: it does not end that */
	__u8 known; /* from its birth, or since it was met */
	__u8 timed; /* the next two are known */
	__u8 fresh; /* it has just waited for work: what its span has of the run queue is old */
	__u8 pad[5];
	__u64 ran, ran_cpu; /* at its last switch: the scheduler's time of it, and ours */
	__u64 calls, left_out; /* of the exact mode's, as last seen */
	struct tls_thread tls;
};

/* By slot; slots to be had are in a stack that user space fills. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WIRE_MAX_SERVERS);
	__type(key, __u32);
	__type(value, struct server);
} servers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, WIRE_MAX_SERVERS);
	__uint(value_size, sizeof(__u32));
} free_servers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WIRE_MAX_SERVERS);
	__type(key, __u32);   /* tid */
	__type(value, __u32); /* slot */
} server_slots SEC(".maps");

/*
 * Tid and, above it, slot of the thread that was met last on this CPU: to find it without
 * hashing.  Which thread runs is never taken from it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} server_met_last SEC(".maps");

static __always_inline struct server *server_at(__u32 slot, __u32 tid)
{
	struct server *s = bpf_map_lookup_elem(&servers, &slot);

	return s && s->tid == tid ? s : 0;
}

static __always_inline struct server *server_of(__u32 tid)
{
	__u32 zero = 0, *slot;
	__u64 *last = bpf_map_lookup_elem(&server_met_last, &zero);
	struct server *s;

	if (last && (__u32)*last == tid) {
		s = server_at(*last >> 32, tid);
		if (s)
			return s;
	}
	slot = bpf_map_lookup_elem(&server_slots, &tid);
	if (!slot)
		return 0;
	if (last)
		*last = (__u64)*slot << 32 | tid;
	return server_at(*slot, tid);
}

/* The current thread's; 0: it is of no served process, or there are too many. */
static __always_inline struct server *server_here(void)
{
	return server_of(bpf_get_current_pid_tgid());
}

static __always_inline struct server *server_make(__u32 tgid, __u32 tid)
{
	struct server *s;
	__u32 slot = 0;

	if (bpf_map_pop_elem(&free_servers, &slot) ||
	    !(s = bpf_map_lookup_elem(&servers, &slot))) {
		lose(WIRE_LOSS_SERVERS);
		return 0;
	}
	__builtin_memset(s, 0, sizeof(*s));
	s->tgid = tgid;
	s->tid = tid;
	s->slot = slot;
	if (!bpf_map_update_elem(&server_slots, &tid, &slot, BPF_ANY))
		return s;
	s->tid = 0;
	bpf_map_push_elem(&free_servers, &slot, BPF_ANY);
	lose(WIRE_LOSS_SERVERS);
	return 0;
}

/* The thread is gone.  Whoever deletes the entry gives the slot back. */
static __always_inline void server_forget(__u32 tid)
{
	__u32 *found = bpf_map_lookup_elem(&server_slots, &tid), slot;
	struct server *s = found ? bpf_map_lookup_elem(&servers, found) : 0;

	if (!s)
		return;
	slot = *found;
	if (bpf_map_delete_elem(&server_slots, &tid))
		return;
	s->tid = 0;
	bpf_map_push_elem(&free_servers, &slot, BPF_ANY);
}

#endif
