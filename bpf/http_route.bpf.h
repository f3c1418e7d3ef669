/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The route of a request: its path with '*' for each segment that seems to vary.
 *
 * A segment is kept if it has nothing but ASCII letters, '_', '.' and '-', and at most
 * one digit, as its last byte and behind a letter ("v1", "oauth2").  But it is '*' if it
 * is longer than HTTP_SEGMENT_MAX, or has eight or more letters of which each is a
 * hexadecimal digit.  Empty segments and the slash at the end stay.  What is from a ';'
 * on in a segment is left out.  So 'GET /v1/users/1234/;a=b' has the route "/v1/users/'*'/"
 * (without the quotes).
 *
 * The last segment of a path that fills all of WIRE_PATH_MAX may have been longer, and is
 * '*'.  What does not fit into WIRE_ROUTE_MAX, or comes behind HTTP_ROUTE_STEPS, is left
 * out from the beginning of its segment on.  A request without a path has the route "/".
 */
#ifndef PYCOST_HTTP_ROUTE_BPF_H
#define PYCOST_HTTP_ROUTE_BPF_H

#include "bpf/http_scan.bpf.h"

#define HTTP_SEGMENT_MAX 32
#define HTTP_SEGMENT_HEX 8

/* Words and ends of segments that are looked at. */
#define HTTP_ROUTE_STEPS 48

/*
 * A number that the verifier knows nothing of any more: where two ways meet, it need not
 * follow both.
 */
static __always_inline __u32 http_forget(struct http_chunk *c, __u32 number)
{
	*(volatile __u32 *)&c->forgotten = number;
	return *(volatile __u32 *)&c->forgotten;
}

/* Beyond the room it is only counted. */
static __always_inline void http_route_put(struct wire_request *r, struct http_chunk *c, __u64 word,
					   __u32 count)
{
	__u64 used = c->route_at;
	__u64 at = http_forget(c, used <= WIRE_ROUTE_MAX - 8 ? used : WIRE_ROUTE_MAX - 8);
	__u64 held = used - at;

	c->route_at = used + count;
	asm volatile("" : "+r"(at));
	if (held < 8 && at <= WIRE_ROUTE_MAX - 8)
		http_put(r->route + at, word, held);
}

static __always_inline void http_route_put_byte(struct wire_request *r, struct http_chunk *c,
						char byte)
{
	__u64 at = c->route_at;

	c->route_at = at + 1;
	asm volatile("" : "+r"(at));
	if (at < WIRE_ROUTE_MAX)
		r->route[at] = byte;
}

static __always_inline void http_segment_begin(struct http_chunk *c)
{
	c->segment_at = c->route_at;
	c->segment_length = 0;
	c->varies = c->worded = c->letter = c->digit = 0;
	c->delimiter = 0;
}

static __always_inline __u64 http_shift(__u64 marks, __u64 carry)
{
	return marks << 8 | carry;
}

/* `count` bytes of it; without branches, as each costs the verifier dear in a loop. */
static __always_inline void http_segment_add(struct wire_request *r, struct http_chunk *c,
					     __u64 word, __u32 count)
{
	__u64 lower = word | 0x20 * HTTP_ONES, bytes = HTTP_HIGHS & http_mask(count);
	__u64 letters = http_between(lower, 'a', 'z'), digits = http_between(word, '0', '9');
	__u64 marks = http_between(word, '-', '.') | http_between(word, '_', '_');
	__u32 last = 8 * ((count - 1) & 7);

	c->varies |= bytes & (~(letters | digits | marks) | http_shift(digits, c->digit) |
			      (digits & ~http_shift(letters, c->letter)));
	c->worded |= (letters & ~http_between(lower, 'a', 'f')) | marks;
	c->letter = letters >> last & 0x80;
	c->digit = digits >> last & 0x80;
	c->segment_length += count;
	http_route_put(r, c, word, count);
}

