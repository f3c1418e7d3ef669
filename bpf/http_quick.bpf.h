/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A head that lies whole in one piece of memory, as most do, gone through once: what is
 * told of it is what http_run() would tell.  Anything unusual is left to that, as are
 * requests of which fields are wanted.
 *
 *	if (!http_quick_may(p) ||		q->data, q->n filled before
 *	    !http_quick_first(p, q))
 *		no;
 *	while ((next = http_quick_next(q)) == HTTP_QUICK_LINE)
 *		if (!http_quick_line(p, q))
 *			no;
 *	if (next != HTTP_QUICK_HEAD)
 *		no;
 *	http_quick_begin(p);			HTTP_BEGIN
 *	events = http_quick_take(p, request, q);
 *	...what is behind q->head bytes is for http_run()
 *
 * where `no` leaves all to http_run().
 */
#ifndef PYCOST_HTTP_QUICK_BPF_H
#define PYCOST_HTTP_QUICK_BPF_H

#include "bpf/http_body.bpf.h"

#define HTTP_QUICK 2048 /* a power of 2 */
#define HTTP_QUICK_LEAST 16
#define HTTP_QUICK_QUERY 512 /* a longer one is not for here */

/* In map memory. */
struct http_quick {
	__u32 n;    /* of `data`, filled by the includer */
	__u32 head; /* of these, the head's */
	__u32 method_length, path_at, path_length;
	/* How far it is known.  In memory, and forgotten: the verifier need not follow each. */
	volatile __u32 met;
	__u16 status, flags; /* HTTP_* */
	__u64 length;	     /* of the body */
	char data[HTTP_QUICK + 32]; /* of which nothing behind n counts */
};

/* The word at a place, which may be behind the end: nothing is found there. */
static __always_inline __u64 http_quick_at(const struct http_quick *q, __u32 at)
{
	return http_load(&q->data[(__u64)at & (HTTP_QUICK - 1)]);
}

static __always_inline int http_quick_may(const struct http_parser *p)
{
	return p->state == HTTP_START && !p->skip && !p->matched &&
	       (p->kind == HTTP_KIND_RESPONSE ||
		((p->kind == HTTP_KIND_REQUEST || p->kind == HTTP_KIND_DETECT) && !p->wants));
}

/* A number of less than eight digits, and the end of its line. */
static __always_inline int http_quick_length(struct http_quick *q, __u32 at)
{
	__u64 word = http_quick_at(q, at);
	__u32 digits = http_first(~http_between(word, '0', '9') & HTTP_HIGHS);

	if (!digits || digits > 7 || (word >> 8 * (digits & 7) & 0xff) != '\r' ||
	    q->flags & HTTP_HAS_LENGTH)
		return 0;
	/* The last digit in the highest byte, zeros in front: then by two, four and all. */
	word = word << (64 - 8 * digits) & 0x0f * HTTP_ONES;
	word = word * 10 + (word >> 8);
	q->length = ((word & 0xff000000ff) * (100 + (1000000ull << 32)) +
		     (word >> 16 & 0xff000000ff) * (1 + (10000ull << 32))) >> 32;
	q->flags |= HTTP_HAS_LENGTH;
	return 1;
}

static __always_inline int http_quick_connection(struct http_quick *q, __u32 at)
{
	__u64 word = http_lower(http_quick_at(q, at));

	if ((word & http_mask(6)) == HTTP_WORD('c', 'l', 'o', 's', 'e', '\r', 0, 0))
		q->flags |= HTTP_CLOSES;
	else if (word == HTTP_WORD('k', 'e', 'e', 'p', '-', 'a', 'l', 'i') &&
		 (http_lower(http_quick_at(q, at + 8)) & http_mask(3)) ==
			 HTTP_WORD('v', 'e', '\r', 0, 0, 0, 0, 0))
		q->flags |= HTTP_STAYS;
	else
		return 0;
	return 1;
}

/* The line at q->met.  0: it is not for here. */
static __always_inline int http_quick_line(const struct http_parser *p, struct http_quick *q)
{
	__u32 at = q->met;
	__u64 word = http_lower(http_quick_at(q, at)), next = http_lower(http_quick_at(q, at + 8));

	if (word == HTTP_WORD('c', 'o', 'n', 't', 'e', 'n', 't', '-')) {
		if (next == HTTP_WORD('l', 'e', 'n', 'g', 't', 'h', ':', ' '))
			return http_quick_length(q, at + 16);
		return (next & http_mask(6)) != HTTP_WORD('l', 'e', 'n', 'g', 't', 'h', 0, 0);
	}
	if (word == HTTP_WORD('c', 'o', 'n', 'n', 'e', 'c', 't', 'i') &&
	    p->kind != HTTP_KIND_RESPONSE)
		return (next & http_mask(4)) == HTTP_WORD('o', 'n', ':', ' ', 0, 0, 0, 0) &&
		       http_quick_connection(q, at + 12);
	return word != HTTP_WORD('t', 'r', 'a', 'n', 's', 'f', 'e', 'r');
}

/* Words and ends of lines that are looked at. */
#define HTTP_QUICK_STEPS (HTTP_QUICK / 8 + 64)
#define HTTP_QUICK_LINES 8 /* of a head, that may be of interest */

