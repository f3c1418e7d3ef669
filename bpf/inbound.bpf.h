/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes through an inbound connection: requests come in, answers go out, in the
 * same order.
 */
#ifndef PYCOST_INBOUND_BPF_H
#define PYCOST_INBOUND_BPF_H

#include "bpf/class.bpf.h"
#include "bpf/connection.bpf.h"

/* Runs of the parser in one call, squared: what is behind is garbled. */
#define FEED_RUNS 128

/*
 * One direction of a connection while it is parsed: its parser is a copy, so that a run
 * of it looks nothing up.
 */
struct feed {
	struct http_parser parser;
	__u64 at;   /* of what comes next, in the process's memory, */
	__u32 left; /* and how much of it there is */
	__u32 pad;
	__u64 request; /* that the parser writes to; 0: `nobody` */
	struct http_chunk chunk;
	struct http_quick quick;
	struct wire_request nobody;
};

/* One for system calls; some for calls of libraries, which may come in between: see tls.bpf.h. */
#define FEED_CALL 0
#define FEED_LIBRARY 1
#define FEED_LIBRARIES 4
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FEED_LIBRARY + FEED_LIBRARIES);
	__type(key, __u32);
	__type(value, struct feed);
} feeds SEC(".maps");

static __always_inline struct wire_request *feed_request(struct feed *feed)
{
	struct wire_request *r = request_find(feed->request);

	return r ? r : &feed->nobody;
}

/* Nothing of it is understood from here on. */
static __always_inline void inbound_garbled(struct connection *c)
{
	c->role = ROLE_OTHER;
	lose(WIRE_LOSS_GARBLED);
}

/* One that is not of the sample: neither it nor its answer is anybody's. */
static __always_inline void inbound_passes(struct server *s, struct connection *c,
					   struct feed *feed)
{
	feed->request = 0;
	c->lined = 1; /* whatever it turns out to be */
	if (c->first == c->end)
		server_own(s, 0);
}

