/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lives of served processes: when they were born and died and of what, what they
 * served and how large they were.
 */
#ifndef PYCOST_WORKER_LIFE_H
#define PYCOST_WORKER_LIFE_H

#include <stdbool.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/wire_request.h"

struct sink;
struct worker_lives;

struct worker_lives_options {
	struct sink *sink;
	/* Totals of a process so far; -errno: it is not known. May be NULL. */
	int (*totals)(void *arg, pid_t pid, struct wire_served *ret);
	void *arg;
	/*
	 * Requests, and costs, are seen in phases.  Requests are scaled up; CPU time is that of
	 * the process's own clock, and costs are in proportion to it.
	 */
	bool by_phases;
};

int worker_lives_new(const struct worker_lives_options *o, struct worker_lives **ret);
void worker_lives_free(struct worker_lives *l);

/* The measurement began then, by CLOCK_MONOTONIC; before it nobody was born. */
void worker_lives_begin(struct worker_lives *l, uint64_t at_ns);

/* It lives, and is served from now on. -ENOMEM, as the others. */
int worker_lives_add(struct worker_lives *l, pid_t pid);
int worker_lives_event(struct worker_lives *l, const struct wire_event_life *e);
/* One of its requests has ended. */
int worker_lives_request(struct worker_lives *l, pid_t pid, uint64_t cost);

/* A phase is over: each request that has ended in it stands for so many. */
void worker_lives_phase(struct worker_lives *l, double weight);

/* What was counted of those that live stands for so much more. */
void worker_lives_scale(struct worker_lives *l, double factor);

/* Tells of those that have died since; last: of those too that live on. The sink's error. */
int worker_lives_tell(struct worker_lives *l, bool last);

#endif
