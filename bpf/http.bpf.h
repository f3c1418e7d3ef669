/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one direction of a connection carries: HTTP/1.x requests, responses to them, or
 * uwsgi packets; told apart, one by one, as they are read piece by piece.
 *
 * Use, for each direction:
 *
 *	http_begin(p, HTTP_KIND_DETECT);	once
 *
 *	while (there are bytes)
 *		if (http_skip(p, bytes))	these need not be read; if all: no chunk
 *			...
 *		copy up to HTTP_CHUNK bytes to c->data; c->at = 0; c->n = how many;
 *		do
 *			events = http_run(p, request, c);
 *		while (events & HTTP_AGAIN);	bounded: at most HTTP_CHUNK times a chunk
 *
 * http_run() returns after HTTP_BEGIN, HTTP_END, HTTP_INTERIM, HTTP_ERROR, HTTP_TLS and
 * HTTP_UPGRADED (each the last thing of a run, and p->kind is known by then), when the
 * chunk is through, and after HTTP_STEPS.  Bits for what was met before come with these: a GET
 * in one chunk is HTTP_BEGIN, then HTTP_LINE | HTTP_HEAD | HTTP_END.
 *
 * At HTTP_BEGIN the includer gets a struct wire_request of zeros ready by http_clear(),
 * and hands it in from then on until HTTP_END.  It is never 0: there may be one for
 * nothing at all.  method, path and fields are written as they come, but valid only from HTTP_LINE
 * and HTTP_HEAD on; with HTTP_LINE, http_route() is to be called.  Without HTTP_LINE
 * there was no request: what began is forgotten.  Of a response nothing is written;
 * p->status is valid from HTTP_LINE on.  With HTTP_BEGIN of a response to a HEAD,
 * p->flags |= HTTP_NO_BODY tells that it will have none.  HTTP_INTERIM ends a response,
 * too, and what answers the request then begins with a HTTP_BEGIN of its own.
 *
 * Where the end of the connection is the end of a message, http_close() tells.
 *
 * After HTTP_ERROR, HTTP_TLS and HTTP_UPGRADED, and after a request that is the last of
 * its connection, p->skip is HTTP_SKIP_ALL: nothing is read any more.
 *
 * This header is also compiled for the host.  `request_fields` is to be defined by the
 * includer before; in BPF as constants.  All state is in map memory; http_run() is one
 * flat loop over words and transitions, and each of its HTTP_STEPS takes some 7,000
 * instructions of the verifier's budget, each time that it is inlined: so let a global
 * function have the only one.  http_route() and http_class() take 40,000 each.
 */
#ifndef PYCOST_HTTP_BPF_H
#define PYCOST_HTTP_BPF_H

#include "bpf/http_head.bpf.h"
#include "bpf/http_body.bpf.h"
#include "bpf/http_quick.bpf.h"
#include "bpf/http_uwsgi.bpf.h"
#include "bpf/http_route.bpf.h"

#define HTTP_STEPS 8 /* of a run, at most: the verifier goes through each */

/* No head is longer; servers give up earlier. */
#define HTTP_HEAD_MAX (1u << 20)

#define HTTP_STOPS                                                                                 \
	(HTTP_BEGIN | HTTP_END | HTTP_INTERIM | HTTP_UPGRADED | HTTP_TLS | HTTP_ERROR)

static __always_inline void http_begin(struct http_parser *p, __u8 kind)
{
	__builtin_memset(p, 0, sizeof(*p));
	p->kind = kind;
	p->letters = http_letters(kind != HTTP_KIND_RESPONSE);
	p->wants = http_wanted();
	p->need = HTTP_NO_END;
	http_look(p, HTTP_START);
	if (kind == HTTP_KIND_NONE || kind == HTTP_KIND_TLS)
		http_stop(p);
}

/* Before a request is written to: its bytes are 0. */
static __always_inline void http_clear(struct wire_request *r)
{
	for (int i = 0; i < WIRE_FIELDS; i++)
		r->field_lengths[i] = WIRE_FIELD_ABSENT;
}

/*
 * How many of the next `bytes` are passed over unseen.  Where p->skip is 0 after that,
 * http_run() has to be called even if there are no more bytes: a message may have ended.
 */
