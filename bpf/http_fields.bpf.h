/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which names are wanted: what tells where a message ends, and the fields that the
 * configuration names.  `request_fields` is defined by the includer.  No other value is
 * kept, and those of Authorization and of Cookie as a whole never are.
 *
 * The first of several values counts.  They are kept as they were sent, but for the
 * spaces in front: nothing is decoded.
 */
#ifndef PYCOST_HTTP_FIELDS_BPF_H
#define PYCOST_HTTP_FIELDS_BPF_H

#include "bpf/http_scan.bpf.h"

/* Whose value comes. */
enum http_name {
	HTTP_NAME_NONE,
	HTTP_NAME_LENGTH,
	HTTP_NAME_CODING,
	HTTP_NAME_CONNECTION,
	HTTP_NAME_COOKIE,
	HTTP_NAME_SECRET,
	HTTP_NAME_METHOD, /* uwsgi only, from here on */
	HTTP_NAME_PATH,
	HTTP_NAME_URI,
	HTTP_NAME_QUERY,
	HTTP_NAME_FIELD, /* + index */
};

#define HTTP_OFFSET(member) __builtin_offsetof(struct wire_request, member)
#define HTTP_LETTER(c) (1u << ((c) & 31))

static __always_inline __u64 http_text(const struct http_parser *p, __u32 i)
{
	return http_load(p->text + 8 * i);
}

/* Names are compared as they are; those of headers were lowered before. */
static __always_inline int http_field_is(const struct http_parser *p, __u32 i, __u8 kind)
{
	const volatile struct wire_field *f = &request_fields[i];
	__u64 differ = 0;

	if (f->kind != kind || !f->length || f->length != p->used)
		return 0;
	for (int j = 0; j < WIRE_FIELD_NAME_MAX / 8; j++)
		differ |= http_text(p, j) ^ http_load((const char *)f->name + 8 * j);
	return !differ;
}

/* The field that `text` names, as HTTP_NAME_FIELD + its index, or HTTP_NAME_NONE. */
static __always_inline __u32 http_field(const struct http_parser *p, __u8 kind)
{
	for (int i = 0; i < WIRE_FIELDS; i++)
		if (http_field_is(p, i, kind))
			return HTTP_NAME_FIELD + i;
	return HTTP_NAME_NONE;
}

/* The kinds of fields that are configured: bits. */
static __always_inline __u32 http_wanted(void)
{
	__u32 kinds = 0;

	for (int i = 0; i < WIRE_FIELDS; i++)
		kinds |= 1u << (request_fields[i].kind & 7);
	return kinds & ~(1u << WIRE_FIELD_NONE);
}

static __always_inline int http_wants(const struct http_parser *p, __u8 kind)
{
	return p->wants >> kind & 1;
}

/* The letters that wanted header names begin with. */
static __always_inline __u32 http_letters(int is_request)
{
	__u32 letters = HTTP_LETTER('c') | HTTP_LETTER('t');

	if (!is_request)
		return letters;
	for (int i = 0; i < WIRE_FIELDS; i++)
		if (request_fields[i].kind == WIRE_FIELD_HEADER)
			letters |= HTTP_LETTER(request_fields[i].name[0]);
	return letters;
}

static __always_inline int http_text_is(const struct http_parser *p, __u32 length, __u64 a, __u64 b,
					__u64 c)
{
	return p->used == length && http_text(p, 0) == a && http_text(p, 1) == b &&
	       http_text(p, 2) == c;
}

/* What tells where a message ends, and what only its parts may be known of. */
static __always_inline __u32 http_header(const struct http_parser *p)
{
	if (http_text_is(p, 14, HTTP_WORD('c', 'o', 'n', 't', 'e', 'n', 't', '-'),
			 HTTP_WORD('l', 'e', 'n', 'g', 't', 'h', 0, 0), 0))
		return HTTP_NAME_LENGTH;
	if (http_text_is(p, 17, HTTP_WORD('t', 'r', 'a', 'n', 's', 'f', 'e', 'r'),
			 HTTP_WORD('-', 'e', 'n', 'c', 'o', 'd', 'i', 'n'), 'g'))
		return HTTP_NAME_CODING;
	if (http_text_is(p, 10, HTTP_WORD('c', 'o', 'n', 'n', 'e', 'c', 't', 'i'),
			 HTTP_WORD('o', 'n', 0, 0, 0, 0, 0, 0), 0))
		return HTTP_NAME_CONNECTION;
	if (http_text_is(p, 6, HTTP_WORD('c', 'o', 'o', 'k', 'i', 'e', 0, 0), 0, 0))
		return HTTP_NAME_COOKIE;
	if (http_text_is(p, 13, HTTP_WORD('a', 'u', 't', 'h', 'o', 'r', 'i', 'z'),
			 HTTP_WORD('a', 't', 'i', 'o', 'n', 0, 0, 0), 0) ||
	    http_text_is(p, 19, HTTP_WORD('p', 'r', 'o', 'x', 'y', '-', 'a', 'u'),
			 HTTP_WORD('t', 'h', 'o', 'r', 'i', 'z', 'a', 't'),
			 HTTP_WORD('i', 'o', 'n', 0, 0, 0, 0, 0)))
		return HTTP_NAME_SECRET;
	return HTTP_NAME_NONE;
}

/* What `text` is the name of; headers' names are in any case. */
static __always_inline __u32 http_lookup(struct http_parser *p)
{
	__u32 name = HTTP_NAME_NONE;

	if (p->named == WIRE_FIELD_HEADER) {
		for (int i = 0; i < HTTP_TEXT; i += 8)
			http_store(p->text + i, http_lower(http_load(p->text + i)));
		name = http_header(p);
	}
	if (name != HTTP_NAME_NONE || p->kind == HTTP_KIND_RESPONSE || !http_wants(p, p->named))
		return name;
	return http_field(p, p->named);
}

/* From here on the value of the field that is `name` is kept. */
static __always_inline void http_take_field(struct http_parser *p, struct wire_request *r,
					    __u8 state, __u32 delimiters)
{
	__u64 i = p->name - HTTP_NAME_FIELD;

	asm volatile("" : "+r"(i));
	if (i < WIRE_FIELDS && r->field_lengths[i] == WIRE_FIELD_ABSENT) {
		http_take(p, state, delimiters, HTTP_OFFSET(fields) + WIRE_FIELD_MAX * i,
			  WIRE_FIELD_MAX);
	} else {
		http_pass(p, state, delimiters);
		p->name = HTTP_NAME_NONE;
	}
}

/* How much of `used` there was room for. */
static __always_inline __u32 http_kept(const struct http_parser *p, struct wire_request *r,
				       __u32 room)
{
	if (p->used <= room)
		return p->used;
	r->flags |= WIRE_REQUEST_CUT;
	return room;
}

/* The value has ended: if it is a field's, it is known now. */
static __always_inline void http_end_field(struct http_parser *p, struct wire_request *r)
{
	__u64 i = p->name - HTTP_NAME_FIELD;

	asm volatile("" : "+r"(i));
	if (i < WIRE_FIELDS)
		r->field_lengths[i] = http_kept(p, r, WIRE_FIELD_MAX);
}

#endif
