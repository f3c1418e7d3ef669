/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls to back ends: what a served process sends to others and waits for.
 *
 * A call begins when something is sent and ends with the last that is received before
 * the next is sent.  It belongs to the request that the sender worked for.
 */
#ifndef PYCOST_BACKEND_BPF_H
#define PYCOST_BACKEND_BPF_H

#include "bpf/connection.bpf.h"

/* An address of a class of back ends; host 0: any. */
struct backend_key {
	__u32 host[4]; /* as in struct in_addr, in6_addr */
	__u64 path;    /* the hash of a Unix socket's */
	__u32 family, port;
};

#define BACKEND_ADDRESSES 256

/* User space fills it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BACKEND_ADDRESSES);
	__type(key, struct backend_key);
	__type(value, __u32); /* class */
} backends SEC(".maps");

const volatile __u32 backend_other = WIRE_BACKENDS - 1; /* the class of all others */

static __always_inline __u32 backend_class(const struct peer *peer)
{
	struct backend_key key = {.family = peer->family, .port = peer->port, .path = peer->path};
	__u32 *found;

	__builtin_memcpy(key.host, peer->host, sizeof(key.host));
	found = bpf_map_lookup_elem(&backends, &key);
	if (found)
		return *found;
	__builtin_memset(key.host, 0, sizeof(key.host));
	if (key.family != AF_UNIX)
		key.family = 0;
	found = bpf_map_lookup_elem(&backends, &key);
	return found ? *found : backend_other;
}

static __always_inline struct wire_backend_use *backend_use(__u64 request, __u32 class)
{
	struct wire_request *r = request_find(request);

	return r ? &r->backends[class & (WIRE_BACKENDS - 1)] : 0;
}

/* Something was sent, in a call entered at s->enter_ns. */
static __always_inline void backend_sent(struct server *s, struct connection *c)
{
	struct wire_backend_use *use;

	if (c->asked && !c->answered)
		return;
	c->asked = s->enter_ns;
	c->answered = 0;
	c->asker = s->owner;
	use = backend_use(c->asker, c->class);
	if (use)
		__sync_fetch_and_add(&use->calls, 1);
}

static __always_inline void backend_received(struct connection *c, __u64 ns)
{
	struct wire_backend_use *use = c->asked ? backend_use(c->asker, c->class) : 0;

	if (use)
		__sync_fetch_and_add(&use->ns, ns - c->asked);
	if (c->asked)
		c->asked = ns;
	c->answered = 1;
}

#endif