static __always_inline __u64 http_skip(struct http_parser *p, __u64 bytes)
{
	__u64 skip = p->skip;

	if (skip == HTTP_SKIP_ALL)
		return bytes;
	if (bytes > skip)
		bytes = skip;
	p->skip = skip - bytes;
	return bytes;
}

/* The other side has closed: HTTP_END, if that is how this message ends; or 0. */
static __always_inline __u32 http_close(struct http_parser *p)
{
	__u32 ends = p->state == HTTP_BODY && p->skip == HTTP_SKIP_ALL;

	http_stop(p);
	return ends ? HTTP_END : 0;
}

/* ---- the first bytes ---- */

/* A message begins with the byte that was left. */
static __always_inline void http_start_message(struct http_parser *p, __u8 kind)
{
	http_open(p, kind);
	if (kind == HTTP_KIND_UWSGI) {
		p->left = 4;
		http_look(p, HTTP_PACKET);
	} else if (kind == HTTP_KIND_REQUEST) {
		http_take(p, HTTP_METHOD, HTTP_DELIMITERS(' ', '\n', '\r', '\0'),
			  HTTP_OFFSET(method), WIRE_METHOD_MAX);
	} else {
		http_take_text(p, HTTP_STATUS, HTTP_DELIMITERS('\r', '\n', '\r', '\n'));
	}
}

static __always_inline void http_on_start(struct http_parser *p, struct http_chunk *c, int d)
{
	__u8 kind = p->kind;

	/* Servers let empty lines come before a request. */
	if ((d == '\r' || d == '\n') && kind != HTTP_KIND_UWSGI)
		return;
	p->matched = 0;
	if (kind == HTTP_KIND_DETECT && (d == 0x16 || d == 0x17)) {
		http_look(p, HTTP_RECORD);
		return;
	}
	if (kind == HTTP_KIND_DETECT && !d)
		kind = HTTP_KIND_UWSGI;
	else if (kind == HTTP_KIND_DETECT && d >= 'A' && d <= 'Z')
		kind = d == 'H' ? HTTP_KIND_DETECT : HTTP_KIND_REQUEST;
	else if (kind == HTTP_KIND_DETECT) {
		http_fail(p);
		return;
	}
	http_leave(p, c);
	if (kind == HTTP_KIND_DETECT)
		http_look(p, HTTP_PREFIX);
	else
		http_start_message(p, kind);
}

/* "HTTP/" begins a response, "HEAD" a request: what is met of it is known without it. */
static __always_inline void http_on_prefix(struct http_parser *p, struct http_chunk *c, int d)
{
	__u32 n = p->matched & 7;

	if (n < 4 && d == (int)(HTTP_WORD('H', 'T', 'T', 'P', 0, 0, 0, 0) >> 8 * n & 0xff)) {
		p->matched = n + 1;
		return;
	}
	http_leave(p, c);
	http_start_message(p, n == 4 && d == '/' ? HTTP_KIND_RESPONSE : HTTP_KIND_REQUEST);
}

/* What http_on_prefix() has swallowed comes first, now that there is where to. */
static __always_inline void http_restore(struct http_parser *p, struct wire_request *r)
{
	__u32 n = p->matched;

	p->matched = 0;
	http_keep(p, r, HTTP_WORD('H', 'T', 'T', 'P', 0, 0, 0, 0) & http_mask(n), n);
}

/* A TLS record, of the handshake (22) or what comes after it (23); then version 3.x. */
static __always_inline void http_on_record(struct http_parser *p, int d)
{
	if (d != 3) {
		http_fail(p);
		return;
	}
	p->kind = HTTP_KIND_TLS;
	p->events |= HTTP_TLS;
	http_stop(p);
}

/* ---- all together ---- */

