/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How values are spread: counts by bins that are as wide as their values are large.
 *
 * Below HISTOGRAM_EXACT each value has a bin of its own; beyond, each power of two is cut
 * into HISTOGRAM_PARTS bins of the same width. So no bin is wider than a 32nd of its lowest
 * value, and its middle is off by at most a 64th (1.6 %) of what was counted. That is the
 * error of a quantile that the bins make; what chance makes depends on the count alone, and
 * bins_quantile_range() tells it.
 */
#ifndef PYCOST_HISTOGRAM_H
#define PYCOST_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/sink.h"

#define HISTOGRAM_PARTS 32
#define HISTOGRAM_EXACT 64
#define HISTOGRAM_BINS 1920 /* of all 64 bits; on disk: never to change */

unsigned histogram_bin(uint64_t value);
uint64_t histogram_low(unsigned bin);  /* the least value in it */
uint64_t histogram_high(unsigned bin); /* the greatest */

/* All zero: empty. */
struct histogram {
	struct sink_bin *bins; /* ascending, none empty */
	uint32_t count;
	uint32_t capacity;
};

/* -ENOMEM: nothing has changed. */
int histogram_add(struct histogram *h, uint64_t value);
int histogram_merge(struct histogram *h, const struct sink_bin *bins, size_t count);
void histogram_empty(struct histogram *h); /* keeps the memory */
void histogram_free(struct histogram *h);

/* For any bins that are ascending. */
uint64_t bins_total(const struct sink_bin *bins, size_t count);
/*
 * The middle of the bin that the value of rank ceil(q * total) is in, the least value of
 * rank 1: q of 0.5 is the median.  0 when there is none.
 */
uint64_t bins_quantile(const struct sink_bin *bins, size_t count, double q);
/*
 * Where the quantile of all requests like these is, with a confidence of 95 %: by the
 * ranks q * n -+ 1.96 * sqrt(n * q * (1 - q)), from the lower end of one bin to the upper
 * end of another.  False: too few values to bound it on either side.
 */
bool bins_quantile_range(const struct sink_bin *bins, size_t count, double q, uint64_t *ret_low,
			 uint64_t *ret_high);

#endif