/* 0: it does not fit, and ends the route. */
static __always_inline int http_segment_end(struct wire_request *r, struct http_chunk *c, int cut)
{
	__u32 length = c->segment_length;

	if (c->varies || length > HTTP_SEGMENT_MAX || cut ||
	    (length >= HTTP_SEGMENT_HEX && !c->worded)) {
		c->route_at = c->segment_at;
		http_route_put_byte(r, c, '*');
	}
	if (c->route_at <= WIRE_ROUTE_MAX)
		return 1;
	c->route_at = c->segment_at;
	return 0;
}

/* 0: that was all. */
static __always_inline int http_route_step(struct wire_request *r, struct http_chunk *c)
{
	__u64 at = c->path_at, word;
	__u32 left = r->path_length - at, first, count = left < 8 ? left : 8;

	asm volatile("" : "+r"(at));
	if (at >= WIRE_PATH_MAX || !left)
		return http_segment_end(r, c, at >= WIRE_PATH_MAX) & 0;
	word = http_load(r->path + at);
	first = http_first(http_hits(word, '/') | http_hits(word, http_forget(c, c->delimiter ? '/' : ';')));
	left = http_forget(c, count);
	count = http_forget(c, first < left ? first : left);
	if (!c->delimiter && count)
		http_segment_add(r, c, word & http_mask(count), count);
	c->path_at = at + count;
	if (count == left)
		return 1;
	c->path_at = at + count + 1;
	c->delimiter = word >> 8 * (count & 7) & 0xff;
	if (c->delimiter == ';')
		return 1;
	if (!http_segment_end(r, c, 0) || c->route_at >= WIRE_ROUTE_MAX)
		return 0;
	http_route_put_byte(r, c, '/');
	http_segment_begin(c);
	return 1;
}

static __always_inline void http_route_begin(struct http_chunk *c)
{
	c->path_at = c->route_at = 0;
	http_segment_begin(c);
}

/* more: it was given up in the middle. */
static __always_inline void http_route_end(struct wire_request *r, struct http_chunk *c, int more)
{
	__u32 length;

	if (more)
		c->route_at = c->segment_at;
	if (!r->path_length)
		http_route_put_byte(r, c, '/');
	length = c->route_at;
	r->route_length = length;
	for (__u32 i = 0; i < WIRE_ROUTE_MAX; i += 8)
		http_store(r->route + i, http_load(r->route + i) &
						 (length > i ? http_mask(length - i) : 0));
}

/* From path to route, at HTTP_LINE.  `c` lends some room; its bytes are not touched. */
static __always_inline void http_route(struct wire_request *r, struct http_chunk *c)
{
	int more = 1;

	http_route_begin(c);
	for (int i = 0; i < HTTP_ROUTE_STEPS && more; i++)
		more = http_route_step(r, c);
	http_route_end(r, c, more);
}

/* ---- which requests are alike ---- */

static __always_inline __u64 http_mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

/* Of the words from `at` on, `length` bytes. */
static __always_inline __u64 http_hash(__u64 hash, const char *at, int length, int words)
{
	/* Negative: it is absent. */
	for (int i = 0; i < words && 8 * i < length; i++)
		hash = http_mix(hash, http_load(at + 8 * i) & http_mask(length - 8 * i));
	return http_mix(hash, length);
}

/*
 * A request's class: of its method, its route or the name that a mark has put there, and
 * of the fields that split.  Never 0 nor WIRE_CLASS_OTHER.  Whoever writes a route
 * elsewhere need not fill it up.
 */
static __noinline __attribute__((unused)) __u64 http_class(const struct wire_request *r, __u64 seed)
{
	__u64 hash = http_mix(seed, r->flags & WIRE_REQUEST_MARKED);

	hash = http_hash(hash, r->method, r->method_length, WIRE_METHOD_MAX / 8);
	hash = http_hash(hash, r->route, r->route_length, WIRE_ROUTE_MAX / 8);
	for (int i = 0; i < WIRE_FIELDS; i++)
		if (request_fields[i].split)
			hash = http_hash(hash, r->fields[i],
					 (__s16)r->field_lengths[i], WIRE_FIELD_MAX / 8);
	hash = http_mix(hash, 0);
	return hash > WIRE_CLASS_OTHER ? hash : hash + 2;
}

#endif
