/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/histogram.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/saturate.h"

#define PARTS_BITS 5
#define CONFIDENCE 1.959964 /* of a normal distribution, 95 % are within so many deviations */

_Static_assert(HISTOGRAM_PARTS == 1 << PARTS_BITS, "bits of the parts");
_Static_assert(HISTOGRAM_BINS == (64 - PARTS_BITS + 1) * HISTOGRAM_PARTS, "bins of all values");

unsigned histogram_bin(uint64_t value)
{
	unsigned octave;

	if (value < HISTOGRAM_EXACT)
		return value;
	octave = 63 - __builtin_clzll(value);
	/* The highest bit and the five below it. */
	return (octave - PARTS_BITS) * HISTOGRAM_PARTS + (value >> (octave - PARTS_BITS));
}

uint64_t histogram_low(unsigned bin)
{
	unsigned shift;

	if (bin < HISTOGRAM_EXACT)
		return bin;
	if (bin >= HISTOGRAM_BINS)
		return UINT64_MAX;
	shift = bin / HISTOGRAM_PARTS - 1;
	return (uint64_t)(HISTOGRAM_PARTS + bin % HISTOGRAM_PARTS) << shift;
}

uint64_t histogram_high(unsigned bin)
{
	return bin + 1 < HISTOGRAM_BINS ? histogram_low(bin + 1) - 1 : UINT64_MAX;
}

static uint64_t bin_middle(unsigned bin)
{
	uint64_t low = histogram_low(bin);

	return low + (histogram_high(bin) - low) / 2;
}

static int histogram_reserve(struct histogram *h, size_t count)
{
	struct sink_bin *bins;

	if (count <= h->capacity)
		return 0;
	count += count / 2 + 8;
	bins = reallocarray(h->bins, count, sizeof(*bins));
	if (!bins)
		return -ENOMEM;
	h->bins = bins;
	h->capacity = count;
	return 0;
}

/* Where the bin is, or would be put. */
static uint32_t bin_find(const struct histogram *h, unsigned bin)
{
	uint32_t low = 0, high = h->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (h->bins[middle].bin < bin)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int histogram_add(struct histogram *h, uint64_t value)
{
	unsigned bin = histogram_bin(value);
	uint32_t at = bin_find(h, bin);

	if (at == h->count || h->bins[at].bin != bin) {
		if (histogram_reserve(h, h->count + 1))
			return -ENOMEM;
		memmove(h->bins + at + 1, h->bins + at, (h->count - at) * sizeof(*h->bins));
		h->bins[at] = (struct sink_bin){ .bin = bin };
		h->count++;
	}
	h->bins[at].count = saturating_add(h->bins[at].count, 1);
	return 0;
}

/* How many of them are not in it yet. */
static size_t bins_missing(const struct histogram *h, const struct sink_bin *bins, size_t count)
{
	size_t missing = 0, at = 0;

	for (size_t i = 0; i < count; i++) {
		while (at < h->count && h->bins[at].bin < bins[i].bin)
			at++;
		missing += at == h->count || h->bins[at].bin != bins[i].bin;
	}
	return missing;
}

int histogram_merge(struct histogram *h, const struct sink_bin *bins, size_t count)
{
	size_t from = h->count, to = h->count + bins_missing(h, bins, count);
	int err = histogram_reserve(h, to);

	if (err)
		return err;
	h->count = to;
	/* From the end, so that nothing is overwritten before it has moved. */
	while (count) {
		bool mine = from && h->bins[from - 1].bin >= bins[count - 1].bin;
		bool same = mine && h->bins[from - 1].bin == bins[count - 1].bin;

		h->bins[--to] = mine ? h->bins[--from] : bins[--count];
		if (same)
			h->bins[to].count = saturating_add(h->bins[to].count, bins[--count].count);
	}
	return 0;
}

void histogram_empty(struct histogram *h)
{
	h->count = 0;
}

void histogram_free(struct histogram *h)
{
	free(h->bins);
	*h = (struct histogram){ 0 };
}

uint64_t bins_total(const struct sink_bin *bins, size_t count)
{
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++)
		total = saturating_add(total, bins[i].count);
	return total;
}

/* The bin that the value of this rank, from 1 on, is in; there is one. */
static unsigned bin_of_rank(const struct sink_bin *bins, size_t count, double rank)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		sum = saturating_add(sum, bins[i].count);
		if (sum >= rank)
			return bins[i].bin;
	}
	return bins[count - 1].bin;
}

uint64_t bins_quantile(const struct sink_bin *bins, size_t count, double q)
{
	uint64_t total = bins_total(bins, count);

	return total ? bin_middle(bin_of_rank(bins, count, fmax(1, ceil(q * total)))) : 0;
}

bool bins_quantile_range(const struct sink_bin *bins, size_t count, double q, uint64_t *ret_low,
			 uint64_t *ret_high)
{
	double total = bins_total(bins, count);
	double error = CONFIDENCE * sqrt(total * q * (1 - q));
	double low = floor(q * total - error), high = ceil(q * total + error) + 1;

	if (low < 1 || high > total)
		return false;
	*ret_low = histogram_low(bin_of_rank(bins, count, low));
	*ret_high = histogram_high(bin_of_rank(bins, count, high));
	return true;
}
