/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may be spent: how far measuring steps down when it takes more than its share, and
 * when it may step up again.
 *
 * A look that finds a share exceeded steps down at once, and by one step only: the next
 * look gives it time to show. Up it goes after a calm while, which doubles, up to an hour,
 * each time that it was in vain.
 */
#ifndef PYCOST_BUDGET_H
#define PYCOST_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/* What is measured at a level. */
struct budget_plan {
	bool exact;	   /* in its turns */
	unsigned rate;	   /* parts of eight of the samples that were asked for */
	unsigned requests; /* parts of eight of what requests may cost */
	bool nothing;	   /* not even requests */
	const char *what;  /* in words, of this level */
};

#define BUDGET_LEVELS 8
const struct budget_plan *budget_plan(unsigned level); /* 0: all of it */

struct budget_limits {
	double host, targets; /* shares: see usage.h */
};

struct budget {
	unsigned level;
	bool settling;	     /* a look is left out after a step */
	unsigned calm;	     /* looks since it was last too much */
	unsigned patience;   /* as many of these to step up */
	unsigned since_up;   /* looks; 0: it has not stepped up yet */
	uint64_t exceeded, downs, ups;
};

void budget_init(struct budget *b);
/* Every ten seconds or so. -1: a step down, 1: up, 0: as before. */
int budget_look(struct budget *b, const struct budget_limits *limits, double host, double targets);

#endif
