/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>
#include <string.h>

#include "tests/unit/suites.h"
#include "userspace/phase_estimate.h"

#define MS 1000000ull

static uint64_t noise(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

static double uniform(uint64_t *state)
{
	return noise(state) / 2147483648.0;
}

/*
 * Requests that come at a rate that changes all the time, watched in phases: what there
 * were, and the estimate of them.
 */
static double simulate(uint64_t *state, int phases, double *ret_estimate, double *ret_error)
{
	struct phase_times t = { 0 };
	struct phase_sum s = { 0 };
	double all = 0, rate = 500;
	uint64_t left = 0, length = 0;
	int done = 0, seen = 0;
	uint64_t gap = 3000 * MS;

	while (done < phases) {
		/* One millisecond. */
		double mean = rate / 1000, n = 0;

		for (int i = 0; i < 4; i++)
			n += uniform(state) < mean / 4;
		all += n;
		if (uniform(state) < 0.002)
			rate = 100 + 900 * uniform(state);
		if (gap > MS) {
			gap -= MS;
			length += MS;
			left = 500 * MS;
			continue;
		}
		seen += n;
		left -= MS;
		if (left)
			continue;
		if (phase_times_add(&t, length, 500 * MS))
			phase_sum_merge(&s);
		phase_sum_add(&t, &s, phase_weight(length, 500 * MS), seen, seen);
		gap = (1500 + noise(state) % 3000) * MS;
		length = seen = 0;
		done++;
	}
	*ret_estimate = s.sum;
	*ret_error = phase_sum_error(&t, &s);
	return all;
}

/* As often within its error as it should be, for few phases and for many batches of them. */
static void test_errors_hold(void)
{
	uint64_t state = 3;
	int one = 0, three = 0;
	double bias = 0;

	for (int i = 0; i < 100; i++) {
		double estimate, error, all = simulate(&state, i % 2 ? 20 : 90, &estimate, &error);

		one += fabs(estimate - all) < error;
		three += fabs(estimate - all) < 3 * error;
		bias += (estimate - all) / all / 100;
	}
	CU_ASSERT(one >= 55 && one <= 85);
	CU_ASSERT(three >= 97);
	CU_ASSERT(fabs(bias) < 0.02);
}

static void test_all_watched(void)
{
	struct phase_times t = { 0 };
	struct phase_sum s = { 0 };

	CU_ASSERT(phase_share(&t) == 1);
	for (int i = 0; i < 1000; i++) {
		if (phase_times_add(&t, 0, 500 * MS))
			phase_sum_merge(&s);
		phase_sum_add(&t, &s, phase_weight(0, 500 * MS), i, i);
	}
	CU_ASSERT(s.sum == 999 * 500 && phase_sum_error(&t, &s) == 0 && phase_share(&t) == 1);
	CU_ASSERT(t.count <= PHASE_BATCHES && t.phases == 1000);
}

/* Put together or not, the sums are the same; and two sums are as one of both. */
static void test_batches(void)
{
	struct phase_times t = { 0 };
	struct phase_sum a = { 0 }, b = { 0 }, both = { 0 };
	double sum = 0, times = 0;

	for (int i = 0; i < 777; i++) {
		if (phase_times_add(&t, i * MS, 500 * MS)) {
			phase_sum_merge(&a);
			phase_sum_merge(&b);
			phase_sum_merge(&both);
		}
		phase_sum_add(&t, &a, 2, i, i);
		phase_sum_add(&t, &b, 2, 5, 5);
		phase_sum_add(&t, &both, 2, i + 5, i + 5);
	}
	for (uint32_t i = 0; i < t.count; i++) {
		sum += a.batches[i];
		times += t.batches[i];
	}
	CU_ASSERT(t.size == 16 && t.count == 49 && t.filled == 777 - 48 * 16);
	CU_ASSERT(sum == a.sum && times == (double)t.gap_ns + t.watched_ns);
	phase_sum_join(&a, &b);
	CU_ASSERT(a.sum == both.sum && a.chance == both.chance);
	CU_ASSERT(!memcmp(a.batches, both.batches, sizeof(a.batches)));
}

/* Of few phases, within twice their error as often as it should be. */
static void test_few_phases(void)
{
	uint64_t state = 5;

	for (int phases = 2; phases <= 5; phases++) {
		int two = 0;

		for (int i = 0; i < 200; i++) {
			double estimate, error, all = simulate(&state, phases, &estimate, &error);

			two += fabs(estimate - all) < 2 * error;
		}
		CU_ASSERT(two >= 180);
	}
}

/* One that stands for most of the time, and a short one before the load began. */
static void test_late_load(void)
{
	struct phase_times t = { 0 };
	struct phase_sum s = { 0 };

	phase_times_add(&t, 0, 500 * MS);
	phase_sum_add(&t, &s, phase_weight(0, 500 * MS), 0, 0);
	phase_times_add(&t, 118500 * MS, 500 * MS);
	phase_sum_add(&t, &s, phase_weight(118500 * MS, 500 * MS), 174, 174);
	CU_ASSERT(fabs(s.sum - 41412) < 1 && phase_sum_error(&t, &s) > s.sum - 20000);
}

/* In those that stand for themselves alone, probes slow a worker down: that is no error. */
static void test_probed_phases(void)
{
	struct phase_times t = { 0 };
	struct phase_sum s = { 0 };

	for (int i = 0; i < 10; i++) {
		phase_times_add(&t, 4000 * MS, 500 * MS);
		phase_sum_add(&t, &s, phase_weight(4000 * MS, 500 * MS), 500, 500);
		phase_times_add(&t, 0, 500 * MS);
		phase_sum_add(&t, &s, phase_weight(0, 500 * MS), 250, 250);
	}
	CU_ASSERT(s.sum == 47500 && phase_sum_error(&t, &s) < 0.02 * s.sum);
}

/* One phase says nothing of others: all that was not seen may be otherwise. */
static void test_one_phase(void)
{
	struct phase_times t = { 0 };
	struct phase_sum s = { 0 };

	phase_times_add(&t, 900 * MS, 100 * MS);
	phase_sum_add(&t, &s, phase_weight(900 * MS, 100 * MS), 100, 100);
	CU_ASSERT(s.sum == 1000);
	CU_ASSERT(fabs(sqrt(phase_sum_variance(&t, &s)) - sqrt(100 * 10 * 9)) < 1e-9);
	CU_ASSERT(fabs(phase_sum_error(&t, &s) - 900) < 1e-9);
	t.tail_ns = 1000 * MS;
	CU_ASSERT(phase_share(&t) == 0.05);
}

int suite_phase_estimate(void)
{
	CU_TestInfo tests[] = {
		{ "errors hold", test_errors_hold },
		{ "all watched", test_all_watched },
		{ "batches", test_batches },
		{ "few phases", test_few_phases },
		{ "late load", test_late_load },
		{ "probed phases", test_probed_phases },
		{ "one phase", test_one_phase },
		CU_TEST_INFO_NULL,
	};

	return suite_register("phase estimate", tests);
}