static __noinline void http_on_line(struct http_parser *p, struct wire_request *r,
				    struct http_chunk *c, int d)
{
	switch (p->state) {
	case HTTP_METHOD:
		http_on_method(p, r, d);
		break;
	case HTTP_TARGET:
		http_on_target(p, r, c, d);
		break;
	case HTTP_SCHEME: /* "http:" */
		if (d == ':')
			http_look(p, HTTP_SLASHES);
		else
			http_fail(p);
		break;
	case HTTP_SLASHES:
		p->number = d == '/' ? p->number + 1 : 0;
		if (d != '/')
			http_fail(p);
		else if (p->number == 2)
			http_pass(p, HTTP_AUTHORITY, HTTP_DELIMITERS('/', '?', ' ', '\n'));
		break;
	case HTTP_AUTHORITY:
		http_on_authority(p, c, d);
		break;
	case HTTP_PATH:
		http_on_path(p, r, d);
		break;
	case HTTP_QUERY:
		http_end_target(p, d);
		break;
	case HTTP_ARGUMENT:
		http_on_argument(p, d);
		break;
	case HTTP_VERSION:
		http_on_version(p, d);
		break;
	case HTTP_STATUS:
		http_on_status(p, d);
	}
}

static __noinline void http_on_headers(struct http_parser *p, struct http_chunk *c, int d)
{
	switch (p->state) {
	case HTTP_LINE_START:
		http_on_line_start(p, c, d);
		break;
	case HTTP_HEAD_END:
		http_on_head_end(p, d);
		break;
	case HTTP_HEADER:
		http_on_header(p, d);
		break;
	case HTTP_VALUE_START:
		http_on_value_start(p, c, d);
		break;
	case HTTP_NUMBER:
		http_on_number(p, d);
		break;
	case HTTP_TOKEN_START:
		http_on_token_start(p, c, d);
		break;
	case HTTP_TOKEN:
		http_on_token(p, d);
		break;
	case HTTP_COOKIE_START:
		http_on_cookie_start(p, c, d);
		break;
	case HTTP_COOKIE:
		http_on_cookie(p, d);
		break;
	case HTTP_REST:
		http_look(p, HTTP_LINE_START);
	}
}

/* The scan that `state` is has ended with `d`. */
static __always_inline void http_on(struct http_parser *p, struct wire_request *r,
				    struct http_chunk *c, int d)
{
	__u8 state = p->state;

	if (p->head > HTTP_HEAD_MAX)
		http_fail(p);
	else if (state == HTTP_START)
		http_on_start(p, c, d);
	else if (state == HTTP_PREFIX)
		http_on_prefix(p, c, d);
	else if (state == HTTP_RECORD)
		http_on_record(p, d);
	else if (state <= HTTP_STATUS)
		http_on_line(p, r, c, d);
	else if (state <= HTTP_REST)
		http_on_headers(p, c, d);
	else if (state <= HTTP_COOKIE_VALUE)
		http_on_value(p, r, d);
	else if (state <= HTTP_CHUNK_END)
		http_on_body(p, c, d);
	else
		http_on_uwsgi(p, r, d);
}

static __noinline void http_on_names(struct http_parser *p, struct wire_request *r)
{
	if (p->state == HTTP_NAMED)
		http_on_name(p);
	else
		http_on_taken(p, r);
}

/* There is something to do without any byte more. */
static __always_inline int http_is_due(const struct http_parser *p)
{
	return !p->skip && (!p->need || p->state >= HTTP_NAMED);
}

/* 0: the chunk is through. */
static __always_inline int http_step(struct http_parser *p, struct wire_request *r,
				     struct http_chunk *c)
{
	if (c->at >= c->n && !http_is_due(p))
		return 0;
	if (p->state >= HTTP_NAMED) {
		http_on_names(p, r);
		return 1;
	}
	if (p->skip) {
		c->at += http_skip(p, c->n - c->at);
		return 1;
	}
	if (p->matched && p->state != HTTP_PREFIX)
		http_restore(p, r);
	http_scan(p, r, c);
	if (p->met != HTTP_NOT_MET && p->head <= HTTP_HEAD_MAX && http_passes_line(p, c))
		return 1;
	if (p->met != HTTP_NOT_MET)
		http_on(p, r, c, p->met);
	else if (p->head > HTTP_HEAD_MAX ||
		 (p->state == HTTP_METHOD && p->used > WIRE_METHOD_MAX))
		http_fail(p);
	return 1;
}

/* The events; see above. */
static __always_inline __u32 http_run(struct http_parser *p, struct wire_request *r,
				      struct http_chunk *c)
{
	p->events = 0;
	for (int i = 0; i < HTTP_STEPS; i++)
		if (!http_step(p, r, c) || p->events & HTTP_STOPS)
			break;
	return p->events | (c->at < c->n || http_is_due(p) ? HTTP_AGAIN : 0);
}

#endif
