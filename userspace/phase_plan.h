/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When requests are to be watched, so that it costs no more than a budget: an account of
 * what may be spent and what was.
 *
 * What may be spent is a share of the CPU time that the served processes take, or of half
 * of one CPU's when they take less: so those that are mostly idle are watched always.  What
 * is owed after a phase says how long the next one has to wait; a random part of that
 * keeps phases from going along with whatever is periodic in what they watch.
 */
#ifndef PYCOST_PHASE_PLAN_H
#define PYCOST_PHASE_PLAN_H

#include <stdint.h>

#define BUDGET_UNIT 10000u /* a budget is in parts of so many: 100 are 1 % */

/* Of a number of percent, as an option has it; 0: it is none, or beyond 0.01 to 100. */
unsigned budget_parse(const char *percent);

struct phase_plan {
	unsigned budget;
	double balance; /* ns; below 0: owed */
	double rate;	/* earning time goes so much faster than time: 0.5 or more, smoothed */
};

void phase_plan_init(struct phase_plan *p, unsigned budget);
/* So much time has passed, in which served processes took so much CPU time. */
void phase_plan_earn(struct phase_plan *p, uint64_t wall_ns, uint64_t cpu_ns);
/* Watching has cost so much, in all. */
void phase_plan_spend(struct phase_plan *p, double cost_ns);
/* ns until the next phase; 0: there is no need to wait.  random: any 32 bits. */
uint64_t phase_plan_gap(const struct phase_plan *p, uint32_t random);

#endif
