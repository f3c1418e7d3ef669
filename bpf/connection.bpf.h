/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connections of served processes, inbound and outbound.
 */
#ifndef PYCOST_CONNECTION_BPF_H
#define PYCOST_CONNECTION_BPF_H

#include <stddef.h>
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
	struct connection_key key; /* file 0: a free row */
	__u32 tgid; /* that opened it, or used it first; user space knows where this is */
	__u32 row;
	__u8 role;
	__u8 guessed;  /* by what went through it first */
	__u8 class;    /* of back end */
	__u8 answered; /* something was received since it was last sent to */
	__u8 tls;      /* what goes through it is not what is said */
	__u8 receiving; /* a request has begun, and not ended; */
	__u8 lined;	/* and its first line is sound */
	__u8 pad;
	__u32 fd; /* that it had when it was met: by_sockets only */
	__u32 pad2;
	/* Outbound: when it was asked, or the last answer until now came; by which request. */
	__u64 asked, asker;
	/* Inbound: requests whose answers have not ended, the oldest at `first`. */
	__u64 queue[PIPELINE];
	__u32 first, end;
	struct http_parser in, out;
};

/* By row; rows to be had are in a stack that user space fills. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WIRE_MAX_CONNECTIONS);
	__type(key, __u32);
	__type(value, struct connection);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, WIRE_MAX_CONNECTIONS);
	__uint(value_size, sizeof(__u32));
} free_connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WIRE_MAX_CONNECTIONS);
	__type(key, struct connection_key);
	__type(value, __u32); /* row */
} connection_rows SEC(".maps");

static __always_inline struct connection *connection_at(__u32 row, const struct connection_key *key)
{
	struct connection *c = bpf_map_lookup_elem(&connections, &row);

	return c && key->file && key_is(&c->key, key) ? c : 0;
}

static __always_inline struct connection *connection_find(const struct connection_key *key)
{
	__u32 *row = bpf_map_lookup_elem(&connection_rows, key);

	return row ? connection_at(*row, key) : 0;
}

/* The connection s->key; most often the one that the thread was last about. */
static __always_inline struct connection *connection_of(struct server *s)
{
	struct connection *c = connection_at(s->connection, &s->key);

	if (c)
		return c;
	c = connection_find(&s->key);
	if (c)
		s->connection = c->row;
	return c;
}

/* Its requests are in vain. */
static __always_inline int connection_is_given_up(struct server *s)
{
	const struct connection *c = connection_of(s);

	return c && c->role == ROLE_OTHER && c->first != c->end;
}

/* Of the current process: nobody may have told that it was closed. */
static __always_inline int connection_is_open(const struct connection_key *key)
{
	const struct connection *c = connection_find(key);

	return c && (!by_sockets || socket_is(c->fd, key));
}

/* It is closed.  Whoever deletes the entry gives the row back. */
static __always_inline void connection_forget(struct connection *c)
{
	struct connection_key key = c->key;
	__u32 row = c->row;

	if (bpf_map_delete_elem(&connection_rows, &key))
		return;
	c->key.file = 0;
	bpf_map_push_elem(&free_connections, &row, BPF_ANY);
}

/* What was left by another with the same key is none any more. */
static __always_inline int connection_enter(const struct connection *new)
{
	struct connection_key key = new->key;
	__u32 row = new->row;
	struct connection *old;

	if (!bpf_map_update_elem(&connection_rows, &key, &row, BPF_NOEXIST))
		return 0;
	old = connection_find(&key);
	if (old)
		connection_forget(old);
	return bpf_map_update_elem(&connection_rows, &key, &row, BPF_NOEXIST);
}

/* A new connection s->key. */
static __always_inline struct connection *connection_make(struct server *s, __u8 role)
{
	struct connection *c;
	__u32 row = 0;

	if (bpf_map_pop_elem(&free_connections, &row) ||
	    !(c = bpf_map_lookup_elem(&connections, &row))) {
		lose(WIRE_LOSS_CONNECTIONS);
		return 0;
	}
	__builtin_memset(c, 0, offsetof(struct connection, in));
	c->key = s->key;
	c->row = row;
	c->role = role;
	c->tgid = s->tgid;
	c->fd = s->fd;
	http_begin(&c->in, HTTP_KIND_DETECT);
	http_begin(&c->out, HTTP_KIND_RESPONSE);
	if (!connection_enter(c)) {
		s->connection = row;
		return c;
	}
	c->key.file = 0;
	bpf_map_push_elem(&free_connections, &row, BPF_ANY);
	lose(WIRE_LOSS_CONNECTIONS);
	return 0;
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
