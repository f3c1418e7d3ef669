/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests in flight: from the first byte that was read until the event is sent.
 */
#ifndef PYCOST_INFLIGHT_BPF_H
#define PYCOST_INFLIGHT_BPF_H

#include <stddef.h>
#include "bpf/armed.bpf.h"
#include "bpf/exact_class.bpf.h"
#include "bpf/losses.bpf.h"
#include "bpf/memory.bpf.h"
#include "bpf/watched.bpf.h"
#include "bpf/wire_request.h"

#define REQUEST_TIDS 4

struct inflight {
	struct wire_request r; /* its id is 0: a free row */
	__s64 rss;	       /* of the process when it began */
	__u64 last_id;	       /* that the row had */
	__u32 done;	       /* answered or given up: its latency is fixed */
	__u32 tids[REQUEST_TIDS]; /* that worked for it, some of them */
	__u32 serial; /* of the process's being armed, when it began: see armed.bpf.h; 0: none */
};

/* Row by the low bits of the id; the bits above count how often it was taken. */
#define REQUEST_ROWS WIRE_MAX_REQUESTS
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, REQUEST_ROWS);
	__type(key, __u32);
	__type(value, struct inflight);
} inflight SEC(".maps");

/* Rows to be had; user space fills it. */
struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, REQUEST_ROWS);
	__uint(value_size, sizeof(__u32));
} free_requests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, WIRE_REQUESTS_RING);
} requests SEC(".maps");

/*
 * What is seen is what goes through sockets, and where threads sleep, and not each system
 * call: see sleep.bpf.h.
 */
const volatile __u8 by_sockets;

/* The reader polls; only from so many bytes on it is woken. */
const volatile __u32 requests_wake = WIRE_REQUESTS_RING / 4;

/* Process by tgid; see struct wire_served. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WIRE_MAX_PROCS);
	__type(key, __u32);
	__type(value, struct wire_served);
} served SEC(".maps");

#define WAKE_CHECK 16 /* requests a row, after which it is asked how full the ring is */

static __always_inline __u64 requests_flags(__u64 id)
{
	if (id / REQUEST_ROWS % WAKE_CHECK)
		return BPF_RB_NO_WAKEUP;
	return bpf_ringbuf_query(&requests, BPF_RB_AVAIL_DATA) >= requests_wake
		       ? BPF_RB_FORCE_WAKEUP
		       : BPF_RB_NO_WAKEUP;
}

/* 0: it has ended. */
static __always_inline struct inflight *inflight_find(__u64 id)
{
	__u32 row = id & (REQUEST_ROWS - 1);
	struct inflight *f = id ? bpf_map_lookup_elem(&inflight, &row) : 0;

	return f && f->r.id == id ? f : 0;
}

static __always_inline struct wire_request *request_find(__u64 id)
{
	struct inflight *f = inflight_find(id);

	return f ? &f->r : 0;
}

/*
 * A new request of the current process, begun at `begin`.  0: there are too many,
 * or it is not of the sample.  Nobody works for it yet.
 */
static __always_inline struct wire_request *request_open(__u8 protocol, __u64 begin)
{
	__u64 tid = bpf_get_current_pid_tgid();
	struct inflight *f;
	__u32 row = 0;

	if (!watched_takes())
		return 0;
	if (bpf_map_pop_elem(&free_requests, &row) ||
	    !(f = bpf_map_lookup_elem(&inflight, &row))) {
		lose(WIRE_LOSS_REQUESTS);
		return 0;
	}
	/* Texts behind it count by their lengths only. */
	__builtin_memset(&f->r, 0, offsetof(struct wire_request, method));
	__builtin_memset(f->r.field_lengths, 0xff, sizeof(f->r.field_lengths));
	f->r.head.kind = WIRE_EVENT_REQUEST;
	f->r.head.tgid = tid >> 32;
	f->r.protocol = protocol;
	f->r.flags = by_sockets ? WIRE_REQUEST_TICKS : 0;
	f->r.begin = begin;
	f->rss = rss_here();
	f->done = 0;
	f->serial = whole_requests ? armed_serial(tid >> 32) : 0;
	__builtin_memset(f->tids, 0, sizeof(f->tids));
	if (!f->last_id)
		f->last_id = row;
	f->last_id += REQUEST_ROWS;
	WRITE_ONCE(f->r.id, f->last_id);
	watched_begins();
	return &f->r;
}

/* The thread works for it; each counts once, if there are not too many. */
static __always_inline void request_worker(struct inflight *f, __u32 tid)
{
#pragma unroll
	for (int i = 0; i < REQUEST_TIDS; i++) {
		if (f->tids[i] == tid)
			return;
		if (!f->tids[i]) {
			f->tids[i] = tid;
			break;
		}
	}
	if (!f->r.threads)
		f->r.tid = tid;
	f->r.threads++;
}

static __always_inline int request_has_fields(const struct wire_request *r)
{
	const __u64 *lengths = (const void *)r->field_lengths;

	return (lengths[0] & lengths[1]) != ~0ull;
}

/* Up to the last that is not empty. */
static __always_inline __u32 request_size(const struct wire_request *r)
{
	__u32 marks = r->marks_length;

	if (marks)
		return offsetof(struct wire_request, marks) +
		       (marks < WIRE_MARKS_MAX ? marks : WIRE_MARKS_MAX);
	return request_has_fields(r) ? offsetof(struct wire_request, marks)
				     : offsetof(struct wire_request, fields);
}

/* What the exact mode has of it is not whole, or not to be had any more. */
static __always_inline void request_inexact(struct inflight *f)
{
	if (!(f->r.flags & WIRE_REQUEST_EXACT))
		return;
	f->r.flags &= ~WIRE_REQUEST_EXACT;
	armed_end(f->serial);
}

/* Its end: was it probed from its beginning on? */
static __always_inline void request_exact(struct inflight *f)
{
	if (!exact_mode)
		return;
	if (!whole_requests && f->r.probed_calls)
		f->r.flags |= WIRE_REQUEST_EXACT;
	if (whole_requests && f->r.flags & WIRE_REQUEST_EXACT && !armed_end(f->serial))
		f->r.flags &= ~WIRE_REQUEST_EXACT;
}

/* The class that function costs are to go to. */
static __always_inline __u64 request_charged(const struct inflight *f)
{
	if (!f || (whole_requests && !(f->r.flags & WIRE_REQUEST_EXACT)))
		return 0;
	return f->r.class_id;
}

/* Its row is free from here on. */
static __always_inline void request_forget(struct inflight *f)
{
	__u32 row = f->r.id & (REQUEST_ROWS - 1);

	WRITE_ONCE(f->r.id, 0);
	bpf_map_push_elem(&free_requests, &row, BPF_ANY);
	watched_ends();
}

/* Tells of it, unless its process only hands on what others serve. */
static __always_inline void request_send(struct inflight *f)
{
	__u32 tgid = f->r.head.tgid, size = request_size(&f->r);
	struct wire_served *p = bpf_map_lookup_elem(&served, &tgid);
	__s64 rss = tgid == bpf_get_current_pid_tgid() >> 32 ? rss_here() : 0;

	request_exact(f);
	if (rss)
		f->r.rss = rss - f->rss;
	if (p && rss)
		p->rss = rss;
	if (p && p->flags & WIRE_SERVED_PROXY)
		return;
	asm volatile("" : "+r"(size)); /* the verifier has to see its bound */
	if (size > sizeof(f->r))
		return;
	if (bpf_ringbuf_output(&requests, &f->r, size, requests_flags(f->r.id)))
		lose(WIRE_LOSS_REQUESTS);
}

#endif
