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
 * '*'.  What does not fit into WIRE_ROUTE_MAX is left out from the beginning of its
 * segment on.  A request without a path has the route "/".
 */
#ifndef PYCOST_HTTP_ROUTE_BPF_H
#define PYCOST_HTTP_ROUTE_BPF_H

#include "bpf/http_scan.bpf.h"

#define HTTP_SEGMENT_MAX 32
#define HTTP_SEGMENT_HEX 8

/* http_chunk.segment_flags */
#define HTTP_SEGMENT_VARIES 0x1
#define HTTP_SEGMENT_LETTER 0x2 /* its last byte is a letter */
#define HTTP_SEGMENT_DIGIT 0x4	/* or a digit behind one */
#define HTTP_SEGMENT_WORD 0x8	/* it is not hexadecimal */
#define HTTP_SEGMENT_PARAM 0x10 /* a ';' was met */
#define HTTP_SEGMENT_FULL 0x20	/* it does not fit */

static __always_inline void http_route_put(struct wire_request *r, struct http_chunk *c, char byte)
{
	__u64 at = c->route_at;

	asm volatile("" : "+r"(at));
	if (at < WIRE_ROUTE_MAX) {
		r->route[at] = byte;
		c->route_at = at + 1;
	} else {
		c->segment_flags |= HTTP_SEGMENT_FULL;
	}
}

/* -1: the route ends with what comes before it. */
static __always_inline int http_segment_end(struct wire_request *r, struct http_chunk *c, int cut)
{
	__u32 flags = c->segment_flags, length = c->segment_length;

	if (!length && !cut)
		return 0;
	if (flags & HTTP_SEGMENT_VARIES || length > HTTP_SEGMENT_MAX || cut ||
	    (length >= HTTP_SEGMENT_HEX && !(flags & HTTP_SEGMENT_WORD))) {
		c->route_at = c->segment_at;
		c->segment_flags = 0;
		http_route_put(r, c, '*');
	}
	if (!(c->segment_flags & HTTP_SEGMENT_FULL))
		return 0;
	c->route_at = c->segment_at;
	return -1;
}

static __always_inline void http_segment_byte(struct wire_request *r, struct http_chunk *c, __u8 byte)
{
	__u32 flags = c->segment_flags, letter = (byte | 0x20) - 'a', was = flags;

	if (byte == ';')
		flags |= HTTP_SEGMENT_PARAM;
	c->segment_flags = flags;
	if (flags & HTTP_SEGMENT_PARAM)
		return;
	c->segment_length++;
	flags &= ~HTTP_SEGMENT_LETTER;
	if (was & HTTP_SEGMENT_DIGIT)
		flags |= HTTP_SEGMENT_VARIES;
	else if (letter < 26)
		flags |= letter < 6 ? HTTP_SEGMENT_LETTER : HTTP_SEGMENT_LETTER | HTTP_SEGMENT_WORD;
	else if (byte == '_' || byte == '-' || byte == '.')
		flags |= HTTP_SEGMENT_WORD;
	else if (byte - '0' < 10u && was & HTTP_SEGMENT_LETTER)
		flags |= HTTP_SEGMENT_DIGIT;
	else
		flags |= HTTP_SEGMENT_VARIES;
	c->segment_flags = flags;
	if (!(flags & HTTP_SEGMENT_VARIES) && c->segment_length <= HTTP_SEGMENT_MAX)
		http_route_put(r, c, byte);
}

/* 0: that was all. */
static __always_inline int http_route_step(struct wire_request *r, struct http_chunk *c)
{
	__u64 at = c->path_at;
	__u8 byte;

	asm volatile("" : "+r"(at));
	if (at >= r->path_length || at >= WIRE_PATH_MAX) {
		http_segment_end(r, c, at >= WIRE_PATH_MAX);
		return 0;
	}
	byte = r->path[at];
	c->path_at = at + 1;
	if (byte != '/') {
		http_segment_byte(r, c, byte);
		return 1;
	}
	if (http_segment_end(r, c, 0))
		return 0;
	c->segment_flags = 0;
	c->segment_length = 0;
	c->segment_at = c->route_at;
	http_route_put(r, c, '/');
	if (c->segment_flags & HTTP_SEGMENT_FULL)
		return 0;
	c->segment_at = c->route_at;
	return 1;
}

/* From path to route, at HTTP_LINE.  `c` lends some room; its bytes are not touched. */
static __noinline int http_route(struct wire_request *r, struct http_chunk *c)
{
	__u32 length;

	c->path_at = c->route_at = c->segment_at = 0;
	c->segment_flags = c->segment_length = 0;
	for (int i = 0; i <= WIRE_PATH_MAX; i++)
		if (!http_route_step(r, c))
			break;
	if (!r->path_length)
		http_route_put(r, c, '/');
	length = c->route_at;
	r->route_length = length;
	for (__u32 i = 0; i < WIRE_ROUTE_MAX; i += 8)
		http_store(r->route + i, http_load(r->route + i) &
						 (length > i ? http_mask(length - i) : 0));
	return 0;
}

/* ---- which requests are alike ---- */

static __always_inline __u64 http_mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

/* The bytes of `words` words from `at` on of which `length` count. */
static __always_inline __u64 http_hash(__u64 hash, const char *at, __u32 length, __u32 words)
{
	for (__u32 i = 0; i < words && 8 * i < length; i++)
		hash = http_mix(hash, http_load(at + 8 * i) & http_mask(length - 8 * i));
	return http_mix(hash, length);
}

/*
 * A request's class: of its method, its route or the name that a mark has put there, and
 * of the fields that split.  Never 0 nor WIRE_CLASS_OTHER.  Whoever writes a route
 * elsewhere need not fill it up.
 */
static __noinline __u64 http_class(const struct wire_request *r, __u64 seed)
{
	__u64 hash = http_mix(seed, r->flags & WIRE_REQUEST_MARKED);

	hash = http_hash(hash, r->method, r->method_length, WIRE_METHOD_MAX / 8);
	hash = http_hash(hash, r->route, r->route_length, WIRE_ROUTE_MAX / 8);
	for (int i = 0; i < WIRE_FIELDS; i++)
		if (request_fields[i].split)
			hash = http_hash(hash, r->fields[i],
					 r->field_lengths[i] == WIRE_FIELD_ABSENT
						 ? 0
						 : r->field_lengths[i],
					 WIRE_FIELD_MAX / 8);
	hash = http_mix(hash, 0);
	return hash > WIRE_CLASS_OTHER ? hash : hash + 2;
}

#endif
