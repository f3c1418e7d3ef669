/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>
#include <stdlib.h>

#include "tests/unit/suites.h"
#include "userspace/histogram.h"

/* Each bin begins where the one before ends, and is narrow enough. */
static void test_bins(void)
{
	CU_ASSERT(histogram_low(0) == 0 && histogram_high(HISTOGRAM_BINS - 1) == UINT64_MAX);
	for (unsigned bin = 0; bin < HISTOGRAM_BINS; bin++) {
		uint64_t low = histogram_low(bin), high = histogram_high(bin);

		CU_ASSERT_FATAL(low <= high);
		CU_ASSERT(histogram_bin(low) == bin && histogram_bin(high) == bin);
		CU_ASSERT(!bin || low == histogram_high(bin - 1) + 1);
		CU_ASSERT(low < HISTOGRAM_EXACT ? low == high : high - low + 1 <= low / 32);
	}
	CU_ASSERT(histogram_bin(UINT64_MAX) == HISTOGRAM_BINS - 1);
}

static uint64_t noise(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

static int value_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

#define VALUES 5000
static const double quantiles[] = { 0, 0.01, 0.5, 0.9, 0.99, 0.999, 1 };

/* The error is what the header says, for values of all sizes. */
static void test_quantiles(void)
{
	static uint64_t values[VALUES];
	struct histogram h = { 0 };
	uint64_t state = 1;

	for (int i = 0; i < VALUES; i++) {
		values[i] = noise(&state) << noise(&state) % 33 >> noise(&state) % 40;
		CU_ASSERT_FATAL(!histogram_add(&h, values[i]));
	}
	qsort(values, VALUES, sizeof(*values), value_compare);
	CU_ASSERT(bins_total(h.bins, h.count) == VALUES);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(*quantiles); i++) {
		int rank = fmax(1, ceil(quantiles[i] * VALUES));
		uint64_t truth = values[rank - 1], q = bins_quantile(h.bins, h.count, quantiles[i]);

		CU_ASSERT(fabs((double)q - truth) <= truth / 64.0);
	}
	CU_ASSERT(bins_quantile(NULL, 0, 0.5) == 0);
	histogram_free(&h);
}

static void test_merge(void)
{
	struct histogram all = { 0 }, parts[3] = { { 0 } }, merged = { 0 };
	uint64_t state = 7;

	for (int i = 0; i < VALUES; i++) {
		uint64_t value = noise(&state) % 100000;

		CU_ASSERT(!histogram_add(&all, value));
		CU_ASSERT(!histogram_add(&parts[i % 3], value));
	}
	for (int i = 0; i < 3; i++)
		CU_ASSERT(!histogram_merge(&merged, parts[i].bins, parts[i].count));
	CU_ASSERT_EQUAL_FATAL(merged.count, all.count);
	for (uint32_t i = 0; i < all.count; i++)
		CU_ASSERT(merged.bins[i].bin == all.bins[i].bin &&
			  merged.bins[i].count == all.bins[i].count);
	CU_ASSERT(!histogram_merge(&merged, NULL, 0) && merged.count == all.count);
	histogram_empty(&merged);
	CU_ASSERT(!merged.count && !histogram_merge(&merged, all.bins, 2) && merged.count == 2);
	histogram_free(&all);
	histogram_free(&merged);
	for (int i = 0; i < 3; i++)
		histogram_free(&parts[i]);
}

/* Of many runs, about 95 % have the truth within the range: no fewer than 93 %. */
static void test_range(void)
{
	uint64_t state = 3, low, high;
	int within = 0;

	for (int run = 0; run < 1000; run++) {
		struct histogram h = { 0 };

		for (int i = 0; i < 400; i++)
			CU_ASSERT_FATAL(!histogram_add(&h, 1000 + noise(&state) % 100000));
		CU_ASSERT_FATAL(bins_quantile_range(h.bins, h.count, 0.9, &low, &high));
		within += low <= 91000 && high >= 91000;
		histogram_free(&h);
	}
	CU_ASSERT(within >= 930);
}

static void test_range_of_few(void)
{
	struct histogram h = { 0 };
	uint64_t low, high;

	for (int i = 0; i < 20; i++)
		CU_ASSERT_FATAL(!histogram_add(&h, i));
	CU_ASSERT(!bins_quantile_range(h.bins, h.count, 0.99, &low, &high));
	CU_ASSERT(bins_quantile_range(h.bins, h.count, 0.5, &low, &high) && low < 9 && high > 10);
	CU_ASSERT(!bins_quantile_range(NULL, 0, 0.5, &low, &high));
	histogram_free(&h);
}

int suite_histogram(void)
{
	CU_TestInfo tests[] = {
		{ "bins", test_bins },
		{ "quantiles", test_quantiles },
		{ "merge", test_merge },
		{ "range of a quantile", test_range },
		{ "range of few values", test_range_of_few },
		CU_TEST_INFO_NULL,
	};

	return suite_register("histogram", tests);
}
