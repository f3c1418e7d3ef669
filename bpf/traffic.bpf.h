/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes through the sockets of served processes, and whose it is.
 */
#ifndef PYCOST_TRAFFIC_BPF_H
#define PYCOST_TRAFFIC_BPF_H

#include "bpf/backend.bpf.h"
#include "bpf/calls.bpf.h"
#include "bpf/inbound.bpf.h"

/* Of include/linux/socket.h, include/uapi/asm-generic/errno.h */
#define MSG_OOB 0x1
#define MSG_PEEK 0x2
#define EINPROGRESS 115

#define VECTORS 32 /* what a call has beyond these is not seen */
#define GUESSES 8  /* times that an outbound connection may turn out to be inbound */

struct user_vector {
	__u64 at, size;
};

/* struct user_msghdr, up to what is read of it: include/linux/socket.h */
struct user_message {
	__u64 name;
	__u32 name_size, pad;
	__u64 vectors, n;
};

static __always_inline int call_sends(__u32 call)
{
	return call >= CALL_SEND;
}

static __always_inline int call_moves(__u32 call)
{
	return call >= CALL_READ && call <= CALL_SPLICE;
}

/* The descriptor of the socket that it moves bytes through. */
static __always_inline __u32 call_socket(const struct server *s, __u32 call)
{
	return call == CALL_SPLICE ? s->args[2] : s->args[0];
}

/* A uwsgi packet: somebody else serves the request that this process was sent. */
static __always_inline int is_uwsgi(__u64 at, __u32 size)
{
	struct {
		__u8 modifier1, low, high, modifier2, key_low, key_high, first;
	} packet = {};
	__u32 length;

	if (size < sizeof(packet) || bpf_probe_read_user(&packet, sizeof(packet), (void *)at))
		return 0;
	length = packet.low | packet.high << 8;
	return !packet.modifier1 && !packet.modifier2 && length > 16 && packet.key_low &&
	       packet.key_low < 64 && !packet.key_high && packet.first >= 'A' && packet.first <= 'Z';
}

static __always_inline int is_answer(__u64 at)
{
	char start[7] = {};

	return !bpf_probe_read_user(start, sizeof(start), (void *)at) && start[0] == 'H' &&
	       start[1] == 'T' && start[2] == 'T' && start[3] == 'P' && start[4] == '/' &&
	       start[5] == '1' && start[6] == '.';
}

/* The oldest request is the current process's own. */
static __always_inline int oldest_is_ours(const struct server *s, const struct connection *c)
{
	struct wire_request *r = request_find(connection_oldest(c));

	return r && r->head.tgid == s->tgid;
}

/*
 * The connection s->key is closed, or only shut down for what is sent.  What has no end
 * but this has it now; what has no answer by now will have none.  Where others have the
 * socket open, too, it goes on; but not what this process was to answer, as those are
 * children that got it along with all else.
 */
__noinline int traffic_ends(__u32 whole, __u32 last)
{
	struct server *s = server_here();
	struct connection *c = s ? connection_of(s) : 0;

	if (!c || (!last && !oldest_is_ours(s, c)))
		return 0;
	if (c->first != c->end && http_close(&c->out) & HTTP_END)
		inbound_answered(0);
	if (!whole)
		return 0;
	for (int i = 0; i < PIPELINE; i++)
		if (!inbound_answered(WIRE_REQUEST_ABORTED))
			break;
	if (last)
		connection_forget(c);
	return 0;
}

/* The connection s->key is made, if it is a stream.  By itself, as its stack is large. */
__noinline int traffic_begins(__u32 role, __u32 guesses)
{
	struct server *s = server_here();
	struct connection *c;
	struct peer peer;

	if (!s)
		return 0;
	peer_of(&s->key, &peer);
	c = peer.family ? connection_make(s, role) : 0;
	if (!c)
		return 0;
	if (role == ROLE_UNKNOWN && peer.accepted)
		c->role = ROLE_INBOUND;
	if (role == ROLE_UNKNOWN && peer.connected)
		c->role = ROLE_OUTBOUND;
	c->guessed = c->role == ROLE_UNKNOWN ? guesses : 0;
	if (c->role != ROLE_INBOUND)
		c->class = backend_class(&peer);
	return 0;
}

/* The connection s->key, which may have been opened before we came.  0: none of ours. */
static __always_inline struct connection *connection_met(struct server *s)
{
	struct connection *c = connection_of(s);

	if (c)
		return c;
	traffic_begins(ROLE_UNKNOWN, GUESSES);
	return connection_of(s);
}

/* Part `i` of what a call moved; 0: there is no more. */
static __always_inline int vector_at(const struct server *s, __u32 i, struct user_vector *ret)
{
	__u64 vectors = s->args[1], n = s->args[2];
	struct user_message message;

	switch (s->moves) {
	case CALL_READ:
	case CALL_RECEIVE:
	case CALL_SEND:
		ret->at = s->args[1];
		ret->size = s->moved;
		return i == 0;
	case CALL_SEND_FILE:
	case CALL_SPLICE:
		return 0;
	case CALL_RECEIVE_MESSAGE:
	case CALL_SEND_MESSAGE:
		if (bpf_probe_read_user(&message, sizeof(message), (void *)vectors))
			return 0;
		vectors = message.vectors;
		n = message.n;
	}
	return i < n && !bpf_probe_read_user(ret, sizeof(*ret), (void *)(vectors + i * sizeof(*ret)));
}

