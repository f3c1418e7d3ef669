/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the agent; private to them. All in its one thread,
   but for what is in the workshop. */
#ifndef PYCOST_AGENT_PARTS_H
#define PYCOST_AGENT_PARTS_H

#include "userspace/agent/agent.h"
#include "userspace/agent/board.h"
#include "userspace/agent/budget.h"
#include "userspace/agent/roster.h"
#include "userspace/agent/sender.h"
#include "userspace/agent/spool.h"
#include "userspace/agent/usage.h"
#include "userspace/agent/workshop.h"
#include "userspace/session.h"

struct agent {
	struct agent_config *config;
	const char *path;
	struct spool *spool;
	struct sender *sender;
	struct board *board;
	struct roster *roster;
	struct usage usage;
	struct budget budget;
	struct workshop *workshop; /* the next session, and the last one */
	struct measuring *now;	   /* NULL: nothing is measured */
	const char *reason;	   /* of the next session */
	struct tag_list scratch;
	bool wanted; /* somebody is chosen, and there is no session */
	unsigned failures; /* to open one, in a row */
	uint64_t retry_ns; /* not before */
	uint64_t inexact_until_s; /* this turn of exact costs is in vain */
	struct board_numbers numbers;
	struct session_status closed; /* sums over the sessions that are closed */
	uint64_t unwatched_since_ns;  /* 0: all is watched */
	uint64_t unwatched_ns, unwatched_told_ns; /* of it, in batches */
	struct spool_status told;     /* what of it is in batches already */
	uint64_t looked_ns, tidied_ns, numbers_ns, memory_told_ns;
};

/* agent.c: tells board and service manager that the loop turns, once a second at most. */
void agent_alive(struct agent *a);

/* agent_session.c */
/* Opens, renews or closes as it is time. */
void agent_session_look(struct agent *a, uint64_t now_ns);
/* For up to so long; without a session it waits. */
void agent_session_poll(struct agent *a, int timeout_ms);
/* What it has borrowed is free then. */
void agent_session_end(struct agent *a);
/* For roster_look(): arg is the agent. */
int agent_session_attach(void *agent, pid_t pid);
/* All sessions together. */
void agent_session_numbers(struct agent *a, struct board_numbers *ret);
void agent_unwatched_add(struct agent *a, uint64_t now_ns);

/* agent_batch.c: for struct fold_options; arg is the agent. */
int agent_batch_emit(void *agent, const struct batch *b);

#endif
