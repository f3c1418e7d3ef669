/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sums of what was watched in phases only: estimates, and how far off they may be.
 *
 * A phase stands for the time from the one before to its own end: what was counted in it
 * is scaled up by that.  How much rates differ from one phase to the next tells the error, as
 * of a ratio (to time) in a sample of clusters; no less than chance makes of single requests
 * that are in the sample or not.  Phases are as long as each other, and their rates as well
 * known, however long what they stand for.  Of many, some that follow each other are one batch.
 */
#ifndef PYCOST_PHASE_ESTIMATE_H
#define PYCOST_PHASE_ESTIMATE_H

#include <stdint.h>

#define PHASE_BATCHES 64

/* The time of the phases. */
struct phase_times {
	uint64_t gap_ns, watched_ns; /* of all */
	uint64_t tail_ns;	     /* the gap after the last */
	uint64_t cost_ns, cpu_ns;    /* as in struct sink_phase */
	uint64_t phases;
	double batches[PHASE_BATCHES]; /* ns that each stands for */
	uint32_t count; /* of batches; */
	uint32_t size;	/* phases in each, and in the last so many: */
	uint32_t filled;
};

/* Of something that is counted: what it adds up to, in all and by batch. */
struct phase_sum {
	double sum;
	double chance; /* the variance that the choice of requests alone makes */
	double batches[PHASE_BATCHES];
};

/* A phase is over: 1 when batches were put together, and phase_sum_merge() is due for all. */
int phase_times_add(struct phase_times *t, uint64_t gap_ns, uint64_t watched_ns);
void phase_sum_merge(struct phase_sum *s);
/* weight: what each of it stands for, of the phase that was added last. */
double phase_weight(uint64_t gap_ns, uint64_t watched_ns);
/* In the phase that was added last: the sum of values, and of their squares. */
void phase_sum_add(const struct phase_times *t, struct phase_sum *s, double weight, double sum,
		   double squares);
/* What two things add up to. */
void phase_sum_join(struct phase_sum *ret, const struct phase_sum *s);
/* The variance of s->sum; of one phase, by chance alone. */
double phase_sum_variance(const struct phase_times *t, const struct phase_sum *s);
/*
 * Twice this is the half of what has the sum in it with 95 % certainty: a standard error, and
 * more than that of few phases, as how much they differ is not known well.  Of a single one:
 * all that was not seen.
 */
double phase_sum_error(const struct phase_times *t, const struct phase_sum *s);
/* That part of the time that requests were watched: 1: always. */
double phase_share(const struct phase_times *t);

#endif