enum http_quick_next {
	HTTP_QUICK_NOT, /* this head is not for here */
	HTTP_QUICK_HEAD, /* the whole of it is there: q->head */
	HTTP_QUICK_LINE, /* http_quick_line() is to look at this one */
};

/* Goes on from q->met, which is 0 at first, to a line that may be of interest, or the end. */
static __always_inline int http_quick_next(struct http_quick *q)
{
	for (__u32 i = 0; i < HTTP_QUICK_STEPS; i++) {
		__u32 at = q->met, four;
		__u64 ends = http_hits(http_quick_at(q, at), '\n'), word;

		if (at >= q->n)
			return HTTP_QUICK_NOT;
		q->met = at + http_first(ends) + (ends != 0);
		if (!ends)
			continue;
		at = q->met;
		word = http_lower(http_quick_at(q, at));
		if ((word & 0xff) == '\n' || (word & 0xffff) == ('\r' | '\n' << 8)) {
			q->head = at + 1 + ((word & 0xff) == '\r');
			return q->head <= q->n ? HTTP_QUICK_HEAD : HTTP_QUICK_NOT;
		}
		if ((word & 0xff) == '\r')
			return HTTP_QUICK_NOT;
		four = word;
		if (four == (__u32)HTTP_WORD('c', 'o', 'n', 't', 0, 0, 0, 0) ||
		    four == (__u32)HTTP_WORD('c', 'o', 'n', 'n', 0, 0, 0, 0) ||
		    four == (__u32)HTTP_WORD('t', 'r', 'a', 'n', 0, 0, 0, 0))
			return HTTP_QUICK_LINE;
	}
	return HTTP_QUICK_NOT;
}

/* Goes on from q->met to the first of these bytes.  0: it is not within `most`. */
static __always_inline int http_quick_meet(struct http_quick *q, __u32 most, __u32 delimiters)
{
	for (__u32 i = 0; i < most; i += 8) {
		__u32 at = q->met;
		__u64 word = http_quick_at(q, at);
		__u64 hits = http_ends(word, delimiters);

		if (at >= q->n)
			return 0;
		q->met = at + http_first(hits);
		if (hits)
			return 1;
	}
	return 0;
}

/* "GET /path?query HTTP/1.1" */
static __always_inline int http_quick_request(struct http_quick *q)
{
	__u64 word = http_load(q->data);
	__u32 length = http_first(http_hits(word, ' ')), at = length + 1;
	__u64 letters = HTTP_HIGHS & http_mask(length);

	if (!length || length > 7 || (http_between(word, 'A', 'Z') & letters) != letters ||
	    (http_quick_at(q, at) & 0xff) != '/')
		return 0;
	q->method_length = length;
	q->path_at = at;
	q->met = at;
	if (!http_quick_meet(q, WIRE_PATH_MAX, HTTP_DELIMITERS('?', '#', ' ', '\n')))
		return 0;
	q->path_length = q->met - q->path_at;
	word = http_quick_at(q, q->met) & 0xff;
	if ((word == '?' || word == '#') &&
	    !http_quick_meet(q, HTTP_QUICK_QUERY, HTTP_DELIMITERS(' ', '\n', ' ', '\n')))
		return 0;
	at = q->met;
	word = http_quick_at(q, at + 1);
	if ((http_quick_at(q, at) & 0xff) != ' ' || !http_is_version(word) ||
	    (http_quick_at(q, at + 9) & 0xffff) != ('\r' | '\n' << 8))
		return 0;
	if (word >> 56 == '0')
		q->flags |= HTTP_IS_OLD;
	return 1;
}

/* "HTTP/1.1 200 OK" */
static __always_inline int http_quick_response(struct http_quick *q)
{
	__u64 code = http_load(q->data + 8);
	int status = http_code(code);

	if (!http_is_version(http_load(q->data)) || status < 200 ||
	    ((code >> 32 & 0xff) != ' ' && (code >> 32 & 0xff) != '\r'))
		return 0;
	q->status = status;
	return 1;
}

/* The first line.  Not 0: it is sound. */
static __always_inline int http_quick_first(const struct http_parser *p, struct http_quick *q)
{
	q->flags = 0;
	q->length = 0;
	if (q->n < HTTP_QUICK_LEAST ||
	    !(p->kind == HTTP_KIND_RESPONSE ? http_quick_response(q) : http_quick_request(q)))
		return 0;
	q->met = 0;
	return 1;
}

static __always_inline void http_quick_begin(struct http_parser *p)
{
	http_open(p, p->kind == HTTP_KIND_DETECT ? HTTP_KIND_REQUEST : p->kind);
}

/* After HTTP_BEGIN: all other events of the head. */
static __always_inline __u32 http_quick_take(struct http_parser *p, struct wire_request *r,
					     const struct http_quick *q)
{
	p->events = HTTP_LINE;
	p->flags |= q->flags | HTTP_HAS_LINE;
	p->length = q->length;
	if (p->kind == HTTP_KIND_RESPONSE) {
		p->status = q->status;
	} else {
		http_store(r->method, http_load(q->data) & http_mask(q->method_length));
		r->method_length = q->method_length;
		r->path_length = q->path_length;
		for (__u32 i = 0; i < WIRE_PATH_MAX && i < q->path_length; i += 8)
			http_store(r->path + i, http_quick_at(q, q->path_at + i) &
							http_mask(q->path_length - i));
	}
	http_end_head(p);
	return p->events;
}

#endif
