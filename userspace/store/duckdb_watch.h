/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Statements that may only take so long: a thread interrupts those that take longer. It is
 * started by the first of them.
 */
#ifndef PYCOST_DUCKDB_WATCH_H
#define PYCOST_DUCKDB_WATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "userspace/store/duckdb_link.h"

struct duck_watched {
	struct duck_link *link;
	uint64_t until_ns; /* CLOCK_MONOTONIC */
	bool interrupted;
	struct duck_watched *next;
};

struct duck_watch {
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t thread;
	bool runs, stop;
	struct duck_watched *first;
};

void duck_watch_init(struct duck_watch *w);
/* Nothing is watched any more. */
void duck_watch_close(struct duck_watch *w);

/* Before and after a statement of this connection. -EAGAIN: no thread is to be had. */
int duck_watch_begin(struct duck_watch *w, struct duck_watched *v, struct duck_link *link,
		     uint64_t until_ns);
/* Whether it was interrupted. */
bool duck_watch_end(struct duck_watch *w, struct duck_watched *v);

#endif
