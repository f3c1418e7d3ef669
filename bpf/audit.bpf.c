// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Marks: what an application says of its requests by sys.audit(), read at the probe
 * python:audit of one interpreter build.
 *
 *	pycost.endpoint       name, key, value, key, value...
 *	pycost.tag            key, value, key, value...
 *	pycost.request.begin  kind, name, key, value...
 *	pycost.request.end    status, key, value...
 *
 * Other audit events are by far the most: they are left by their first bytes.
 */
#include "bpf/losses.bpf.h"
#include "bpf/wire_marks.h"
#include "bpf/wire_request.h"

const volatile struct wire_field request_fields[WIRE_FIELDS];

#include "bpf/class.bpf.h"
#include "bpf/mark_text.bpf.h"
#include "bpf/regs.bpf.h"

/* Of each site: the event's name, and the tuple of its arguments. */
const volatile struct wire_arg audit_args[WIRE_AUDIT_SITES][2];

#define MARK_PAIRS 8 /* of one event */
#define MARK_KEY_MAX 32
#define MARK_NESTING 250

/* The n-th argument; 0: there are not so many. */
static __always_inline __u64 argument(__u64 args, __u32 n)
{
	if (!args || n >= user_u64(args + layout.object_size))
		return 0;
	return user_u64(args + layout.tuple_items + 8ull * n);
}

/* One key and its value more; 0: there is no room. */
__noinline int mark_pair(__u64 id, __u64 key, __u64 value)
{
	struct wire_request *r = request_find(id);
	__u32 at, start;

	if (!r)
		return 0;
	start = at = r->marks_length;
	if (at > WIRE_MARKS_MAX - MARK_KEY_MAX - MARK_TEXT_MAX) {
		r->flags |= WIRE_REQUEST_CUT;
		return 0;
	}
	at += mark_text(id, offsetof(struct wire_request, marks) + at, MARK_KEY_MAX, key);
	if (at == start)
		return 1;
	at += 1;
	at += mark_text(id, offsetof(struct wire_request, marks) + at, MARK_TEXT_MAX, value) + 1;
	r->marks_length = at;
	return 1;
}

static __always_inline void mark_pairs(__u64 id, __u64 args, __u32 from)
{
	__u64 key, value;

	for (__u32 i = 0; i < MARK_PAIRS; i++) {
		key = argument(args, from + 2 * i);
		value = argument(args, from + 2 * i + 1);
		if (!key || !value || !mark_pair(id, key, value))
			break;
	}
}

/* The name takes the route's place; "" leaves that. */
static __always_inline void mark_name(__u64 id, __u64 name)
{
	int n = mark_text(id, offsetof(struct wire_request, route), MARK_TEXT_MAX, name);
	struct wire_request *r = request_find(id);

	if (!r || !n)
		return;
	r->route_length = n;
	r->flags |= WIRE_REQUEST_MARKED;
}

/*
 * The request that the current thread works for.  One that has been answered keeps the
 * thread until that waits, but what it marks by then may be the next one's.
 */
static __always_inline struct wire_request *request_here(void)
{
	struct server *s = server_here();
	struct inflight *f = s ? inflight_find(s->owner) : 0;

	return f && !f->done ? &f->r : 0;
}

__noinline int mark_endpoint(__u64 args)
{
	struct wire_request *r = request_here();
	__u64 name = argument(args, 0), id;
	struct mark_object o;

	if (!r || !name)
		return 0;
	id = r->id;
	object_look(name, &o);
	if (o.kind && o.length) {
		mark_name(id, name);
		request_class(id);
	}
	mark_pairs(id, args, 1);
	return 0;
}

__noinline int mark_tags(__u64 args)
{
	struct wire_request *r = request_here();

	if (r)
		mark_pairs(r->id, args, 0);
	return 0;
}

/* Within another request it is a part of that. */
__noinline int mark_begin(__u64 args)
{
	struct server *s = server_here();
	struct wire_request *r = request_here();
	__u64 id;

	if (!s)
		return 0;
	if (r) {
		if (r->nested < MARK_NESTING)
			r->nested++;
		mark_pairs(r->id, args, 2);
		return 0;
	}
	r = request_open(WIRE_PROTOCOL_MARKED, bpf_ktime_get_ns());
	if (!r)
		return 0;
	id = r->id;
	r->method_length = mark_text(id, offsetof(struct wire_request, method), WIRE_METHOD_MAX,
				     argument(args, 0));
	mark_name(id, argument(args, 1));
	mark_pairs(id, args, 2);
	server_own(s, id);
	request_class(id);
	return 0;
}

/* Decimal, three digits at most; else 0. */
static __always_inline __u16 status_read(__u64 object)
{
	struct mark_object o;
	char text[4] = {};
	__u16 status = 0;

	object_look(object, &o);
	if (!o.kind || o.wide || o.length > 3 ||
	    bpf_probe_read_user_str(text, sizeof(text), (void *)o.data) < 0)
		return 0;
	for (int i = 0; i < 3 && text[i]; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		status = status * 10 + text[i] - '0';
	}
	return status;
}

__noinline int mark_end(__u64 args)
{
	struct wire_request *r = request_here();
	struct server *s = server_here();
	__u64 id;

	if (!r || !s)
		return 0;
	id = r->id;
	mark_pairs(id, args, 1);
	if (r->nested) {
		r->nested--;
		return 0;
	}
	if (r->protocol != WIRE_PROTOCOL_MARKED)
		return 0;
	r->status = status_read(argument(args, 0));
	request_close(id, 0);
	server_own(s, 0);
	return 0;
}

/* "pycost." and, of what follows, the first eight bytes. */
#define MARK_PREFIX TEXT8('p', 'y', 'c', 'o', 's', 't', '.', 0)
#define MARK_ENDPOINT TEXT8('e', 'n', 'd', 'p', 'o', 'i', 'n', 't')
#define MARK_TAG TEXT8('t', 'a', 'g', 0, 0, 0, 0, 0)
#define MARK_REQUEST TEXT8('r', 'e', 'q', 'u', 'e', 's', 't', '.')
#define MARK_BEGIN TEXT8('b', 'e', 'g', 'i', 'n', 0, 0, 0)
#define MARK_END TEXT8('e', 'n', 'd', 0, 0, 0, 0, 0)

__noinline int audited(__u64 event, __u64 args)
{
	__u64 words[3] = {};

	if (bpf_probe_read_user_str(words, 8, (void *)event) != 8 || words[0] != MARK_PREFIX ||
	    bpf_probe_read_user_str(words, sizeof(words), (void *)(event + 7)) < 0)
		return 0;
	if (words[0] == MARK_ENDPOINT && !(__u8)words[1])
		return mark_endpoint(args);
	if ((words[0] & 0xffffffff) == MARK_TAG)
		return mark_tags(args);
	if (words[0] == MARK_REQUEST && (words[1] & 0xffffffffffff) == MARK_BEGIN)
		return mark_begin(args);
	if (words[0] == MARK_REQUEST && (words[1] & 0xffffffff) == MARK_END)
		return mark_end(args);
	return 0;
}

#define SITE(n)                                                                                    \
	SEC("uprobe") int on_audit_##n(void *ctx)                                                  \
	{                                                                                          \
		__u64 event = arg_read(ctx, &audit_args[n][0]);                                    \
		audited(event, arg_read(ctx, &audit_args[n][1]));                                  \
		return 0;                                                                          \
	}
SITE(0)
SITE(1)
SITE(2)
SITE(3)
SITE(4)
SITE(5)
SITE(6)
SITE(7)

char LICENSE[] SEC("license") = "GPL";
