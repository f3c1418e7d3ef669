/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The states of a parser up to where the body begins: request line, status line,
 * header lines.  What each looks for, and where that leads.
 *
 * A line may end without a carriage return, as servers let it.  A line that goes on
 * with spaces in the next (RFC 9112, 5.2) is taken without that.
 */
#ifndef PYCOST_HTTP_HEAD_BPF_H
#define PYCOST_HTTP_HEAD_BPF_H

#include "bpf/http_fields.bpf.h"

enum http_state {
	HTTP_OVER, /* nothing more is looked at */
	/* First bytes. */
	HTTP_START,
	HTTP_PREFIX,
	HTTP_RECORD,
	/* The request line. */
	HTTP_METHOD,
	HTTP_TARGET,
	HTTP_SCHEME,
	HTTP_SLASHES,
	HTTP_AUTHORITY,
	HTTP_PATH,
	HTTP_QUERY,
	HTTP_ARGUMENT,
	HTTP_VERSION,
	/* The status line. */
	HTTP_STATUS,
	/* Header lines. */
	HTTP_LINE_START,
	HTTP_HEAD_END,
	HTTP_HEADER,
	HTTP_VALUE_START,
	HTTP_NUMBER,
	HTTP_TOKEN_START,
	HTTP_TOKEN,
	HTTP_COOKIE_START,
	HTTP_COOKIE,
	HTTP_REST, /* of a line */
	/* Values that may be fields'. */
	HTTP_VALUE,
	HTTP_ARGUMENT_VALUE,
	HTTP_COOKIE_VALUE,
	/* The body. */
	HTTP_BODY,
	HTTP_SIZE,
	HTTP_SIZE_REST,
	HTTP_CHUNK_END,
	/* uwsgi packets. */
	HTTP_PACKET,
	HTTP_KEY_SIZE,
	HTTP_KEY_SIZE_HIGH,
	HTTP_KEY,
	HTTP_ITEM_SIZE,
	HTTP_ITEM_SIZE_HIGH,
	HTTP_ITEM, /* its value, which is not wanted */
	HTTP_PACKET_END,
	/* No byte is waited for. */
	HTTP_NAMED, /* `text` is a name, of what `named` says */
	HTTP_TAKEN, /* the value of `name` begins */
};

/* http_parser.flags: of the message that is read. */
#define HTTP_HAS_LENGTH 0x1
#define HTTP_IS_CHUNKED 0x2
#define HTTP_IS_CODED 0x4 /* in a way that does not tell its end */
#define HTTP_IS_OLD 0x8 /* HTTP/1.0 */
#define HTTP_CLOSES 0x10
#define HTTP_STAYS 0x20
#define HTTP_IN_TRAILER 0x40
#define HTTP_HAS_DIGITS 0x80 /* a number has begun */
#define HTTP_NO_DIGITS 0x100 /* and has ended */
#define HTTP_HAS_URI 0x200
#define HTTP_HAS_LINE 0x400 /* the request line, or the status, was sound */
#define HTTP_NO_BODY 0x800 /* set by the includer, on HTTP_BEGIN: the answer to a HEAD */

#define HTTP_LENGTH_MAX (1ull << 60)

static __always_inline int http_is_uwsgi(const struct http_parser *p)
{
	return p->kind == HTTP_KIND_UWSGI;
}

static __always_inline void http_stop(struct http_parser *p)
{
	http_look(p, HTTP_OVER);
	p->skip = HTTP_SKIP_ALL;
}

static __always_inline void http_fail(struct http_parser *p)
{
	p->events |= HTTP_ERROR;
	http_stop(p);
}

/* Of a value: up to the end of its line, or of its item, and these two. */
static __always_inline __u32 http_until(const struct http_parser *p, __u8 a, __u8 b)
{
	if (http_is_uwsgi(p))
		return HTTP_DELIMITERS(a, b, a, b);
	return HTTP_DELIMITERS(a, b, '\r', '\n');
}

/* A message begins, of which p->matched bytes are known. */
static __always_inline void http_open(struct http_parser *p, __u8 kind)
{
	p->kind = kind;
	p->flags = 0;
	p->status = 0;
	p->head = p->matched;
	p->length = p->number = 0;
	p->need = HTTP_NO_END;
	p->events |= HTTP_BEGIN;
}

/* What is in `text`? */
static __always_inline void http_ask(struct http_parser *p, __u8 kind)
{
	p->named = kind;
	http_look(p, HTTP_NAMED);
}

