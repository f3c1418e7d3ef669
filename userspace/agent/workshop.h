/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What takes seconds and must not be waited for: to make the next session ready while the
 * last one still measures, and to let go of that. One piece of work at a time, in a thread
 * that touches nothing else of the agent's; all of this is called by one other thread.
 */
#ifndef PYCOST_WORKSHOP_H
#define PYCOST_WORKSHOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/agent/measuring.h"

struct workshop;

enum workshop_state {
	WORKSHOP_IDLE,
	WORKSHOP_OPENING,
	WORKSHOP_DROPPING,
	WORKSHOP_DONE, /* with either: workshop_take() */
};

/* What came of it. */
struct workshop_work {
	bool opening;		/* and not dropping */
	struct measuring *made; /* the caller's; NULL: it failed */
	bool fell_back;		/* asked for exact costs, which are not to be had */
	char why[512];		/* of both failures */
	uint64_t began_ns;	/* monotonic */
};

int workshop_new(struct workshop **ret);
/* Waits until it has ended what it does, and throws that away. NULL: nothing. */
void workshop_free(struct workshop *w);

/*
 * To open a session, prepared for these processes. Where an exact one cannot be had, it is
 * one that samples. Only while idle; what o points to stays until the work is taken. -errno:
 * no thread.
 */
int workshop_open(struct workshop *w, const struct measuring_options *o, const pid_t *pids, size_t count);
/* It is the workshop's from now on. While not idle, or where no thread is to be had: here and now. */
void workshop_drop(struct workshop *w, struct measuring *m);

enum workshop_state workshop_state(struct workshop *w);
/* When done: it is idle then. */
void workshop_take(struct workshop *w, struct workshop_work *ret);

#endif
