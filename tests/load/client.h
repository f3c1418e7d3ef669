/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection: what it still has to send, and the requests whose answers it awaits. */
#ifndef PYCOST_LOAD_CLIENT_H
#define PYCOST_LOAD_CLIENT_H

#include "tests/load/load.h"

struct pending {
	const struct kind *kind;
	char id[LOAD_ID_MAX];
	char path[LOAD_PATH_MAX];
	uint64_t begun;	 /* ns */
	size_t from, to; /* its bytes in `out` */
};

enum client_end {
	CLIENT_LIVES = 0,
	CLIENT_ENDED,  /* by the server, or as we please: to be connected anew */
	CLIENT_ABORTS, /* by us, in mid-request */
};

struct client {
	int fd; /* -1: none */
	bool connecting, wants_out;
	bool whole; /* no more requests on this connection */
	bool alone; /* the one pending is not to be followed by others yet */
	const struct kind *next; /* chosen, and not begun yet */
	struct bytes out;
	size_t written, limit; /* of `out`; how far it may be sent by now */
	struct pending queue[LOAD_DEPTH_MAX];
	unsigned first, count, made; /* made: on this connection */
	struct answer answer;
	uint64_t wake; /* ns; 0: it does not sleep */
	unsigned sleeper; /* its place among those who do */
};

struct load;
void client_open(struct client *c);  /* a new connection's state */
void client_add(struct client *c, const struct load_options *o, const struct kind *k,
		const char *id, struct dice *d, uint64_t now);
/* Each goes as far as it can. */
enum client_end client_write(struct client *c, struct dice *d, uint64_t now);
enum client_end client_read(struct client *c, struct tally *t, uint64_t now);
bool client_may_add(const struct client *c, const struct load_options *o);
/* Tells what became of those pending; how many were not begun to be sent. */
unsigned client_close(struct client *c, struct tally *t, bool aborted, struct dice *d);

#endif
