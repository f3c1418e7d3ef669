/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A code object's names, read when it is first called.
 *
 * Reading them here and not from user space means that a process which lives
 * for a millisecond, or a code object that is freed at once, still has names.
 */
#ifndef PYCOST_NAMES_BPF_H
#define PYCOST_NAMES_BPF_H

#include "bpf/python.bpf.h"

/* PyASCIIObject, Include/cpython/unicodeobject.h (unicodeobject.h up to 3.8) */
struct py_str_head {
	__u64 refcount, type, length, hash;
	__u32 state;
};

static __always_inline void str_read(struct wire_str *ret, __u8 *data, __u32 max, __u64 str)
{
	struct py_str_head head;
	__u64 bytes, at;

	ret->kind = 0;
	ret->bytes = 0;
	if (!str || bpf_probe_read_user(&head, sizeof(head), (void *)str))
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
 * Announces a code object once a process.  A global function: the verifier
 * checks it once, however many loops call it.
 */
__noinline int code_announce(__u64 code, __u64 wrapped, __u32 tgid, __u32 image)
{
	struct wire_code_key key = {.code = code, .wrapped = wrapped, .tgid = tgid,
				    .image = image};
	struct wire_event_code *e;
	__u8 one = 1;

	if (bpf_map_lookup_elem(&codes, &key))
		return 0;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		lose(WIRE_LOSS_NAMES);
		return 0;
	}
	e->head.kind = WIRE_EVENT_CODE;
	e->head.tgid = tgid;
	e->code = code;
	e->wrapped = wrapped;
	e->image = image;
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
	bpf_ringbuf_submit(e, 0);
	/* Only now: had the ring been full, the next new path tries again. */
	bpf_map_update_elem(&codes, &key, &one, BPF_ANY);
	return 0;
}

#endif
