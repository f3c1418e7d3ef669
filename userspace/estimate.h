/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far a sampled measurement may be off.
 *
 * Each of N samples falls on a function, a line or an opcode with the probability p
 * that is its share of the metric: how many do is binomial, n of N.  So the estimate
 * n * period has the standard error period * sqrt(N * p * (1 - p)).  As p is not
 * known, (n + 1) / (N + 2) stands in for it, the mean of what it may be after n of N:
 * with n / N a function that was seen once would be hardly surer than one seen never,
 * and both 0 and all samples would seem certain.  Of a cumulative cost likewise, as a
 * sample is within a function or is not.
 *
 * It is of the samples' chance alone: what was lost, and what stands still in step
 * with the sampling, is not in it.
 */
#ifndef PYCOST_ESTIMATE_H
#define PYCOST_ESTIMATE_H

#include <stddef.h>
#include <stdint.h>

#include "userspace/sink.h"

/* Of n samples out of all; UINT64_MAX when it does not fit. */
uint64_t estimate_cost(uint64_t n, uint64_t period);
/* Its standard error, in units of the metric; 0 when there is no sample at all. */
double estimate_error(uint64_t n, uint64_t all, uint64_t period);

/* n of all and its standard error, in percent. */
double estimate_percent(uint64_t n, uint64_t all);
double estimate_percent_error(uint64_t n, uint64_t all);

/* "12,345" */
#define ESTIMATE_COUNT_SIZE 32
void estimate_count_text(char out[ESTIMATE_COUNT_SIZE], uint64_t count);

/* "1 sample per 10.10 ms on CPU (99 Hz)", "1 sample per 10.10 M instructions" */
void estimate_period_text(char *out, size_t size, const struct sink_meta *meta);

#endif
