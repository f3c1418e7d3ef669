/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A code object's names, read when it is first met.
 *
 * Reading them here and not from user space means that a process which lives
 * for a millisecond, or a code object that is freed at once, still has names.
 */
#ifndef PYCOST_NAMES_BPF_H
#define PYCOST_NAMES_BPF_H

#include "bpf/events.bpf.h"
#include "bpf/layout.bpf.h"

/* The head of a str; a free-threaded build's has its ob_type where others' lies too. */
static __always_inline int str_head_read(struct py_str_head *ret, __u64 str)
{
	__u64 head = str + layout.object_size - PY_STR_LENGTH;

	if (!str || bpf_probe_read_user(ret, sizeof(*ret), (void *)head))
		return -1;
	ret->state >>= layout.str_state_shift;
	return 0;
}

static __always_inline void str_read(struct wire_str *ret, __u8 *data, __u32 max, __u64 str)
{
	struct py_str_head head;
	__u64 bytes, at;

	ret->kind = 0;
	ret->bytes = 0;
	if (str_head_read(&head, str))
		return;
	if (!(head.state & PY_STR_COMPACT))
		return;
	ret->ascii = !!(head.state & PY_STR_ASCII);
	ret->length = head.length;
	bytes = head.length * PY_STR_KIND(head.state);
	if (bytes > max)
		bytes = max;
	at = str + (ret->ascii ? layout.str_ascii_data : layout.str_unicode_data);
	if (bpf_probe_read_user(data, bytes, (void *)at))
		return;
	ret->bytes = bytes;
	ret->kind = PY_STR_KIND(head.state);
}

static __always_inline __u64 code_pointer(__u64 code, __u32 offset)
{
	return offset == PY_NONE ? 0 : user_u64(code + offset);
}

/*
 * Hashes a few bytes of a str that tell it from others: its length, its first 16
 * and its last 8.
 */
static __always_inline __u64 str_print(__u64 str, __u64 print, __u64 *ret_head, __u64 *ret_tail)
{
	__u64 words[3] = {}, data, bytes;
	struct py_str_head head;

	*ret_head = *ret_tail = 0;
	if (str_head_read(&head, str))
		return print;
	data = str + (head.state & PY_STR_ASCII ? layout.str_ascii_data : layout.str_unicode_data);
	bytes = head.length * PY_STR_KIND(head.state);
	bpf_probe_read_user(words, 16, (void *)data);
	/* A short str's own head lies before its data, so this can be read. */
	bpf_probe_read_user(&words[2], 8, (void *)(data + bytes - 8));
	*ret_tail = words[2];
	/* But of a short one, what lies around it is not its own. */
	if (bytes < 8) {
		words[0] &= (1ull << bytes * 8) - 1;
		words[1] = words[2] = 0;
	} else if (bytes < 16) {
		words[1] &= (1ull << (bytes - 8) * 8) - 1;
	}
	*ret_head = words[0];
	for (int i = 0; i < 3; i++)
		print = (print ^ words[i]) * 0x9e3779b97f4a7c15ull;
	return (print ^ head.length) * 0x9e3779b97f4a7c15ull;
}

/* The 8 bytes that these words of text are, on little-endian machines. */
#define TEXT8(a, b, c, d, e, f, g, h)                                                              \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 |   \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)

/*
 * A hash of a code object's name, file and first line, never 0.  Bit 0 is set
 * when the object may well be freed and its address be reused while we watch:
 * a module's own code goes after the import, and so does what is compiled from
 * other places than files (exec, namedtuple, templates).
 */
static __always_inline __u32 names_print(__u64 code)
{
	__u64 name_head, file_head, file_tail, unused, print;
	__u32 line = 0;

	bpf_probe_read_user(&line, sizeof(line), (void *)(code + layout.code_firstlineno));
	print = str_print(code_pointer(code, layout.code_name), line, &name_head, &unused);
	print = str_print(code_pointer(code, layout.code_filename), print, &file_head, &file_tail);
	print = print >> 32 & ~1ull;
	if (name_head == TEXT8('<', 'm', 'o', 'd', 'u', 'l', 'e', '>') ||
	    (file_tail >> 40 != TEXT8('.', 'p', 'y', 0, 0, 0, 0, 0) &&
	     (file_head & 0xffffffffffffff) != TEXT8('<', 'f', 'r', 'o', 'z', 'e', 'n', 0)))
		return print | 1;
	return print ? print : 2;
}

/* Its line table, as much of it as fits: what the probes search (search.bpf.h). */
static __always_inline void linetable_read(struct wire_event_code *e, __u64 code)
{
	__u64 table = code_pointer(code, layout.code_linetable), size = 0, captured;

	e->linetable_size = WIRE_LINETABLE_UNREAD;
	if (!table || bpf_probe_read_user(&size, sizeof(size), (void *)(table + layout.object_size)))
		return;
	captured = size < WIRE_LINETABLE_MAX ? size : WIRE_LINETABLE_MAX;
	table += layout.object_size + PY_BYTES_DATA - PY_BYTES_SIZE;
	if (!bpf_probe_read_user(e->linetable, captured, (void *)table))
		e->linetable_size = size;
}

/* Sends them.  -1: the ring is full. */
static __always_inline int names_send(__u64 code, __u64 wrapped, __u32 tgid, __u32 print)
{
	struct wire_event_code *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		lose(WIRE_LOSS_NAMES);
		return -1;
	}
	e->head.kind = WIRE_EVENT_CODE;
	e->head.tgid = tgid;
	e->code = code;
	e->wrapped = wrapped;
	e->print = print;
	e->firstlineno = 0;
	e->flags = 0;
	bpf_probe_read_user(&e->firstlineno, 4, (void *)(code + layout.code_firstlineno));
	bpf_probe_read_user(&e->flags, 4, (void *)(code + layout.code_flags));
	str_read(&e->file, e->file_data, sizeof(e->file_data),
		 code_pointer(code, layout.code_filename));
	str_read(&e->name, e->name_data, sizeof(e->name_data), code_pointer(code, layout.code_name));
	str_read(&e->qualname, e->qualname_data, sizeof(e->qualname_data),
		 code_pointer(code, layout.code_qualname));
	str_read(&e->wraps, e->wraps_data, sizeof(e->wraps_data), wrapped);
	linetable_read(e, code);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

#endif