/* A value has ended with `d`. */
static __always_inline void http_next_line(struct http_parser *p, int d)
{
	if (d == HTTP_ITEM_END) {
		/* The end of the packet asks for no byte more. */
		p->need = p->left ? HTTP_NO_END : 0;
		http_look(p, p->left ? HTTP_KEY_SIZE : HTTP_PACKET_END);
	} else if (http_is_uwsgi(p)) {
		http_pass(p, HTTP_ITEM, 0);
	} else if (d == '\n') {
		http_look(p, HTTP_LINE_START);
	} else {
		http_pass(p, HTTP_REST, HTTP_LINE_END);
	}
}

/* ---- the request line ---- */

/* Of what is behind a '?', up to `d`. */
static __always_inline void http_end_target(struct http_parser *p, int d)
{
	if (http_is_uwsgi(p))
		http_next_line(p, d);
	else if (d == ' ')
		http_take_text(p, HTTP_VERSION, HTTP_DELIMITERS('\n', '\r', '\n', '\r'));
	else
		http_fail(p); /* HTTP/0.9 */
}

static __always_inline __u32 http_query_ends(const struct http_parser *p, __u8 a, __u8 b)
{
	if (http_is_uwsgi(p))
		return HTTP_DELIMITERS(a, b, a, b);
	return HTTP_DELIMITERS(a, b, ' ', '\n');
}

static __always_inline void http_begin_query(struct http_parser *p)
{
	if (http_wants(p, WIRE_FIELD_ARGUMENT))
		http_take_text(p, HTTP_ARGUMENT, http_query_ends(p, '=', '&'));
	else
		http_pass(p, HTTP_QUERY,
			  http_is_uwsgi(p) ? 0 : HTTP_DELIMITERS(' ', '\n', ' ', '\n'));
}

static __always_inline void http_on_argument(struct http_parser *p, int d)
{
	if (d == '=')
		http_ask(p, WIRE_FIELD_ARGUMENT);
	else if (d == '&')
		http_begin_query(p);
	else
		http_end_target(p, d);
}

/* The fragment that some clients send is no part of the path. */
static __always_inline void http_on_path(struct http_parser *p, struct wire_request *r, int d)
{
	r->path_length = http_kept(p, r, WIRE_PATH_MAX);
	if (http_is_uwsgi(p))
		http_next_line(p, d);
	else if (d == '?')
		http_begin_query(p);
	else if (d == '#')
		http_pass(p, HTTP_QUERY, HTTP_DELIMITERS(' ', '\n', ' ', '\n'));
	else
		http_end_target(p, d);
}

static __always_inline void http_begin_path(struct http_parser *p)
{
	http_take(p, HTTP_PATH, HTTP_DELIMITERS('?', '#', ' ', '\n'), HTTP_OFFSET(path),
		  WIRE_PATH_MAX);
}

/* "/path", "*", "http://host/path", and CONNECT's "host:port". */
static __always_inline void http_on_target(struct http_parser *p, struct wire_request *r,
					   struct http_chunk *c, int d)
{
	http_leave(p, c);
	if (d == '/' || d == '*' ||
	    http_load(r->method) == HTTP_WORD('C', 'O', 'N', 'N', 'E', 'C', 'T', 0))
		http_begin_path(p);
	else if ((d | 0x20) >= 'a' && (d | 0x20) <= 'z')
		http_pass(p, HTTP_SCHEME, HTTP_DELIMITERS(':', '/', ' ', '\n'));
	else
		http_fail(p);
}

static __always_inline void http_on_authority(struct http_parser *p, struct http_chunk *c, int d)
{
	if (d == '/' || d == '?') {
		http_leave(p, c);
		http_begin_path(p);
	} else {
		http_end_target(p, d);
	}
}

/* Printable, and none of what a URL or a line has at its ends: from '$' to 'z'. */
static __always_inline int http_is_method(const struct wire_request *r, __u32 length)
{
	__u64 low = HTTP_HIGHS & http_mask(length);
	__u64 high = length > 8 ? HTTP_HIGHS & http_mask(length - 8) : 0;

	return length && (http_between(http_load(r->method), '$', 'z') & low) == low &&
	       (http_between(http_load(r->method + 8), '$', 'z') & high) == high;
}

static __always_inline void http_on_method(struct http_parser *p, struct wire_request *r, int d)
{
	if (p->used > WIRE_METHOD_MAX || !http_is_method(r, p->used)) {
		http_fail(p);
		return;
	}
	r->method_length = p->used;
	if (http_is_uwsgi(p))
		http_next_line(p, d);
	else if (d == ' ')
		http_look(p, HTTP_TARGET);
	else
		http_fail(p);
}

static __always_inline void http_on_version(struct http_parser *p, int d)
{
	__u64 version = http_text(p, 0);

	if (p->used != 8 || !http_is_version(version)) {
		http_fail(p);
		return;
	}
	if (version >> 56 == '0')
		p->flags |= HTTP_IS_OLD;
	p->flags |= HTTP_HAS_LINE;
	p->events |= HTTP_LINE;
	http_next_line(p, d);
}