static __always_inline void inbound_begin(struct server *s, struct connection *c, struct feed *feed)
{
	struct wire_request *r;

	if (!watched_takes()) {
		inbound_passes(s, c, feed);
		return;
	}
	if (c->end - c->first >= PIPELINE) {
		inbound_garbled(c);
		return;
	}
	r = request_open(feed->parser.kind == HTTP_KIND_UWSGI ? WIRE_PROTOCOL_UWSGI
							      : WIRE_PROTOCOL_HTTP,
			 s->parsed_ns);
	if (r)
		http_clear(r);
	if (r && c->tls)
		r->flags |= WIRE_REQUEST_TLS;
	/* Without a row its answer still has its place. */
	feed->request = r ? r->id : 0;
	c->queue[c->end & (PIPELINE - 1)] = feed->request;
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

/* By itself: the verifier goes through it once, however often it is called. */
__noinline int route_step(__u32 which)
{
	struct feed *feed = bpf_map_lookup_elem(&feeds, &which);

	return feed ? http_route_step(feed_request(feed), &feed->chunk) : 0;
}

/* As http_route(). */
static __always_inline void feed_route(struct feed *feed, __u32 which)
{
	int more = 1;

	http_route_begin(&feed->chunk);
	for (int i = 0; i < HTTP_ROUTE_STEPS && more; i++)
		more = route_step(which);
	http_route_end(feed_request(feed), &feed->chunk, more);
}

/* It was no request, or is none any more. */
static __always_inline void inbound_error(struct connection *c)
{
	if (c->receiving && !c->lined)
		inbound_undo(c);
	c->receiving = 0;
	if (c->role == ROLE_INBOUND)
		lose(WIRE_LOSS_GARBLED);
	else
		c->role = ROLE_OUTBOUND;
}

/* What the parser met while something was received. */
static __always_inline void inbound_events(struct server *s, struct connection *c,
					   struct feed *feed, __u32 which, __u32 events)
{
	if (events & HTTP_BEGIN) {
		c->receiving = 1;
		if (feed->parser.kind == HTTP_KIND_RESPONSE)
			c->role = ROLE_OUTBOUND;
		else
			inbound_begin(s, c, feed);
		return;
	}
	if (events & HTTP_LINE) {
		c->lined = 1;
		c->guessed = 0;
		c->role = ROLE_INBOUND;
		feed_route(feed, which);
	}
	if (events & HTTP_HEAD)
		request_class(feed->request);
	if (events & HTTP_TLS)
		c->tls = 1;
	if (events & HTTP_END)
		c->receiving = 0;
	if (events & HTTP_ERROR)
		inbound_error(c);
}

/* The oldest request has its answer, or never will. */
__noinline int inbound_answered(__u32 flags)
{
	struct server *s = server_here();
	struct connection *c = s ? connection_of(s) : 0;
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
					    struct feed *feed, __u32 events)
{
	struct wire_request *r = feed_request(feed);

	if (events & HTTP_BEGIN) {
		if (!r->head_ns)
			r->head_ns = s->parsed_ns - r->begin;
		if (r->method_length == 4 &&
		    (__u32)http_load(r->method) == (__u32)HTTP_WORD('H', 'E', 'A', 'D', 0, 0, 0, 0))
			feed->parser.flags |= HTTP_NO_BODY;
		return;
	}
	if (events & HTTP_LINE && feed->parser.status >= 200)
		r->status = feed->parser.status;
	if (events & HTTP_INTERIM)
		r->head_ns = 0;
	if (events & HTTP_UPGRADED) {
		r->status = feed->parser.status;
		c->role = ROLE_OTHER;
		inbound_answered(WIRE_REQUEST_UPGRADED);
	} else if (events & HTTP_END) {
		inbound_answered(0);
		feed->request = connection_oldest(c);
		/* The next is there already: it is worked for from here on. */
		if (feed->request)
			server_own(s, feed->request);
	}
	if (events & HTTP_ERROR)
		inbound_garbled(c);
}

/* 0: what comes is not parsed any more. */
__noinline int feed_events(__u32 sent, __u32 which, __u32 events)
{
	struct feed *feed = bpf_map_lookup_elem(&feeds, &which);
	struct server *s = server_here();
	struct connection *c = s ? connection_of(s) : 0;

	if (!feed || !c)
		return 0;
	if (sent)
		outbound_events(s, c, feed, events);
	else
		inbound_events(s, c, feed, which, events);
	return c->role != ROLE_OTHER &&
	       !(c->role == ROLE_OUTBOUND && feed->parser.kind == HTTP_KIND_RESPONSE);
}

/* Fills the chunk when it is through: 0; 1: nothing is left; < 0: it cannot be read. */
static __always_inline int feed_fill(struct feed *feed)
{
	struct http_parser *p = &feed->parser;
	struct http_chunk *chunk = &feed->chunk;
	__u32 skip, n;

	if (chunk->at < chunk->n)
		return 0;
	chunk->at = chunk->n = 0;
	skip = http_skip(p, feed->left);
	feed->at += skip;
	feed->left -= skip;
	n = feed->left < HTTP_CHUNK ? feed->left : HTTP_CHUNK;
	if (!n)
		return !http_is_due(p);
	asm volatile("" : "+r"(n));
	if (n > HTTP_CHUNK || bpf_probe_read_user(chunk->data, n, (void *)feed->at))
		return -1;
	chunk->n = n;
	feed->at += n;
	feed->left -= n;
	return 0;
}

#define FEED_THROUGH (-1) /* there is no more */
#define FEED_UNREAD (-2)

/* One run of the parser: its events, and HTTP_AGAIN when there is more; or one of these. */
__noinline int feed_run(__u32 which)
{
	struct feed *feed = bpf_map_lookup_elem(&feeds, &which);
	__u32 events;
	int err;

	if (!feed)
		return FEED_THROUGH;
	err = feed_fill(feed);
	if (err)
		return err < 0 ? FEED_UNREAD : FEED_THROUGH;
	events = http_run(&feed->parser, feed_request(feed), &feed->chunk);
	return feed->left ? events | HTTP_AGAIN : events;
}

/* Some of it.  0: it is through; 1: there is more; < 0: it cannot be parsed. */
__noinline int feed_some(__u32 sent, __u32 which)
{
	for (int i = 0; i < FEED_RUNS; i++) {
		int ret = feed_run(which), events = ret & ~HTTP_AGAIN;

		if (ret < 0)
			return ret == FEED_THROUGH ? 0 : -1;
		if (events && !feed_events(sent, which, events))
			return 0;
		if (!(ret & HTTP_AGAIN))
			return 0;
	}
	return 1;
}

static __always_inline int feed_runs(__u32 sent, __u32 which)
{
	int more = 1;

	for (int i = 0; i < FEED_RUNS && more > 0; i++)
		more = feed_some(sent, which);
	return more;
}

__noinline int quick_first(__u32 which)
{
	struct feed *feed = bpf_map_lookup_elem(&feeds, &which);

	return feed ? http_quick_first(&feed->parser, &feed->quick) : 0;
}

__noinline int quick_next(__u32 which)
{
	struct feed *feed = bpf_map_lookup_elem(&feeds, &which);

	return feed ? http_quick_next(&feed->quick) : HTTP_QUICK_NOT;
}

__noinline int quick_line(__u32 which)
{
	struct feed *feed = bpf_map_lookup_elem(&feeds, &which);

	return feed ? http_quick_line(&feed->parser, &feed->quick) : 0;
}

/* Not 0: a whole head is there, with nothing unusual in it. */
static __always_inline int quick_find(__u32 which)
{
	int next = HTTP_QUICK_LINE;

	if (!quick_first(which))
		return 0;
	for (int i = 0; i < HTTP_QUICK_LINES && next == HTTP_QUICK_LINE; i++) {
		next = quick_next(which);
		if (next == HTTP_QUICK_LINE && !quick_line(which))
			return 0;
	}
	return next == HTTP_QUICK_HEAD;
}

__noinline int quick_take(__u32 which)
{
	struct feed *feed = bpf_map_lookup_elem(&feeds, &which);

	return feed ? http_quick_take(&feed->parser, feed_request(feed), &feed->quick) : 0;
}

/* A head that is there as a whole.  0: that was all of it, or what comes is not parsed. */
static __always_inline int feed_quick(struct feed *feed, __u32 sent, __u32 which)
{
	struct http_quick *quick = &feed->quick;
	__u32 n = feed->left < HTTP_QUICK ? feed->left : HTTP_QUICK;

	if (n < HTTP_QUICK_LEAST || !http_quick_may(&feed->parser))
		return 1;
	asm volatile("" : "+r"(n));
	if (n > HTTP_QUICK || bpf_probe_read_user(quick->data, n, (void *)feed->at))
		return 1;
	quick->n = n;
	if (!quick_find(which))
		return 1;
	http_quick_begin(&feed->parser);
	if (!feed_events(sent, which, HTTP_BEGIN))
		return 0;
	feed->at += quick->head;
	feed->left -= quick->head;
	return feed_events(sent, which, quick_take(which)) &&
	       (feed->left || http_is_due(&feed->parser));
}

/* The rest of an answer's body, and nothing else.  0: it is not that. */
static __always_inline int feed_ends(struct feed *feed, __u32 sent, __u32 which)
{
	struct http_parser *p = &feed->parser;

	if (!sent || p->state != HTTP_BODY || p->flags & HTTP_IS_CHUNKED || p->skip != feed->left)
		return 0;
	p->skip = 0;
	p->need = HTTP_NO_END;
	http_end_message(p);
	feed_events(sent, which, HTTP_END);
	return 1;
}

/* By itself, as feed_some(): together they would need too much stack. */
__noinline int feed_first(__u32 sent, __u32 which)
{
	struct feed *feed = bpf_map_lookup_elem(&feeds, &which);

	return feed && !feed_ends(feed, sent, which) && feed_quick(feed, sent, which);
}

/* Of a body whose end is not yet there. */
static __always_inline int feed_skips(struct http_parser *p, __u32 size)
{
	if (p->skip <= size)
		return 0;
	http_skip(p, size);
	return 1;
}

/* `size` bytes at `at` in the current process went through the connection s->key. */
__noinline int feed(__u32 sent, __u32 which, __u64 at, __u32 size)
{
	struct feed *feed = bpf_map_lookup_elem(&feeds, &which);
	struct server *s = server_here();
	struct connection *c = s ? connection_of(s) : 0;

	if (!feed || !c || feed_skips(sent ? &c->out : &c->in, size))
		return 0;
	feed->parser = sent ? c->out : c->in;
	feed->at = at;
	feed->left = size;
	feed->request = sent ? connection_oldest(c) : c->receiving ? connection_newest(c) : 0;
	feed->chunk.at = feed->chunk.n = 0;
	if (feed_first(sent, which) && feed_runs(sent, which))
		inbound_garbled(c);
	if (sent)
		c->out = feed->parser;
	else
		c->in = feed->parser;
	return 0;
}

#endif
