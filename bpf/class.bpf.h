/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Classes of requests: those whose function costs are added up together.
 */
#ifndef PYCOST_CLASS_BPF_H
#define PYCOST_CLASS_BPF_H

#include "bpf/http.bpf.h"
#include "bpf/serving.bpf.h"

const volatile __u64 class_seed; /* so that nobody outside can make two alike */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WIRE_MAX_CLASSES);
	__type(key, __u64);
	__type(value, struct wire_class);
} classes SEC(".maps");

/* False: the ring is full, and the class has to be told when it is met again. */
static __always_inline int class_tell(const struct wire_request *r, __u64 class_id)
{
	struct wire_event_class *e = bpf_ringbuf_reserve(&requests, sizeof(*e), 0);

	if (!e)
		return 0;
	e->head.kind = WIRE_EVENT_CLASS;
	e->head.tgid = r->head.tgid;
	e->class_id = class_id;
	e->method_length = r->method_length;
	e->route_length = r->route_length;
	e->flags = r->flags & WIRE_REQUEST_MARKED;
	__builtin_memcpy(e->method, r->method, sizeof(e->method));
	__builtin_memcpy(e->route, r->route, sizeof(e->route));
	__builtin_memcpy(e->fields, r->fields, sizeof(e->fields));
	for (int i = 0; i < WIRE_FIELDS; i++)
		e->field_lengths[i] = request_fields[i].split ? r->field_lengths[i]
							      : WIRE_FIELD_ABSENT;
	bpf_ringbuf_submit(e, 0);
	return 1;
}

/* The class that is used for it. */
static __always_inline __u64 class_of_request(const struct wire_request *r)
{
	__u64 class_id = http_class(r, class_seed);
	struct wire_class *known = bpf_map_lookup_elem(&classes, &class_id), new = {};

	if (known)
		return known->canonical ? known->canonical : class_id;
	if (bpf_map_update_elem(&classes, &class_id, &new, BPF_NOEXIST)) {
		lose(WIRE_LOSS_CLASSES);
		return WIRE_CLASS_OTHER;
	}
	if (class_tell(r, class_id))
		return class_id;
	bpf_map_delete_elem(&classes, &class_id);
	lose(WIRE_LOSS_CLASSES);
	return WIRE_CLASS_OTHER;
}

/*
 * Its class is known: it is captured when it is one of those to be.  What was called
 * before is not in its class's tree, so it must have begun just now.
 */
static __always_inline void request_capture(struct inflight *f, const struct server *s)
{
	__u64 class_id = f->r.class_id;
	const struct wire_class *known;
	__u32 serial = f->serial;

	if (!serial || f->r.flags & WIRE_REQUEST_EXACT)
		return;
	f->serial = 0;
	if (!s || (f->r.protocol != WIRE_PROTOCOL_MARKED && f->r.begin != s->parsed_ns))
		return;
	known = wanted_only ? bpf_map_lookup_elem(&classes, &class_id) : 0;
	if ((wanted_only && !(known && known->wanted)) || !armed_take(serial))
		return;
	f->serial = serial;
	f->r.flags |= WIRE_REQUEST_EXACT;
}

/*
 * What a request's class is made of is known, or has changed: its class is told, if it is
 * new, and the current thread works for that if it works for the request.
 */
__noinline int request_class(__u64 id)
{
	struct inflight *f = inflight_find(id);
	struct server *s = server_here();

	if (!f)
		return 0;
	f->r.class_id = class_of_request(&f->r);
	if (whole_requests)
		request_capture(f, s);
	if (s && s->owner == id)
		server_class(s, request_charged(f));
	return 0;
}

#endif