/* 0: all that was moved has been parsed. */
__noinline int traffic_part(__u32 i)
{
	struct user_vector v = {};
	struct server *s = server_here();
	__u32 n;

	if (!s || !s->moved)
		return 0;
	if (!vector_at(s, i, &v))
		v = (struct user_vector){.size = s->moved}; /* not to be seen: a body's, at best */
	n = v.size < s->moved ? v.size : s->moved;
	s->moved -= n;
	feed(call_sends(s->moves), FEED_CALL, v.at, n);
	return s->moved != 0;
}

static __always_inline void traffic_parse(struct server *s)
{
	for (__u32 i = 0; i <= VECTORS; i++)
		if (!traffic_part(i < VECTORS ? i : ~0u))
			return;
}

/* The thread works for what comes through it; see held_check(). */
static __always_inline void connection_hold(struct server *s)
{
	s->held = s->key;
	s->held_fd = s->fd;
}

static __always_inline void process_is_proxy(__u32 tgid)
{
	struct wire_served *p = bpf_map_lookup_elem(&served, &tgid);

	if (p)
		p->flags |= WIRE_SERVED_PROXY;
}

static __always_inline void traffic_sent(struct server *s, struct connection *c)
{
	struct user_vector v = {};
	struct wire_request *r;
	__u64 id;

	if (c->role == ROLE_UNKNOWN) {
		c->role = vector_at(s, 0, &v) && is_answer(v.at) ? ROLE_INBOUND : ROLE_OUTBOUND;
	}
	if (c->role == ROLE_OUTBOUND) {
		if (!c->asked && vector_at(s, 0, &v) && is_uwsgi(v.at, v.size))
			process_is_proxy(s->tgid);
		backend_sent(s, c);
		return;
	}
	id = connection_oldest(c);
	if (c->tls || !id)
		return;
	s->sent_ns = s->parsed_ns;
	server_claim(s, id);
	r = request_find(id);
	if (r)
		__sync_fetch_and_add(&r->bytes_out, s->moved);
	traffic_parse(s);
}

static __always_inline void traffic_received(struct server *s, struct connection *c)
{
	__u32 size = s->moved;
	struct wire_request *r;

	if (c->role == ROLE_OUTBOUND)
		backend_received(c, s->parsed_ns);
	if (c->tls)
		return;
	if (c->role == ROLE_OUTBOUND && c->guessed) {
		c->guessed--;
		if (c->receiving)
			inbound_undo(c);
		c->receiving = 0;
		http_begin(&c->in, HTTP_KIND_DETECT);
	} else if (c->role == ROLE_OUTBOUND) {
		return;
	}
	traffic_parse(s);
	if (by_sockets && c->role == ROLE_INBOUND)
		connection_hold(s);
	r = request_find(connection_newest(c));
	if (!r || c->role != ROLE_INBOUND)
		return;
	__sync_fetch_and_add(&r->bytes_in, size);
	if (connection_oldest(c))
		server_own(s, connection_oldest(c));
}

/* Looks only, or at what is no part of the stream. */
static __always_inline int call_peeks(const struct server *s, __u32 call)
{
	return (call == CALL_RECEIVE && s->args[3] & (MSG_OOB | MSG_PEEK)) ||
	       (call == CALL_RECEIVE_MESSAGE && s->args[2] & (MSG_OOB | MSG_PEEK));
}

/* A call has moved `size` bytes; by_sockets: through s->key. */
__noinline int traffic_moved(__u32 call, __u32 size)
{
	struct server *s = server_here();
	struct connection *c;

	if (!s)
		return 0;
	if (!by_sockets && (call_peeks(s, call) ||
			    socket_key(call_socket(s, call), &s->key)))
		return 0;
	s->tls.moves++;
	s->tls.moved = s->key;
	if (!call_sends(call))
		s->tls.received = s->key;
	s->moves = call;
	s->moved = size;
	c = connection_met(s);
	if (!c || c->role == ROLE_OTHER)
		return 0;
	if (call_sends(call))
		traffic_sent(s, c);
	else
		traffic_received(s, c);
	return 0;
}

static __always_inline void traffic_accepted(struct server *s, long fd)
{
	if (fd >= 0 && !socket_key(fd, &s->key))
		connection_make(s, ROLE_INBOUND);
}

static __always_inline void traffic_connected(struct server *s, long ret)
{
	if ((!ret || ret == -EINPROGRESS) && !socket_key(s->args[0], &s->key))
		traffic_begins(ROLE_OUTBOUND, 0);
}

/* At the entry of close() and of shutdown(). */
static __always_inline void traffic_closes(struct server *s, __u32 whole)
{
	if (!socket_key(s->args[0], &s->key))
		traffic_ends(whole, !whole || socket_is_last(&s->key));
}

/* At the entry of a call that receives: the next request, when this one has its answer. */
static __always_inline void traffic_awaits(struct server *s)
{
	struct inflight *f = inflight_find(s->owner);
	struct connection *c;

	if (!f || !f->done || socket_key(s->args[0], &s->key))
		return;
	c = connection_of(s);
	if (c && c->role == ROLE_INBOUND)
		server_own(s, 0);
}

#endif
