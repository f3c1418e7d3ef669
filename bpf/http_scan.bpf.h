/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Going through what a connection carries, eight bytes at a time.
 *
 * What a parser does is a row of scans: up to one of four bytes, or up to the end of an
 * item of known size, and what is met on the way may be kept.  Which, is its state; so a
 * buffer may end anywhere.  A step is one word of one scan: the loop over the steps is
 * flat, and as nothing of the state is in registers, each is verified once.
 *
 * Little-endian, as both machines are that this runs on.
 */
#ifndef PYCOST_HTTP_SCAN_BPF_H
#define PYCOST_HTTP_SCAN_BPF_H

#include "bpf/wire_request.h"

#define HTTP_CHUNK 512 /* bytes that are copied at a time: a power of 2 */

/* What is parsed: in map memory, filled by the includer; `at` is moved on. */
struct http_chunk {
	__u32 at, n; /* of `data`: the next byte, and where it ends (<= HTTP_CHUNK) */
	char data[HTTP_CHUNK + 32]; /* of which nothing behind n counts */
	/* Of http_route(). */
	__u32 path_at, route_at, segment_at, segment_length;
	__u64 varies, worded; /* not 0: it has bytes of that kind */
	__u64 letter, digit;  /* the last byte of the word before is one: 0x80 */
	__u32 delimiter, forgotten;
};

#define HTTP_TEXT 40 /* a name of WIRE_FIELD_NAME_MAX behind "HTTP_", in whole words */

enum http_kind {
	HTTP_KIND_NONE,	    /* nothing is known, or it is nothing of these */
	HTTP_KIND_DETECT,   /* the first bytes tell */
	HTTP_KIND_REQUEST,
	HTTP_KIND_RESPONSE,
	HTTP_KIND_UWSGI, /* packets of requests; they are answered as HTTP is */
	HTTP_KIND_TLS,
};

/* What http_run() has met: bits. */
#define HTTP_BEGIN 0x1	  /* a message begins: nothing of it has been written yet */
#define HTTP_LINE 0x2	  /* method and path, or the status, are known */
#define HTTP_HEAD 0x4	  /* the fields are, too */
#define HTTP_END 0x8	  /* and the message has ended */
#define HTTP_INTERIM 0x10 /* a response 1xx has ended: the response proper is yet to begin */
#define HTTP_UPGRADED 0x20 /* response 101: another protocol from here on, both ways */
#define HTTP_TLS 0x40
#define HTTP_ERROR 0x80 /* no message of this kind: what comes is not looked at */
#define HTTP_AGAIN 0x100 /* the chunk is not through */

/* One direction of a connection.  All zeros: http_begin() has to come. */
struct http_parser {
	__u64 skip; /* bytes that come next and need not be read; HTTP_SKIP_ALL */
	__u64 length, number; /* of the body; what is being read of it */
	__u32 letters; /* that the wanted header names begin with: bits */
	__u32 delimiters; /* four; 0: none */
	__u32 used; /* bytes met by this scan */
	__u32 need; /* uwsgi: bytes left of the item; else 0 at the end of a body only */
	__u32 head; /* bytes of the head, or of this line of the body */
	__u32 left; /* uwsgi: bytes left of the packet */
	__u32 events;
	__u16 to, room; /* where it is kept: HTTP_TO_*, or an offset in the request */
	__u16 flags;
	__u16 status; /* responses: of the last */
	__u16 met; /* what the scan has ended with */
	__u8 kind; /* enum http_kind */
	__u8 state;
	__u8 bytes; /* this state looks at single bytes, and is asked about each */
	__u8 name; /* whose value comes: enum http_name; or HTTP_NAME_FIELD + its index */
	__u8 named; /* what `text` names: enum wire_field_kind */
	__u8 wants; /* kinds of fields that are configured: bits */
	__u8 matched; /* bytes of what tells the protocol */
	__u8 pad[7];
	char text[HTTP_TEXT];
};

#define HTTP_SKIP_ALL (~0ull)
#define HTTP_TO_TEXT 0xffff
#define HTTP_NO_END (~0u)
/* Instead of a byte: the item has ended. */
#define HTTP_ITEM_END 0x100
#define HTTP_NOT_MET 0x101

