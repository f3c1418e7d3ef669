/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What measuring takes: our own CPU time, and that of our programs in the kernel, which
 * run on the time of whom they measure.
 *
 * The kernel keeps the programs' times only while it is asked to (BPF_ENABLE_STATS, Linux
 * 5.8), which costs two looks at a clock for each run: so it is asked for a part of the
 * time, and that part stands for all of it. What a run costs besides the program, the trap
 * or interrupt that leads to it, is added by kind, by what it takes on a machine of today.
 */
#ifndef PYCOST_USAGE_H
#define PYCOST_USAGE_H

#include <stdbool.h>
#include <stdint.h>

#define USAGE_WINDOW_S 10 /* one measurement each */
#define USAGE_STATS_S 2	  /* of it, with the programs' times */

struct usage {
	int stats;	       /* the kernel keeps times while it is open; -1 */
	uint64_t began, asked; /* ns: of the window; since when times are kept */
	uint64_t own;	       /* ns, at its begin */
	uint64_t programs;     /* ns, when they were asked for */
	bool no_stats;	       /* not to be had: programs count as nothing, which is told */
	unsigned cpus;
};

struct usage_shares {
	double own, programs; /* of one CPU */
	double host;	      /* both, of all of this host's */
	double targets;	      /* the programs', of the targets' own time */
};

void usage_init(struct usage *u);
void usage_clear(struct usage *u);

/*
 * To be called about once a second. True once a window: *ret is what it came to.
 * targets_ns(arg) says how much CPU time the targets had since it was last asked.
 */
bool usage_look(struct usage *u, uint64_t now_ns, uint64_t (*targets_ns)(void *arg), void *arg,
		struct usage_shares *ret);

#endif
