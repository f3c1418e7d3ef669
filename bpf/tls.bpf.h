/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS that ends in a served process: what is said is read at the calls that put it
 * into records or take it out, and goes the way that a socket's bytes go elsewhere.
 *
 * Which connection a session (SSL *) belongs to: the one whose socket is read or written
 * within the call itself; where sessions have memory for a transport, as asyncio's, and
 * all sockets are read before, the one that the thread has received from last when it
 * first reads from the session.  That holds until the connection is closed.
 */
#ifndef PYCOST_TLS_BPF_H
#define PYCOST_TLS_BPF_H

#include "bpf/inbound.bpf.h"

struct tls_session {
	__u64 ssl;
	__u32 tgid;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WIRE_MAX_CONNECTIONS);
	__type(key, struct tls_session);
	__type(value, struct connection_key);
} tls_sessions SEC(".maps");

/*
 * Which thread has which of this CPU's feeds of libraries.  The kernel may switch tasks
 * within a program that runs at a function, and then another's may run.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FEED_LIBRARIES);
	__type(key, __u32);
	__type(value, __u32);
} tls_feeding SEC(".maps");

/* At the entry of a call.  count_at: where it leaves how much was moved; 0: returned. */
static __always_inline int tls_enter(__u64 ssl, __u64 buffer, __u64 count_at, __u8 sends)
{
	struct server *s = server_here();

	if (!s)
		return 0;
	s->tls.ssl = ssl;
	s->tls.buffer = buffer;
	s->tls.count_at = count_at;
	s->tls.moves_before = s->tls.moves;
	s->tls.sends = sends;
	return 0;
}

/* Into s->key.  0: the connection of the session that the thread is about. */
static __always_inline int tls_connection(struct server *s)
{
	struct tls_session session = {.ssl = s->tls.ssl, .tgid = s->tgid};
	struct connection_key *bound = bpf_map_lookup_elem(&tls_sessions, &session);

	if (s->tls.moves != s->tls.moves_before)
		s->key = s->tls.moved;
	else if (bound && connection_is_open(bound))
		s->key = *bound;
	else if (!s->tls.sends)
		s->key = s->tls.received;
	else
		return -1;
	if (!bound || !key_is(bound, &s->key))
		bpf_map_update_elem(&tls_sessions, &session, &s->key, BPF_ANY);
	return 0;
}

/* One that nobody has, or else the last. */
static __always_inline volatile __u32 *tls_feed_find(__u32 *which)
{
	volatile __u32 *holder = 0;

	for (__u32 i = 0; i < FEED_LIBRARIES; i++) {
		__u32 key = i;

		*which = FEED_LIBRARY + i;
		holder = bpf_map_lookup_elem(&tls_feeding, &key);
		if (!holder || !*holder)
			break;
	}
	return holder;
}

/* The parser goes over it; or what comes on this connection is not understood any more. */
static __always_inline void tls_feed(struct server *s, struct connection *c, __u32 sends,
				     __u32 size)
{
	__u32 tid = s->tid, which = FEED_LIBRARY;
	volatile __u32 *holder = tls_feed_find(&which);

	if (!holder || *holder) {
		inbound_garbled(c);
		return;
	}
	*holder = tid;
	feed(sends, which, s->tls.buffer, size);
	if (*holder != tid)
		inbound_garbled(c);
	*holder = 0;
}

static __always_inline void tls_received(struct server *s, struct connection *c, __u32 size)
{
	struct wire_request *r;

	if (c->role == ROLE_OUTBOUND && !c->guessed)
		return;
	if (c->in.kind == HTTP_KIND_TLS)
		http_begin(&c->in, HTTP_KIND_DETECT);
	tls_feed(s, c, 0, size);
	r = request_find(connection_newest(c));
	if (!r || c->role != ROLE_INBOUND)
		return;
	__sync_fetch_and_add(&r->bytes_in, size);
	server_own(s, connection_oldest(c));
}

static __always_inline void tls_sent(struct server *s, struct connection *c, __u32 size)
{
	__u64 id = connection_oldest(c);
	struct wire_request *r;

	if (c->role != ROLE_INBOUND || !id)
		return;
	server_claim(s, id);
	r = request_find(id);
	if (r)
		__sync_fetch_and_add(&r->bytes_out, size);
	tls_feed(s, c, 1, size);
}

/* At the return from the call. */
static __always_inline int tls_leave(__s32 returned)
{
	struct server *s = server_here();
	struct connection *c;
	__u64 size = returned;

	if (!s || !s->tls.ssl)
		return 0;
	if (returned > 0 && s->tls.count_at &&
	    bpf_probe_read_user(&size, sizeof(size), (void *)s->tls.count_at))
		size = 0;
	if (returned > 0 && size && size <= 0x7fffffff && !tls_connection(s)) {
		c = connection_of(s);
		s->parsed_ns = bpf_ktime_get_ns();
		if (!c || !c->tls || c->role == ROLE_OTHER)
			;
		else if (s->tls.sends)
			tls_sent(s, c, size);
		else
			tls_received(s, c, size);
		server_turn(s);
	}
	s->tls.ssl = 0;
	return 0;
}

#endif
