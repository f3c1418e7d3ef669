/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connections of served processes, inbound and outbound.
 */
#ifndef PYCOST_CONNECTION_BPF_H
#define PYCOST_CONNECTION_BPF_H

#include "bpf/http.bpf.h"
#include "bpf/serving.bpf.h"

enum connection_role {
	ROLE_UNKNOWN,
	ROLE_INBOUND,  /* requests come in */
	ROLE_OUTBOUND, /* to a back end */
	ROLE_OTHER,    /* nothing that is looked at any more */
};

#define PIPELINE 16 /* requests of a connection that wait for their answers: a power of 2 */

struct connection {
	__u8 role;
	__u8 guessed;  /* by what went through it first */
	__u8 class;    /* of back end */
	__u8 answered; /* something was received since it was last sent to */
	__u8 tls;      /* what goes through it is not what is said */
	__u8 receiving; /* a request has begun, and not ended; */
	__u8 lined;	/* and its first line is sound */
	__u8 pad;
	__u32 tgid; /* that opened it, or used it first; user space knows where this is */
	__u32 pad2;
	/* Outbound: when it was asked, or the last answer until now came; by which request. */
	__u64 asked, asker;
	/* Inbound: requests whose answers have not ended, the oldest at `first`. */
	__u64 queue[PIPELINE];
	__u32 first, end;
	struct http_parser in, out;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WIRE_MAX_CONNECTIONS);
	__type(key, struct connection_key);
	__type(value, struct connection);
} connections SEC(".maps");

static const struct connection no_connection;

static __always_inline struct connection *connection_find(const struct connection_key *key)
{
	return bpf_map_lookup_elem(&connections, key);
}

static __always_inline struct connection *connection_make(const struct connection_key *key,
							  __u8 role, __u32 tgid)
{
	struct connection *c;

	if (bpf_map_update_elem(&connections, key, &no_connection, BPF_ANY) ||
	    !(c = connection_find(key))) {
		lose(WIRE_LOSS_CONNECTIONS);
		return 0;
	}
	c->role = role;
	c->tgid = tgid;
	http_begin(&c->in, HTTP_KIND_DETECT);
	http_begin(&c->out, HTTP_KIND_RESPONSE);
	return c;
}

/* The oldest request without a whole answer; 0: none. */
static __always_inline __u64 connection_oldest(const struct connection *c)
{
	return c->first != c->end ? c->queue[c->first & (PIPELINE - 1)] : 0;
}

/* The request whose bytes come in. */
static __always_inline __u64 connection_newest(const struct connection *c)
{
	return c->first != c->end ? c->queue[(c->end - 1) & (PIPELINE - 1)] : 0;
}

#endif
