/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each call path costs without the probes that measured it.
 *
 * The probes at a call's start run inside the callee and those at its end, for
 * the larger part, inside the caller.  With the calibration of its process,
 *
 *	self(n) = self_raw(n) - calls(n) * entry - search_self(n)
 *		- sum over children c: calls(c) * exit + search_caller(c)
 *	cumulative(n) = self(n) + sum over children c: cumulative(c)
 *
 * The calibration was measured apart from the target, maybe at another pace of
 * the machine.  But no call costs less than an empty one (`plain`), so whatever
 * makes many calls bounds from above what the probes can have added to each.
 * Where the calibration says more, it is scaled down to the tightest bound.
 *
 * A calibration has an error, so a path that does next to nothing can come out
 * below zero.  It is shown as 0, and what is missing is taken from its caller:
 * what a call adds in all is known better than how that falls on the two sides
 * of it.  So sums stay honest: every total is the raw total minus what the
 * calibration says, and every format and view adds up to the same number.  Only
 * what is missing at a root has nobody to pay for it; that is `unpaid`.
 *
 * A sampled measurement has no probes: nothing is taken out, and the errors are those
 * of the samples (estimate.h).
 */
#ifndef PYCOST_COST_H
#define PYCOST_COST_H

#include "userspace/profile.h"

/*
 * The metric itself, or what was counted beside it in kernel mode.  Both are
 * corrected alike, each by its own part of the calibration.  Of the latter an
 * unprobed call has nothing, and instead of searches there are lone hits of probes.
 */
enum cost_of {
	COST_METRIC,
	COST_KERNEL,
};

struct costs {
	/* By node; slot 0 is everything. */
	uint64_t *self;
	uint64_t *cumulative;
	uint64_t *cumulative_raw;
	/* By node: what the calibration's errors, or the samples' chance, leave open. */
	double *self_error;
	double *cumulative_error;
	/* By calibration: its scale, at most 1, and the calls it was applied to. */
	double *scale;
	uint64_t *calibrated_calls;
	double *searched; /* by calibration: what was taken out for line numbers, or lone hits */
	uint64_t clamped; /* paths that came out below 0 */
	uint64_t unpaid;  /* what all is too high for it */
};

/* raw: as if nothing had been calibrated. */
int costs_compute(const struct profile *p, enum cost_of what, bool raw, struct costs *ret);
void costs_free(struct costs *c);

#endif
