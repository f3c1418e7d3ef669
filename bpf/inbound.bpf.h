/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes through an inbound connection: requests come in, answers go out, in the
 * same order.
 */
#ifndef PYCOST_INBOUND_BPF_H
#define PYCOST_INBOUND_BPF_H

#include "bpf/class.bpf.h"
#include "bpf/connection.bpf.h"

#define FEED_STEPS 512 /* runs of the parser in one call: what is behind is garbled */

/* What is parsed, and where a request goes that there is no row for. */
struct feed {
	struct http_chunk chunk;
	struct wire_request nobody;
};

/* One for system calls; one for calls of libraries, which may come in between. */
#define FEED_CALL 0
#define FEED_LIBRARY 1
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct feed);
} feeds SEC(".maps");

/* Nothing of it is understood from here on. */
static __always_inline void inbound_garbled(struct connection *c)
{
	c->role = ROLE_OTHER;
	lose(WIRE_LOSS_GARBLED);
}

static __always_inline void inbound_begin(struct server *s, struct connection *c)
{
	struct wire_request *r;

	if (c->end - c->first >= PIPELINE) {
		inbound_garbled(c);
		return;
	}
	r = request_open(c->in.kind == HTTP_KIND_UWSGI ? WIRE_PROTOCOL_UWSGI : WIRE_PROTOCOL_HTTP,
			 s->parsed_ns);
	if (r)
		http_clear(r);
	if (r && c->tls)
		r->flags |= WIRE_REQUEST_TLS;
	/* Without a row its answer still has its place. */
	c->queue[c->end & (PIPELINE - 1)] = r ? r->id : 0;
	c->end++;
	c->lined = 0;
}

/* What began was no request, and goes. */
static __always_inline void inbound_undo(struct connection *c)
{
	__u64 id = connection_newest(c);

	if (c->first == c->end)
		return;
	c->end--;
	request_drop(id);
}

/* What the parser met while something was received. */
static __always_inline void inbound_events(struct server *s, struct connection *c,
					   struct wire_request *r, struct http_chunk *chunk,
					   __u32 events)
{
	if (events & HTTP_BEGIN) {
		if (c->in.kind == HTTP_KIND_RESPONSE)
			c->role = ROLE_OUTBOUND;
		else
			inbound_begin(s, c);
		c->receiving = 1;
		return;
	}
	if (events & HTTP_LINE) {
		c->lined = 1;
		if (c->role == ROLE_UNKNOWN || c->guessed)
			c->role = ROLE_INBOUND;
		http_route(r, chunk);
	}
	if (events & HTTP_HEAD && r->id)
		request_class(r->id);
	if (events & HTTP_TLS)
		c->tls = 1;
	if (events & HTTP_END)
		c->receiving = 0;
	if (!(events & HTTP_ERROR))
		return;
	if (c->receiving && !c->lined)
		inbound_undo(c);
	c->receiving = 0;
	if (c->role == ROLE_INBOUND)
		lose(WIRE_LOSS_GARBLED);
	else
		c->role = c->guessed ? ROLE_OUTBOUND : ROLE_OTHER;
}

/* The oldest request has its answer, or never will. */
__noinline int inbound_answered(__u32 flags)
{
	struct server *s = server_here();
	struct connection *c = s ? connection_find(&s->key) : 0;
	__u64 id;

	if (!c || c->first == c->end)
		return 0;
	id = connection_oldest(c);
	c->first++;
	if (c->first == c->end && c->receiving && !c->lined)
		request_drop(id);
	else
		request_close(id, flags);
	return c->first != c->end;
}

/* What the parser met while something was sent. */
static __always_inline void outbound_events(struct server *s, struct connection *c,
					    struct wire_request *r, __u32 events)
{
	if (events & HTTP_BEGIN) {
		if (!r->head_ns)
			r->head_ns = s->parsed_ns - r->begin;
		if (r->method_length == 4 &&
		    (__u32)http_load(r->method) == (__u32)HTTP_WORD('H', 'E', 'A', 'D', 0, 0, 0, 0))
			c->out.flags |= HTTP_NO_BODY;
		return;
	}
	if (events & HTTP_LINE && c->out.status >= 200)
		r->status = c->out.status;
	if (events & HTTP_INTERIM)
		r->head_ns = 0;
	if (events & HTTP_UPGRADED) {
		r->status = c->out.status;
		c->role = ROLE_OTHER;
		inbound_answered(WIRE_REQUEST_UPGRADED);
	} else if (events & HTTP_END) {
		inbound_answered(0);
		/* The next is there already: it is worked for from here on. */
		if (c->first != c->end)
			server_own(s, connection_oldest(c));
	}
	if (events & HTTP_ERROR)
		inbound_garbled(c);
}

/* Fills the chunk when it is through.  0: there is nothing to run the parser over. */
static __always_inline int feed_fill(struct server *s, struct connection *c, struct http_parser *p,
				     struct http_chunk *chunk)
{
	__u32 skip, n;

	if (chunk->at < chunk->n)
		return 1;
	chunk->at = chunk->n = 0;
	skip = http_skip(p, s->left);
	s->at += skip;
	s->left -= skip;
	n = s->left < HTTP_CHUNK ? s->left : HTTP_CHUNK;
	if (!n)
		return (p->state == HTTP_BODY && !p->skip) || !p->need;
	asm volatile("" : "+r"(n));
	if (n > HTTP_CHUNK || bpf_probe_read_user(chunk->data, n, (void *)s->at)) {
		inbound_garbled(c);
		return 0;
	}
	chunk->n = n;
	s->at += n;
	s->left -= n;
	return 1;
}

/* One run of the parser, over what s->at and s->left say; 0: it is through. */
__noinline int feed_run(__u32 sent, __u32 which)
{
	struct feed *feed = bpf_map_lookup_elem(&feeds, &which);
	struct server *s = server_here();
	struct connection *c = s ? connection_find(&s->key) : 0;
	struct http_parser *p;
	struct inflight *f;
	struct wire_request *r;
	__u32 events;

	if (!feed || !c || c->role == ROLE_OTHER ||
	    (c->role == ROLE_OUTBOUND && c->in.kind == HTTP_KIND_RESPONSE))
		return 0;
	p = sent ? &c->out : &c->in;
	if (!feed_fill(s, c, p, &feed->chunk))
		return 0;
	f = inflight_find(sent ? connection_oldest(c) : c->receiving ? connection_newest(c) : 0);
	r = f ? &f->r : &feed->nobody;
	r->head.tgid = s->tgid;
	events = http_run(p, r, &feed->chunk);
	if (sent)
		outbound_events(s, c, r, events);
	else
		inbound_events(s, c, r, &feed->chunk, events);
	return 1;
}

/* The `s->left` bytes at `s->at` in the current process went through the connection s->key. */
__noinline int feed_all(__u32 sent, __u32 which)
{
	struct feed *feed = bpf_map_lookup_elem(&feeds, &which);
	struct server *s = server_here();
	struct connection *c;

	if (!feed || !s)
		return 0;
	feed->chunk.at = feed->chunk.n = 0;
	for (int i = 0; i < FEED_STEPS; i++)
		if (!feed_run(sent, which))
			return 0;
	c = connection_find(&s->key);
	if (c)
		inbound_garbled(c);
	return 0;
}

#endif