#define HTTP_ONES 0x0101010101010101ull
#define HTTP_HIGHS 0x8080808080808080ull

#ifdef __bpf__
#define http_load(at) (*(const volatile __u64 *)(at))
#define http_store(at, word) (*(volatile __u64 *)(at) = (word))
#else
static inline __u64 http_load(const void *at)
{
	__u64 word;

	__builtin_memcpy(&word, at, sizeof(word));
	return word;
}
static inline void http_store(void *at, __u64 word)
{
	__builtin_memcpy(at, &word, sizeof(word));
}
#endif

/* The bits of the first n bytes. */
static __always_inline __u64 http_mask(__u32 n)
{
	return n < 8 ? (1ull << 8 * n) - 1 : ~0ull;
}

/* 0x80 in the first byte of `word` that is `byte`; those behind it are not told right. */
static __always_inline __u64 http_hits(__u64 word, __u8 byte)
{
	__u64 x = word ^ byte * HTTP_ONES;

	return (x - HTTP_ONES) & ~x & HTTP_HIGHS;
}

/* As http_hits(), of four delimiters. */
static __always_inline __u64 http_ends(__u64 word, __u32 delimiters)
{
	return http_hits(word, delimiters) | http_hits(word, delimiters >> 8) |
	       http_hits(word, delimiters >> 16) | http_hits(word, delimiters >> 24);
}

/* The index of the first byte that is hit; 8: none is. */
static __always_inline __u32 http_first(__u64 hits)
{
	return (((((hits & -hits) >> 7) - 1) & HTTP_ONES) * HTTP_ONES) >> 56;
}

/* 0x80 in each byte that is ASCII and from `low` to `high`. */
static __always_inline __u64 http_between(__u64 word, __u8 low, __u8 high)
{
	__u64 seven = word & ~HTTP_HIGHS;

	return ((seven + (0x80 - low) * HTTP_ONES) & ~(seven + (0x7f - high) * HTTP_ONES) & ~word) &
	       HTTP_HIGHS;
}

static __always_inline __u64 http_lower(__u64 word)
{
	return word | http_between(word, 'A', 'Z') >> 2;
}

/* ---- what is kept ---- */

/* A word whose first `held` bytes, fewer than 8, stay what they are. */
static __always_inline void http_put(void *at, __u64 word, __u32 held)
{
	__u32 shift = 8 * (held & 7);

	http_store(at, (http_load(at) & ((1ull << shift) - 1)) | word << shift);
}

/*
 * Appends the first `count` bytes of `word`, whose others are 0.  A store is of a whole
 * word: at the end of the room it has what is there already in front.
 */
static __always_inline void http_keep(struct http_parser *p, struct wire_request *r, __u64 word,
				      __u32 count)
{
	__u64 used = p->used, room = p->room, at, held;

	p->used = used + count;
	if (used >= room || room < 8)
		return;
	at = used <= room - 8 ? used : room - 8;
	held = used - at;
	if (p->to == HTTP_TO_TEXT) {
		asm volatile("" : "+r"(at));
		if (at <= HTTP_TEXT - 8)
			http_put(p->text + at, word, held);
	} else {
		at += p->to;
		asm volatile("" : "+r"(at));
		if (at <= sizeof(*r) - 8)
			http_put((char *)r + at, word, held);
	}
}

#define HTTP_DELIMITERS(a, b, c, d) ((__u32)(__u8)(a) | (b) << 8 | (c) << 16 | (__u32)(d) << 24)

/* The rest of a line, no byte of which is kept. */
#define HTTP_LINE_END HTTP_DELIMITERS('\n', '\n', '\n', '\n')

/* From here on bytes are met up to a delimiter, and forgotten. */
static __always_inline void http_pass(struct http_parser *p, __u8 state, __u32 delimiters)
{
	p->state = state;
	p->bytes = 0;
	p->delimiters = delimiters;
	p->used = 0;
	p->room = 0;
}

/* They are kept at `to`, an offset in the request. */
static __always_inline void http_take(struct http_parser *p, __u8 state, __u32 delimiters,
				      __u32 to, __u32 room)
{
	http_pass(p, state, delimiters);
	p->to = to;
	p->room = room;
}

