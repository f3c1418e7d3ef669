/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Texts that an application hands over: copied out of its str or bytes objects into a
 * request in flight, as UTF-8.
 */
#ifndef PYCOST_MARK_TEXT_BPF_H
#define PYCOST_MARK_TEXT_BPF_H

#include "bpf/inflight.bpf.h"
#include "bpf/names.bpf.h"

/* Of one text, with the 0 at its end. */
#define MARK_TEXT_MAX 128

/* Room for a whole text, `where` bytes into the request; 0: there is none. */
static __always_inline char *mark_room(__u64 id, __u64 where)
{
	struct inflight *f = inflight_find(id);
	char *room;

	asm volatile("" : "+r"(where));
	if (!f || where > sizeof(f->r) - MARK_TEXT_MAX)
		return 0;
	room = (char *)&f->r + where;
	asm volatile("" : "+r"(room));
	return room;
}

/* One more character of a str that is not ASCII, at `where`; how many bytes it takes. */
__noinline int mark_char(__u64 id, __u64 where, __u64 address, __u32 kind)
{
	char *room = mark_room(id, where);
	__u64 size = kind;
	__u32 c = 0;

	asm volatile("" : "+r"(size)); /* the verifier has to see its bound */
	if (size > sizeof(c) || !room)
		return 0;
	if (bpf_probe_read_user(&c, size, (void *)address) || !c)
		return 0;
	if (c < 0x80) {
		room[0] = c;
		return 1;
	}
	if (c < 0x800) {
		room[0] = 0xc0 | c >> 6;
		room[1] = 0x80 | (c & 0x3f);
		return 2;
	}
	if (c < 0x10000) {
		room[0] = 0xe0 | c >> 12;
		room[1] = 0x80 | (c >> 6 & 0x3f);
		room[2] = 0x80 | (c & 0x3f);
		return 3;
	}
	room[0] = 0xf0 | (c >> 18 & 7);
	room[1] = 0x80 | (c >> 12 & 0x3f);
	room[2] = 0x80 | (c >> 6 & 0x3f);
	room[3] = 0x80 | (c & 0x3f);
	return 4;
}

static __always_inline void mark_cut(__u64 id)
{
	struct wire_request *r = request_find(id);

	if (r)
		r->flags |= WIRE_REQUEST_CUT;
}

/* Room for the last character and the 0. */
#define MARK_CHAR_MAX 5

static __always_inline __u32 mark_chars(__u64 id, __u32 where, __u32 max, __u64 data, __u64 length,
					__u32 kind)
{
	__u32 at = 0, n;

	for (int i = 0; i < MARK_TEXT_MAX && i < length; i++) {
		if (at + MARK_CHAR_MAX > max) {
			mark_cut(id);
			break;
		}
		n = mark_char(id, where + at, data + i * kind, kind);
		if (!n)
			break;
		at += n;
	}
	return at;
}

/* Where an object's bytes are, and how many; kind 0: it is no text. */
struct mark_object {
	__u64 data, length;
	__u32 kind; /* bytes a character; 1: as it is to be */
	__u32 wide; /* not ASCII: to be encoded */
};

static __always_inline void object_look(__u64 object, struct mark_object *ret)
{
	__u64 type = user_u64(object + layout.object_size - 8);
	__u64 flags = user_u64(type + layout.object_size + PY_TYPE_FLAGS);
	struct py_str_head head;

	ret->kind = ret->wide = 0;
	if (flags & PY_TYPE_IS_BYTES) {
		ret->length = user_u64(object + layout.object_size);
		ret->data = object + layout.object_size + PY_BYTES_DATA - PY_BYTES_SIZE;
		ret->kind = 1;
		return;
	}
	if (!(flags & PY_TYPE_IS_STR) || str_head_read(&head, object) ||
	    !(head.state & PY_STR_COMPACT))
		return;
	ret->length = head.length;
	ret->kind = PY_STR_KIND(head.state);
	ret->wide = !(head.state & PY_STR_ASCII);
	ret->data = object + (ret->wide ? layout.str_unicode_data : layout.str_ascii_data);
}

/*
 * Copies the text, `max` bytes of it with the 0 at its end, to `where` bytes into the
 * request.  Its length without that; it ends at a 0 of its own, too.
 */
__noinline int mark_text(__u64 id, __u32 where, __u32 max, __u64 object)
{
	__u64 size = max < MARK_TEXT_MAX ? max : MARK_TEXT_MAX;
	struct mark_object o;
	char *room;
	long n;

	object_look(object, &o);
	room = o.kind ? mark_room(id, where) : 0;
	if (!room)
		return 0;
	if (o.wide) {
		n = mark_chars(id, where, max, o.data, o.length, o.kind);
		room = mark_room(id, where + n);
		if (room)
			*room = 0;
	} else {
		asm volatile("" : "+r"(size)); /* the verifier has to see its bound */
		if (size > MARK_TEXT_MAX)
			return 0;
		n = bpf_probe_read_user_str(room, size, (void *)o.data) - 1;
		if (n + 1 == size && o.length > n)
			mark_cut(id);
	}
	return n > 0 ? n : 0;
}

#endif