/* ---- the status line ---- */

static __always_inline void http_on_status(struct http_parser *p, int d)
{
	__u64 code = http_text(p, 1);
	int status = http_code(code);

	/* "HTTP/1.1 200 OK"; a reason need not be there. */
	if (p->used < 12 || (p->used > 12 && (code >> 32 & 0xff) != ' ') ||
	    !http_is_version(http_text(p, 0)) || status < 0) {
		http_fail(p);
		return;
	}
	p->status = status;
	p->flags |= HTTP_HAS_LINE;
	p->events |= HTTP_LINE;
	http_next_line(p, d);
}

/* ---- header lines ---- */

/* A line that begins with this may be of interest. */
static __always_inline int http_may_want(const struct http_parser *p, int d)
{
	return !(p->flags & HTTP_IN_TRAILER) && p->letters & HTTP_LETTER(d);
}

static __always_inline void http_on_line_start(struct http_parser *p, struct http_chunk *c, int d)
{
	if (d == '\r') {
		http_look(p, HTTP_HEAD_END);
		return;
	}
	http_leave(p, c);
	if (d == '\n')
		http_look(p, HTTP_HEAD_END);
	else if (http_may_want(p, d))
		http_take_text(p, HTTP_HEADER, HTTP_DELIMITERS(':', '\n', ':', '\n'));
	else
		http_pass(p, HTTP_REST, HTTP_LINE_END);
}

/*
 * The rest of a line has been met, and that of the next is not wanted, either: it is
 * passed over without a look at its beginning.  Most lines are of this kind.
 */
static __always_inline int http_passes_line(const struct http_parser *p,
					    const struct http_chunk *c)
{
	__u8 d = c->data[(__u64)c->at & (HTTP_CHUNK - 1)];

	return p->state == HTTP_REST && c->at < c->n && d != '\r' && d != '\n' &&
	       !http_may_want(p, d);
}

/* A line that is none is passed over: what to think of it is the server's business. */
static __always_inline void http_on_header(struct http_parser *p, int d)
{
	if (d == ':')
		http_ask(p, WIRE_FIELD_HEADER);
	else
		http_next_line(p, d);
}

static __always_inline void http_on_value_start(struct http_parser *p, struct http_chunk *c, int d)
{
	if (d == ' ' || d == '\t')
		return;
	http_leave(p, c);
	http_look(p, HTTP_TAKEN);
}

/* A Content-Length: digits, maybe spaces.  uwsgi has an empty one where there is none. */
static __always_inline void http_on_number(struct http_parser *p, int d)
{
	if (d >= '0' && d <= '9' && !(p->flags & HTTP_NO_DIGITS)) {
		p->number = p->number * 10 + (d - '0');
		p->flags |= HTTP_HAS_DIGITS;
		if (p->number > HTTP_LENGTH_MAX)
			http_fail(p);
	} else if (d == ' ' || d == '\t') {
		p->flags |= HTTP_NO_DIGITS;
	} else if ((d != '\r' && d != '\n' && d != HTTP_ITEM_END) ||
		   (!(p->flags & HTTP_HAS_DIGITS) && !http_is_uwsgi(p)) ||
		   (p->flags & HTTP_HAS_LENGTH && p->length != p->number)) {
		http_fail(p);
	} else {
		if (p->flags & HTTP_HAS_DIGITS)
			p->flags |= HTTP_HAS_LENGTH;
		p->length = p->number;
		http_next_line(p, d);
	}
}

/* Of Transfer-Encoding and Connection: lists. */
static __always_inline void http_on_token_start(struct http_parser *p, struct http_chunk *c, int d)
{
	if (d == ' ' || d == '\t' || d == ',')
		return;
	if (d != HTTP_ITEM_END)
		http_leave(p, c);
	http_take_text(p, HTTP_TOKEN, http_until(p, ',', ' '));
}

static __always_inline void http_on_token(struct http_parser *p, int d)
{
	__u64 word = http_lower(http_text(p, 0)), next = http_lower(http_text(p, 1));

	if (p->name == HTTP_NAME_CONNECTION) {
		if (p->used == 5 && word == HTTP_WORD('c', 'l', 'o', 's', 'e', 0, 0, 0))
			p->flags |= HTTP_CLOSES;
		if (p->used == 10 && word == HTTP_WORD('k', 'e', 'e', 'p', '-', 'a', 'l', 'i') &&
		    next == HTTP_WORD('v', 'e', 0, 0, 0, 0, 0, 0))
			p->flags |= HTTP_STAYS;
	} else if (p->used == 7 && word == HTTP_WORD('c', 'h', 'u', 'n', 'k', 'e', 'd', 0)) {
		p->flags = (p->flags & ~HTTP_IS_CODED) | HTTP_IS_CHUNKED;
	} else if (p->used && (p->used != 8 ||
			       word != HTTP_WORD('i', 'd', 'e', 'n', 't', 'i', 't', 'y'))) {
		/* Chunked must come last. */
		p->flags = (p->flags & ~HTTP_IS_CHUNKED) | HTTP_IS_CODED;
	}
	if (d == ',' || d == ' ')
		http_look(p, HTTP_TOKEN_START);
	else
		http_next_line(p, d);
}

