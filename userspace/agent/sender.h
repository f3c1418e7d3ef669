/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends what is in the spool, the oldest first, in a thread of its own. What cannot be sent
 * now is tried again, after a while that grows and is never the same for two hosts; what
 * the collector will never take goes aside.
 */
#ifndef PYCOST_SENDER_H
#define PYCOST_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent_config;
struct sender;
struct spool;

/* What it needs of c is copied. */
int sender_start(const struct agent_config *c, struct spool *spool, struct sender **ret, char *err,
		 size_t errlen);
/* After this every attempt is by the new configuration. The old holds when it is no good. */
int sender_config(struct sender *s, const struct agent_config *c, char *err, size_t errlen);
/* Goes on for at most so long while batches wait and the collector takes them; then ends. */
void sender_stop(struct sender *s, int linger_ms);

struct sender_status {
	uint64_t attempts, failures, refusals, bytes; /* refusals: 401 and 403 */
	uint64_t late; /* batches sent with a duplicate's answer: they were there already */
	double last_sent_s; /* Unix time; 0: none yet */
	double next_s;	    /* when it is tried again; 0: nothing failed */
	char trouble[256];  /* why the last attempt failed; "" */
};
void sender_status(struct sender *s, struct sender_status *ret);

#endif
