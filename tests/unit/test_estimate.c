/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors of estimates, and samples added up by function, caller and place. */
#include <math.h>

#include "tests/unit/shop_report.h"
#include "userspace/estimate.h"
#include "userspace/leaves.h"
#include "userspace/places.h"

static bool is_near(double value, double expected)
{
	return fabs(value - expected) <= 1e-9 * fabs(expected);
}

static void test_errors(void)
{
	/* 100 samples, 25 of them here: p is 26/102. */
	CU_ASSERT(is_near(estimate_error(25, 100, 10), 10 * sqrt(100 * (26 / 102.) * (76 / 102.))));
	/* Neither nothing nor everything is certain, and both are as uncertain. */
	CU_ASSERT(is_near(estimate_error(0, 98, 1), sqrt(98 * .01 * .99)));
	CU_ASSERT(is_near(estimate_error(98, 98, 1), estimate_error(0, 98, 1)));
	CU_ASSERT(estimate_error(0, 0, 1000) == 0);
	CU_ASSERT(is_near(estimate_percent_error(25, 100), estimate_error(25, 100, 1)));
	CU_ASSERT(estimate_percent(25, 200) == 12.5 && estimate_percent(0, 0) == 0);
	CU_ASSERT(estimate_percent_error(0, 0) == 0);
	/* Four times the samples, half the error. */
	CU_ASSERT(fabs(estimate_percent_error(4000, 40000) / estimate_percent_error(1000, 10000) -
		       0.5) < 1e-3);
	/* What foreign files may hold. */
	CU_ASSERT(estimate_error(UINT64_MAX, 5, 1) >= 0);
	CU_ASSERT(isfinite(estimate_error(UINT64_MAX, UINT64_MAX, UINT64_MAX)));
	CU_ASSERT(estimate_cost(UINT64_MAX, 2) == UINT64_MAX && estimate_cost(7, 1000) == 7000);
}

/* The error says how estimates scatter: 4,000 sampled runs of a share that is known. */
static void test_errors_are_true(void)
{
	static const double shares[] = { 0.02, 0.3, 0.9 };
	enum { RUNS = 4000, SAMPLES = 500 };
	uint64_t seed = 88172645463325252ull;

	for (size_t s = 0; s < sizeof(shares) / sizeof(*shares); s++) {
		double within = 0;

		for (int run = 0; run < RUNS; run++) {
			uint64_t n = 0;

			for (int i = 0; i < SAMPLES; i++) {
				seed ^= seed << 13;
				seed ^= seed >> 7;
				seed ^= seed << 17;
				n += (seed >> 11) * 0x1p-53 < shares[s];
			}
			within += fabs(n - SAMPLES * shares[s]) <= estimate_error(n, SAMPLES, 1);
		}
		/* 68 % of a normal distribution; counts are whole, so it is coarse. */
		CU_ASSERT(within / RUNS > 0.62 && within / RUNS < 0.78);
	}
}

static void check_count(uint64_t count, const char *expected)
{
	char text[ESTIMATE_COUNT_SIZE];

	estimate_count_text(text, count);
	CU_ASSERT_STRING_EQUAL(text, expected);
}

static void check_period(enum metric metric, uint64_t period, const char *expected)
{
	struct sink_meta meta = { .metric = metric, .period = period };
	char text[96];

	estimate_period_text(text, sizeof(text), &meta);
	CU_ASSERT_STRING_EQUAL(text, expected);
}

static void test_texts(void)
{
	check_count(0, "0");
	check_count(999, "999");
	check_count(12345, "12,345");
	check_count(UINT64_MAX, "18,446,744,073,709,551,615");
	check_period(METRIC_TASK_CLOCK, 10101010, "1 sample per 10.10 ms on CPU (99 Hz)");
	check_period(METRIC_TASK_CLOCK, 400000000, "1 sample per 400.0 ms on CPU (2.5 Hz)");
	check_period(METRIC_INSTRUCTIONS, 20000000, "1 sample per 20.00 M instructions");
}

static void test_rows(void)
{
	struct report r = shop_report_sampled(METRIC_INSTRUCTIONS);
	const struct call_costs *fib = &r.functions.rows[3].costs;

	CU_ASSERT(report_is_sampled(&r) && report_samples(&r) == 120);
	CU_ASSERT(r.costs.cumulative[0] == 120000 && r.costs.cumulative_raw[0] == 120000);
	CU_ASSERT(fib->samples == 15 && fib->self == 15000 && !fib->calls);
	/* 15 of each process; of the recursion only the outermost. */
	CU_ASSERT(fib->cumulative_samples == 30 && fib->cumulative == 30000);
	/* Not the sum of the errors of its call paths. */
	CU_ASSERT(is_near(fib->self_error, estimate_error(15, 120, 1000)));
	CU_ASSERT(is_near(fib->cumulative_error, estimate_error(30, 120, 1000)));
	CU_ASSERT(is_near(r.costs.self_error[5], estimate_error(70, 120, 1000)));
	CU_ASSERT(is_near(r.costs.cumulative_error[6], estimate_error(15, 120, 1000)));
	CU_ASSERT(r.costs.clamped == 0 && r.costs.unpaid == 0);
	for (size_t i = 0; i < r.functions.edge_count; i++)
		CU_ASSERT(!r.functions.edges[i].costs.calls &&
			  r.functions.edges[i].costs.cumulative_error > 0);
	shop_report_free(&r);
}

