/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the agent says of itself, for who asks by HTTP: /metrics as OpenMetrics, /health.
 * The loop puts its numbers up about once a second; a thread of its own answers.
 */
#ifndef PYCOST_BOARD_H
#define PYCOST_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/agent/roster.h"
#include "userspace/agent/sender.h"
#include "userspace/agent/spool.h"
#include "userspace/agent/usage.h"
#include "userspace/sink.h"

struct board_numbers {
	uint64_t at_ns; /* when they were put up */
	bool measuring; /* a session is open */
	bool exact;	/* of exact costs */
	char trouble[256]; /* why nothing is measured; "" */
	struct roster_status roster;
	uint64_t requests, samples, calls; /* seen, all sessions together */
	uint64_t losses[LOSS_MAX];	   /* likewise */
	uint64_t sessions, failed_sessions, exact_turns;
	uint32_t paths; /* of the session */
	double unwatched_s; /* when no session was open, or not all was attached to it yet */
	struct usage_shares shares;
	bool no_program_times;
	double budget_host, budget_targets;
	unsigned level;
	uint64_t exceeded, downs, ups;
	uint64_t batches, names, reloads, failed_reloads;
};

struct board;

/* listen: "127.0.0.1:7681", "[::1]:7681". Errors in words. What is given outlives it. */
int board_open(const char *listen, struct spool *spool, struct sender *sender, struct board **ret,
	       char *err, size_t errlen);
void board_close(struct board *b); /* NULL: nothing */
/* b may be NULL. */
void board_put(struct board *b, const struct board_numbers *n);

/* The text of /metrics; to be freed; NULL: no memory. */
char *board_metrics(const struct board_numbers *n, const struct spool_status *spool,
		    const struct sender_status *sender, size_t *ret_size);

#endif