/* They are kept in `text`, the rest of which is 0. */
static __always_inline void http_take_text(struct http_parser *p, __u8 state, __u32 delimiters)
{
	http_take(p, state, delimiters, HTTP_TO_TEXT, HTTP_TEXT);
	for (int i = 0; i < HTTP_TEXT; i += 8)
		http_store(p->text + i, 0);
}

/* From here on each byte is asked about. */
static __always_inline void http_look(struct http_parser *p, __u8 state)
{
	p->state = state;
	p->bytes = 1;
}

/* The byte that is asked about is left to the next state. */
static __always_inline void http_leave(struct http_parser *p, struct http_chunk *c)
{
	c->at--;
	p->need++;
	p->head--;
}

/* How many bytes of the scan under way there are. */
static __always_inline __u32 http_left(const struct http_parser *p, const struct http_chunk *c)
{
	__u32 left = c->n - c->at;

	return left < p->need ? left : p->need;
}

static __always_inline void http_advance(struct http_parser *p, struct http_chunk *c, __u32 bytes)
{
	c->at += bytes;
	p->need -= bytes;
	p->head += bytes;
}

/* The index of the first line feed in these four words; 32: there is none. */
static __always_inline __u32 http_line_end(const char *at)
{
	__u32 i = 32;

	/* Without branches: the verifier would follow each. */
	for (int word = 3; word >= 0; word--) {
		__u32 first = http_first(http_hits(http_load(at + 8 * word), '\n'));

		i = first + (first >> 3) * (word < 3 ? i : 0);
	}
	return i;
}

/* As http_scan(), of the rest of a line: four words. */
static __always_inline void http_scan_line(struct http_parser *p, struct http_chunk *c,
					   const char *data, __u32 left)
{
	__u32 count = left < 32 ? left : 32, end = http_line_end(data);

	if (end < count) {
		count = end + 1;
		p->met = '\n';
	}
	http_advance(p, c, count);
}

/*
 * Goes on with the scan under way by a word, or four of what is not kept.  p->met is its
 * end: the delimiter, or the byte to look at, or HTTP_ITEM_END; else HTTP_NOT_MET.
 */
static __always_inline void http_scan(struct http_parser *p, struct wire_request *r,
				      struct http_chunk *c)
{
	__u32 left = http_left(p, c), count = left < 8 ? left : 8, taken = count;
	__u32 first, delimiters = p->delimiters;
	const char *data = &c->data[(__u64)c->at & (HTTP_CHUNK - 1)];
	__u64 word = http_load(data), hits;

	p->met = HTTP_NOT_MET;
	if (!p->need) {
		p->met = HTTP_ITEM_END;
		return;
	}
	if (p->bytes) {
		p->met = word & 0xff;
		http_advance(p, c, 1);
		return;
	}
	if (delimiters == HTTP_LINE_END) {
		http_scan_line(p, c, data, left);
		return;
	}
	hits = http_ends(word, delimiters);
	first = http_first(delimiters ? hits : 0);
	if (first < count) {
		count = first;
		taken = first + 1;
		p->met = word >> 8 * (first & 7) & 0xff;
	}
	http_advance(p, c, taken);
	http_keep(p, r, word & http_mask(count), count);
}

#define HTTP_WORD(a, b, c, d, e, f, g, h)                                                          \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 |   \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)

/* "HTTP/1.1", or another digit. */
static __always_inline int http_is_version(__u64 word)
{
	return (word & ~(0xfull << 56)) == HTTP_WORD('H', 'T', 'T', 'P', '/', '1', '.', '0');
}

/* " 200" and what follows; < 0: it is no status. */
static __always_inline int http_code(__u64 code)
{
	__u64 digits = (code >> 8 & 0xffffff) ^ 0x303030;

	if ((code & 0xff) != ' ' || http_between(digits, 0, 9) != HTTP_HIGHS)
		return -1;
	return (digits & 0xf) * 100 + (digits >> 8 & 0xf) * 10 + (digits >> 16 & 0xf);
}

#endif