static void check_place(const struct place *place, uint32_t where, uint64_t samples,
			uint64_t in_kernel, uint64_t cumulative)
{
	CU_ASSERT(place->place == where && place->samples == samples);
	CU_ASSERT(place->in_kernel == in_kernel && place->cumulative == cumulative);
}

static void test_places(void)
{
	struct report r = shop_report_sampled(METRIC_INSTRUCTIONS);
	struct places places;
	const struct place *v;
	uint64_t cumulative = 0;
	size_t count;

	CU_ASSERT_FATAL(!places_compute(&r, PLACE_LINE, true, &places));
	v = places_of(&places, 3, &count); /* fib: the innermost of 3 at 5, as was the outermost */
	CU_ASSERT_EQUAL_FATAL(count, 2);
	check_place(&v[0], 5, 15, 0, 15);
	check_place(&v[1], 6, 0, 0, 15);
	for (size_t i = 0; i < count; i++)
		cumulative += v[i].cumulative;
	CU_ASSERT_EQUAL(cumulative, r.functions.rows[3].costs.cumulative_samples);
	CU_ASSERT_PTR_NULL(places_of(&places, 999, &count));
	CU_ASSERT_EQUAL(count, 0);
	free(places.v);

	CU_ASSERT_FATAL(!places_compute(&r, PLACE_STATE, false, &places));
	CU_ASSERT_EQUAL_FATAL(places.count, 4);
	check_place(&places.v[0], SAMPLE_RUNS, 103, 0, 0);
	check_place(&places.v[2], SAMPLE_GIL, 6, 6, 0);
	free(places.v);

	CU_ASSERT_FATAL(!places_compute(&r, PLACE_OPCODE, true, &places));
	v = places_of(&places, 2, &count);
	CU_ASSERT_EQUAL_FATAL(count, 2);
	check_place(&v[0], place_opcode(12, 171), 60, 0, 0);
	check_place(&v[1], place_opcode(12, 25), 10, 6, 0);
	free(places.v);
	shop_report_free(&r);
}

/* One name under two callers is one place. */
static void test_natives_of_one_name(void)
{
	struct sink_native twice = { 5, 3, "sha256_compress", "/usr/lib/libcrypto.so.3" };
	struct sink_sample sample = { 5, 12, 5, SINK_NO_OPCODE, SAMPLE_RUNS, false, 1 };
	struct report r = shop_report_sampled(METRIC_INSTRUCTIONS);
	struct sink *sink = (struct sink *)&r.profile->sink;
	struct places places;

	CU_ASSERT(!sink->native(sink, &twice) && !sink->sample(sink, &sample));
	CU_ASSERT_FATAL(!places_compute(&r, PLACE_NATIVE, false, &places));
	CU_ASSERT_EQUAL_FATAL(places.count, 5);
	check_place(&places.v[1], 2, 31, 0, 0);
	free(places.v);
	shop_report_free(&r);
}

static void test_leaves(void)
{
	struct report r = shop_report_sampled(METRIC_INSTRUCTIONS);
	struct tally leaves;
	const struct leaf *v;
	uint64_t all = 0;

	CU_ASSERT_FATAL(!leaves_compute(&r, false, &leaves));
	v = leaves.items;
	for (uint32_t i = 0; i < leaves.count; i++) {
		all += v[i].samples;
		CU_ASSERT(!i || v[i].order >= v[i - 1].order);
	}
	CU_ASSERT_EQUAL(all, 120);
	CU_ASSERT_EQUAL(leaves.count, 8); /* 10 samples, three of them at one line in one state */
	tally_clear(&leaves);
	shop_report_free(&r);
}

int suite_estimate(void)
{
	CU_TestInfo tests[] = {
		{ "errors", test_errors },
		{ "errors are true", test_errors_are_true },
		{ "texts", test_texts },
		{ "rows", test_rows },
		{ "places", test_places },
		{ "natives of one name", test_natives_of_one_name },
		{ "leaves", test_leaves },
		CU_TEST_INFO_NULL,
	};

	return suite_register("estimate", tests);
}
