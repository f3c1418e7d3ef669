/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exact profiles of one request in N: when whose probes are on.
 *
 * One process is armed at a time: its probes come on, then it is told how many of the
 * requests that begin from now on are to be captured, and when these have ended its
 * probes go off.  So a captured request is probed from its beginning to its end, and all
 * others run at full speed.  A request is chosen by when it begins, whatever it turns out
 * to be: its chance does not depend on how long it takes.
 *
 * After k captured requests, k N have to be served, by all processes, until the next
 * ones; when within these is left to chance.  The process armed is the one that has
 * just served a request: so those that serve more are armed more often.  As only one is
 * armed at a time, the share cannot be more than its share of all requests.
 *
 * Where only some requests are seen, each stands for the others, too; and only such can be
 * captured.
 */
#ifndef PYCOST_ARMING_H
#define PYCOST_ARMING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct arming;

/* How far the armed process is. */
struct arming_progress {
	uint32_t left;	/* requests that have still to begin */
	uint64_t begun; /* captured ones, since the process was armed */
	uint64_t ended; /* of these */
};

struct arming_ops {
	/* Switches the probes of a process on; -errno.  off() waits for nothing. */
	int (*on)(void *arg, pid_t pid);
	void (*off)(void *arg, pid_t pid);
	/* The next `count` requests that it begins are captured; 0: none, whoever it is. */
	void (*arm)(void *arg, pid_t pid, uint32_t count);
	void (*progress)(void *arg, struct arming_progress *ret);
	uint64_t (*clock)(void *arg); /* ns */
	void *arg;
};

/* every: one request in so many is captured. */
int arming_new(unsigned every, const struct arming_ops *ops, struct arming **ret);
void arming_free(struct arming *a);

/* A request has ended, of those that count, which stands for so many. */
void arming_served(struct arming *a, pid_t pid, double many);
/* Requests that begin from now on may be captured, or not: nobody is armed for these. */
void arming_allow(struct arming *a, bool allow);
/* Some process is: it may have requests in flight that are captured. */
bool arming_armed(const struct arming *a);
/* Somebody would be armed now, if that were allowed. */
bool arming_due(const struct arming *a);
/* A process has ended. */
void arming_gone(struct arming *a, pid_t pid);

/* Arms and disarms as it is time; to be called whenever something may have happened. */
void arming_look(struct arming *a);
/* How long it may take until then, in ms. */
int arming_patience(const struct arming *a);

/* Nothing begins any more; true when none that was captured is under way. */
bool arming_finish(struct arming *a);

struct arming_status {
	uint64_t served, captured;
	uint64_t broken; /* that took too long, or ended with their process: not whole */
	uint64_t failed; /* processes that could not be armed, */
	int error;	 /* and why not, the last time: -errno */
};
void arming_status(const struct arming *a, struct arming_status *ret);

#endif
