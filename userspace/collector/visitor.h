/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections, and until when each may take for what it does next: one that sends a byte
 * now and then is never idle, and would stay for ever.
 */
#ifndef PYCOST_VISITOR_H
#define PYCOST_VISITOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct visitor {
	struct visitor *next, **link;
	int fd; /* the server's */
	uint64_t deadline_ns; /* 0: none; under the list's lock */
	char address[48]; /* as text */
	bool cut;
	/* The names of its certificate, once it was asked for; by one thread only. */
	unsigned names_generation;
	int name_count; /* as serve_tls_names() returned */
	char (*names)[256];
};

struct visitors {
	pthread_mutex_t lock;
	struct visitor *first;
};

void visitors_init(struct visitors *v);
/* All of them must have left. */
void visitors_free(struct visitors *v);

struct sockaddr;
/* NULL: no memory. */
struct visitor *visitor_add(struct visitors *all, int fd, const struct sockaddr *address,
			    uint64_t deadline_ns);
/* Before its descriptor is closed. */
void visitor_remove(struct visitors *all, struct visitor *v);
void visitor_until(struct visitors *all, struct visitor *v, uint64_t deadline_ns);

/* Shuts down those whose time is over; returns how many. */
size_t visitors_cut(struct visitors *all, uint64_t now_ns);

#endif
