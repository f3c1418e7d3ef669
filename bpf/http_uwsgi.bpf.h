/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of the uwsgi protocol (https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html):
 * modifier1 (0: a WSGI request), the size of what follows (16 bits, little-endian),
 * modifier2; then keys and values, each behind its size (the same).  Then the body, as
 * long as CONTENT_LENGTH says.
 */
#ifndef PYCOST_HTTP_UWSGI_BPF_H
#define PYCOST_HTTP_UWSGI_BPF_H

#include "bpf/http_body.bpf.h"

static __always_inline void http_on_packet(struct http_parser *p, int d)
{
	__u32 left = p->left;

	/* In `number`, last byte first. */
	p->number = p->number << 8 | d;
	p->left = left - 1;
	if (left > 1)
		return;
	p->left = (p->number >> 16 & 0xff) | (p->number & 0xff00);
	if (p->number >> 24 || p->number & 0xff || p->left < 4)
		http_fail(p);
	else
		http_look(p, HTTP_KEY_SIZE);
}

/* The size of an item, and of itself, is taken from what is left.  0: it is there. */
static __always_inline int http_begin_item(struct http_parser *p, int high)
{
	__u32 size = p->number | high << 8;

	if (size + 2 > p->left) {
		http_fail(p);
		return -1;
	}
	p->left -= size + 2;
	p->need = size;
	return 0;
}

/* As HTTP_X_Y is how CGI calls header x-y. */
static __always_inline void http_on_variable(struct http_parser *p)
{
	for (int i = 0; i < HTTP_TEXT; i += 8) {
		__u64 word = http_load(p->text + i) >> 40;

		if (i + 8 < HTTP_TEXT)
			word |= http_load(p->text + i + 8) << 24;
		word ^= (http_between(word, '_', '_') >> 7) * ('_' ^ '-');
		http_store(p->text + i, word);
	}
	p->used -= 5;
	http_ask(p, WIRE_FIELD_HEADER);
}

/* The path as it was sent is what REQUEST_URI has. */
static __always_inline __u32 http_variable(struct http_parser *p)
{
	if (http_text_is(p, 14, HTTP_WORD('R', 'E', 'Q', 'U', 'E', 'S', 'T', '_'),
			 HTTP_WORD('M', 'E', 'T', 'H', 'O', 'D', 0, 0), 0))
		return HTTP_NAME_METHOD;
	if (http_text_is(p, 9, HTTP_WORD('P', 'A', 'T', 'H', '_', 'I', 'N', 'F'), 'O', 0))
		return p->flags & HTTP_HAS_URI ? HTTP_NAME_NONE : HTTP_NAME_PATH;
	if (http_text_is(p, 12, HTTP_WORD('Q', 'U', 'E', 'R', 'Y', '_', 'S', 'T'),
			 HTTP_WORD('R', 'I', 'N', 'G', 0, 0, 0, 0), 0))
		return HTTP_NAME_QUERY;
	if (http_text_is(p, 14, HTTP_WORD('C', 'O', 'N', 'T', 'E', 'N', 'T', '_'),
			 HTTP_WORD('L', 'E', 'N', 'G', 'T', 'H', 0, 0), 0))
		return HTTP_NAME_LENGTH;
	if (!http_text_is(p, 11, HTTP_WORD('R', 'E', 'Q', 'U', 'E', 'S', 'T', '_'),
			  HTTP_WORD('U', 'R', 'I', 0, 0, 0, 0, 0), 0))
		return HTTP_NAME_NONE;
	p->flags |= HTTP_HAS_URI;
	return HTTP_NAME_URI;
}

static __always_inline void http_on_plain(struct http_parser *p)
{
	p->named = WIRE_FIELD_HEADER;
	p->name = http_variable(p);
	http_look(p, HTTP_ITEM_SIZE);
}

static __always_inline void http_on_key(struct http_parser *p)
{
	p->need = HTTP_NO_END;
	if (p->left < 2)
		http_fail(p);
	else if (p->used > 5 && p->used <= HTTP_TEXT &&
	    (http_text(p, 0) & 0xffffffffff) == HTTP_WORD('H', 'T', 'T', 'P', '_', 0, 0, 0))
		http_on_variable(p);
	else
		http_on_plain(p);
}

/* All variables are there. */
static __always_inline void http_end_packet(struct http_parser *p, struct wire_request *r)
{
	p->need = HTTP_NO_END;
	if (!r->method_length) {
		http_fail(p);
		return;
	}
	p->flags |= HTTP_HAS_LINE;
	p->events |= HTTP_LINE;
	/* The size of a chunked body, which is sent as it came, is not waited for. */
	if (p->flags & (HTTP_IS_CHUNKED | HTTP_IS_CODED))
		p->flags = (p->flags & ~(HTTP_IS_CHUNKED | HTTP_IS_CODED)) | HTTP_CLOSES;
	http_end_head(p);
}

static __noinline void http_on_uwsgi(struct http_parser *p, struct wire_request *r, int d)
{
	switch (p->state) {
	case HTTP_PACKET:
		http_on_packet(p, d);
		break;
	case HTTP_KEY_SIZE:
		p->number = d;
		http_look(p, HTTP_KEY_SIZE_HIGH);
		break;
	case HTTP_KEY_SIZE_HIGH:
		if (!http_begin_item(p, d))
			http_take_text(p, HTTP_KEY, 0);
		break;
	case HTTP_KEY:
		http_on_key(p);
		break;
	case HTTP_ITEM_SIZE:
		p->number = d;
		http_look(p, HTTP_ITEM_SIZE_HIGH);
		break;
	case HTTP_ITEM_SIZE_HIGH:
		if (!http_begin_item(p, d))
			http_look(p, HTTP_TAKEN);
		break;
	case HTTP_ITEM:
		http_next_line(p, d);
		break;
	case HTTP_PACKET_END:
		http_end_packet(p, r);
	}
}

#endif
