/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the end of a head to the end of the message: RFC 9112, 6.3. */
#ifndef PYCOST_HTTP_BODY_BPF_H
#define PYCOST_HTTP_BODY_BPF_H

#include "bpf/http_head.bpf.h"

static __always_inline void http_end_message(struct http_parser *p)
{
	__u32 flags = p->flags;

	p->events |= HTTP_END;
	http_look(p, HTTP_START);
	if (p->kind == HTTP_KIND_RESPONSE)
		return;
	/*
	 * The server answers this one and closes.  Where a request has two lengths
	 * servers do not agree what comes behind it.
	 */
	if (flags & HTTP_CLOSES || (flags & HTTP_IS_OLD && !(flags & HTTP_STAYS)) ||
	    (flags & HTTP_HAS_LENGTH && flags & HTTP_IS_CHUNKED))
		http_stop(p);
}

/* So many bytes are passed over, and behind them is an end. */
static __always_inline void http_begin_skip(struct http_parser *p, __u64 length)
{
	http_look(p, HTTP_BODY);
	p->skip = length;
	p->need = 0;
}

static __always_inline void http_begin_body(struct http_parser *p, __u64 length)
{
	if (length)
		http_begin_skip(p, length);
	else
		http_end_message(p);
}

static __always_inline void http_begin_chunk(struct http_parser *p)
{
	p->number = 0;
	p->head = 0;
	p->flags &= ~HTTP_HAS_DIGITS;
	http_look(p, HTTP_SIZE);
}

static __always_inline void http_begin_answer(struct http_parser *p)
{
	__u32 flags = p->flags;

	if (p->status == 101) {
		p->events |= HTTP_UPGRADED;
		http_stop(p);
	} else if (p->status < 200) {
		p->events |= HTTP_INTERIM;
		http_look(p, HTTP_START);
	} else if (flags & HTTP_NO_BODY || p->status == 204 || p->status == 304) {
		http_end_message(p);
	} else if (flags & HTTP_IS_CHUNKED) {
		http_begin_chunk(p);
	} else if (flags & HTTP_HAS_LENGTH && !(flags & HTTP_IS_CODED)) {
		http_begin_body(p, p->length);
	} else {
		http_begin_body(p, HTTP_SKIP_ALL);
	}
}

static __always_inline void http_end_head(struct http_parser *p)
{
	p->events |= HTTP_HEAD;
	if (p->kind == HTTP_KIND_RESPONSE)
		http_begin_answer(p);
	else if (p->flags & HTTP_IS_CODED)
		http_fail(p);
	else if (p->flags & HTTP_IS_CHUNKED)
		http_begin_chunk(p);
	else
		http_begin_body(p, p->flags & HTTP_HAS_LENGTH ? p->length : 0);
}

/* An empty line. */
static __always_inline void http_on_head_end(struct http_parser *p, int d)
{
	if (d != '\n')
		http_fail(p);
	else if (p->flags & HTTP_IN_TRAILER)
		http_end_message(p);
	else
		http_end_head(p);
}

/* Hexadecimal. */
static __always_inline void http_on_size(struct http_parser *p, struct http_chunk *c, int d)
{
	__u32 digit = d - '0', letter = (d | 0x20) - 'a';

	if (digit > 9)
		digit = letter < 6 ? letter + 10 : 16;
	if (digit < 16) {
		p->number = p->number << 4 | digit;
		p->flags |= HTTP_HAS_DIGITS;
		if (p->number > HTTP_LENGTH_MAX)
			http_fail(p);
	} else if (!(p->flags & HTTP_HAS_DIGITS) ||
		   (d != ';' && d != ' ' && d != '\t' && d != '\r' && d != '\n')) {
		http_fail(p);
	} else {
		http_leave(p, c);
		http_pass(p, HTTP_SIZE_REST, HTTP_LINE_END);
	}
}

/* The line with its size has ended. */
static __always_inline void http_on_chunk(struct http_parser *p)
{
	if (p->number) {
		http_begin_skip(p, p->number);
	} else {
		p->flags |= HTTP_IN_TRAILER;
		http_look(p, HTTP_LINE_START);
	}
}

static __noinline void http_on_body(struct http_parser *p, struct http_chunk *c, int d)
{
	switch (p->state) {
	case HTTP_BODY:
		p->need = HTTP_NO_END;
		if (p->flags & HTTP_IS_CHUNKED)
			http_look(p, HTTP_CHUNK_END);
		else
			http_end_message(p);
		break;
	case HTTP_SIZE:
		http_on_size(p, c, d);
		break;
	case HTTP_SIZE_REST:
		http_on_chunk(p);
		break;
	case HTTP_CHUNK_END:
		if (d == '\n')
			http_begin_chunk(p);
		else if (d != '\r')
			http_fail(p);
	}
}

#endif
