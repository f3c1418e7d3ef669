/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What measuring takes: our own CPU time, and that of our programs in the kernel, which
 * run on the time of whom they measure.
 *
 * The kernel keeps the programs' times only while it is asked to (BPF_ENABLE_STATS, Linux
 * 5.8), which costs two looks at a clock for each run: so it is asked for a part of the
 * time, and that part stands for all of it. What a run costs besides the program, the trap
 * or interrupt that leads to it, is added by kind, by what it takes on a machine of today.
 *
 * Some programs run for every process of the host and have nothing to do for most. Of what
 * these take the targets bear their part of the CPU time that is used, or all that is more
 * than a look that finds nothing, whichever is more.
 */
#ifndef PYCOST_USAGE_H
#define PYCOST_USAGE_H

#include <stdbool.h>
#include <stdint.h>

#define USAGE_WINDOW_S 10 /* one measurement each */
#define USAGE_STATS_S 2	  /* of it, with the programs' times; all of a session's first */

struct usage {
	int stats;	       /* the kernel keeps times while it is open; -1 */
	uint64_t began, asked; /* ns: of the window; since when times are kept */
	uint64_t own;	       /* ns, at its begin */
	struct usage_programs {
		uint64_t probes; /* ns: of those in processes that we have put probes into */
		uint64_t everywhere, runs; /* ns, and how often: of all others */
	} programs; /* when they were asked for */
	uint64_t busy; /* clock ticks of all CPUs, at the window's begin */
	bool no_stats;	       /* not to be had: programs count as nothing, which is told */
	unsigned cpus;
	uint64_t once; /* ns of our own, spent once, of which each window has a part */
	uint64_t apart; /* ns of our own that no window has as a whole, ever */
	uint64_t once_began; /* own ns when it began */
	bool beside;	     /* such work is under way in other threads */
	uint64_t beside_began, beside_loop; /* own ns and the loop's when it began */
	bool opened; /* a session: the window began with it */
	uint64_t opened_own; /* ns: own by then */
};

struct usage_shares {
	double own, programs; /* of one CPU */
	double host;	      /* both, of all of this host's */
	double targets;	      /* the programs' in the targets, of the targets' own time */
};

void usage_init(struct usage *u);
void usage_clear(struct usage *u);

/*
 * What takes much and is done seldom counts as if it was spent over an hour, whatever window
 * it falls in: to open a session and to let go of one, and what it takes us, but not our
 * programs, in the window that begins with it: all that it meets is new to it.
 */
void usage_once_begin(struct usage *u);
void usage_once_end(struct usage *u);
/* The same of all threads but the one that calls, which goes on as always. */
void usage_beside_begin(struct usage *u);
void usage_beside_end(struct usage *u);
/* A window begins. first: nobody was measured until now. */
void usage_opened(struct usage *u, bool first);

/*
 * To be called about once a second, but not while programs are being unloaded: what they
 * took goes with them. True once a window: *ret is what it came to.
 * targets_ns(arg) says how much CPU time the targets had since it was last asked.
 */
bool usage_look(struct usage *u, uint64_t now_ns, uint64_t (*targets_ns)(void *arg), void *arg,
		struct usage_shares *ret);

#endif