static __always_inline void http_on_cookie_start(struct http_parser *p, struct http_chunk *c, int d)
{
	if (d == ' ' || d == '\t' || d == ';')
		return;
	if (d == HTTP_ITEM_END || !http_wants(p, WIRE_FIELD_COOKIE)) {
		http_next_line(p, d);
		return;
	}
	http_leave(p, c);
	http_take_text(p, HTTP_COOKIE, http_is_uwsgi(p) ? HTTP_DELIMITERS('=', ';', '=', ';')
							: HTTP_DELIMITERS('=', ';', '\r', '\n'));
}

static __always_inline void http_on_cookie(struct http_parser *p, int d)
{
	if (d == '=')
		http_ask(p, WIRE_FIELD_COOKIE);
	else if (d == ';')
		http_look(p, HTTP_COOKIE_START);
	else
		http_next_line(p, d);
}

/* ---- names and values ---- */

/* What `text` names is looked for. */
static __always_inline void http_on_name(struct http_parser *p)
{
	p->name = http_lookup(p);
	if (p->named != WIRE_FIELD_HEADER)
		http_look(p, HTTP_TAKEN);
	else if (http_is_uwsgi(p))
		http_look(p, HTTP_ITEM_SIZE);
	else if (p->name == HTTP_NAME_NONE || p->name == HTTP_NAME_SECRET ||
		 (p->name == HTTP_NAME_CONNECTION && p->kind == HTTP_KIND_RESPONSE))
		http_pass(p, HTTP_REST, HTTP_LINE_END);
	else
		http_look(p, HTTP_VALUE_START);
}

static __always_inline void http_begin_value(struct http_parser *p, struct wire_request *r)
{
	if (p->named == WIRE_FIELD_ARGUMENT)
		http_take_field(p, r, HTTP_ARGUMENT_VALUE, http_query_ends(p, '&', '&'));
	else if (p->named == WIRE_FIELD_COOKIE)
		http_take_field(p, r, HTTP_COOKIE_VALUE, http_until(p, ';', ';'));
	else
		http_take_field(p, r, HTTP_VALUE, http_is_uwsgi(p) ? 0 : http_until(p, '\r', '\n'));
}

/* The value of `name` begins with the next byte. */
static __always_inline void http_on_taken(struct http_parser *p, struct wire_request *r)
{
	switch (p->name) {
	case HTTP_NAME_LENGTH:
		p->number = 0;
		p->flags &= ~(HTTP_HAS_DIGITS | HTTP_NO_DIGITS);
		http_look(p, HTTP_NUMBER);
		break;
	case HTTP_NAME_CODING:
	case HTTP_NAME_CONNECTION:
		http_look(p, HTTP_TOKEN_START);
		break;
	case HTTP_NAME_COOKIE:
		http_look(p, HTTP_COOKIE_START);
		break;
	case HTTP_NAME_METHOD:
		http_take(p, HTTP_METHOD, 0, HTTP_OFFSET(method), WIRE_METHOD_MAX);
		break;
	case HTTP_NAME_PATH:
		http_take(p, HTTP_PATH, 0, HTTP_OFFSET(path), WIRE_PATH_MAX);
		break;
	case HTTP_NAME_URI:
		http_take(p, HTTP_PATH, HTTP_DELIMITERS('?', '#', '?', '#'), HTTP_OFFSET(path),
			  WIRE_PATH_MAX);
		break;
	case HTTP_NAME_QUERY:
		http_begin_query(p);
		break;
	default:
		http_begin_value(p, r);
	}
}

static __always_inline void http_on_value(struct http_parser *p, struct wire_request *r, int d)
{
	__u8 state = p->state;

	http_end_field(p, r);
	if (state == HTTP_ARGUMENT_VALUE && d == '&')
		http_begin_query(p);
	else if (state == HTTP_ARGUMENT_VALUE)
		http_end_target(p, d);
	else if (state == HTTP_COOKIE_VALUE && d == ';')
		http_look(p, HTTP_COOKIE_START);
	else
		http_next_line(p, d);
}

#endif
