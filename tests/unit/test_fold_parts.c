/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a fold leaves out, and what it makes of requests that were not simply seen. */
#include <errno.h>
#include <string.h>

#include "tests/unit/received.h"
#include "tests/unit/sample.h"
#include "tests/unit/suites.h"
#include "userspace/histogram.h"

/* Whatever is cut, all that was measured is in both views, and it is said how much was. */
static void test_limits(void)
{
	struct fold_options narrow = { .max_costs = 100, .max_paths = 50 };
	struct received all = { 0 }, some = { 0 };
	struct fold *f = shop_fold(&all, (struct fold_options){ .path_share = 1e-12 });
	uint32_t functions = 0;

	CU_ASSERT(!sample_large(fold_sink(f), 20000));
	fold_free(f);
	f = shop_fold(&some, narrow);
	CU_ASSERT(!sample_large(fold_sink(f), 20000));
	fold_free(f);
	CU_ASSERT_FATAL(all.count == 1 && some.count == 1);
	CU_ASSERT(all.batches[0].cost_count > 1900 && all.batches[0].path_cost_count > 15000);
	CU_ASSERT(counter(&all, "cut.functions") == 0);
	CU_ASSERT(some.batches[0].cost_count <= 101 && some.batches[0].cost_count > 90);
	CU_ASSERT(some.batches[0].path_cost_count <= 101);
	CU_ASSERT_EQUAL(counter(&some, "cut.functions"),
			all.batches[0].cost_count - (some.batches[0].cost_count - 1));
	CU_ASSERT(counter(&some, "cut.paths") > 15000);
	CU_ASSERT(costs_sum(&all) > 0);
	CU_ASSERT_EQUAL(costs_sum(&some), costs_sum(&all));
	CU_ASSERT_EQUAL(paths_sum(&some), costs_sum(&all));
	CU_ASSERT_EQUAL(paths_sum(&all), costs_sum(&all));
	for (uint32_t i = 0; i < some.batches[0].function_count; i++)
		functions += !strcmp(some.batches[0].functions[i].qualname, FOLD_OTHER);
	CU_ASSERT_EQUAL(functions, 1);
	received_free(&all);
	received_free(&some);
}

static void test_known(void)
{
	struct received r = { .knows = true };
	struct fold *f = shop_fold(&r, (struct fold_options){ 0 });

	CU_ASSERT(!sample_shop(fold_sink(f), METRIC_INSTRUCTIONS));
	CU_ASSERT(r.count == 1 && r.batches[0].cost_count > 5);
	CU_ASSERT(!r.batches[0].function_count && !r.batches[0].path_count);
	fold_free(f);
	received_free(&r);
}

/* Process 101 is unknown, and a child of 100. */
static int process_tags_of(void *arg, uint32_t pid, struct slice_tags *to)
{
	if (pid != 100)
		return -ESRCH;
	slice_tags_set(to, "service", "mine");
	return 0;
}

static int nobody(void *arg, uint32_t pid, struct slice_tags *to)
{
	return -ESRCH;
}

static void test_processes(void)
{
	static const struct batch_tag none[] = { { "region", "eu" } };
	struct fold_options o = { .process = process_tags_of, .tags = none, .tag_count = 1 };
	struct received r = { 0 };
	struct fold *f = shop_fold(&r, o);

	CU_ASSERT(!sample_shop(fold_sink(f), METRIC_INSTRUCTIONS));
	CU_ASSERT_FATAL(r.count == 1);
	for (uint32_t i = 0; i < r.batches[0].slice_count; i++) {
		const struct batch_slice *slice = &r.batches[0].slices[i];

		CU_ASSERT_STRING_EQUAL(batch_slice_tag(slice, "service"), "mine");
		CU_ASSERT_STRING_EQUAL(batch_slice_tag(slice, "region"), "eu");
	}
	CU_ASSERT(costs_sum(&r) > 60000000);
	CU_ASSERT_EQUAL(counter(&r, "cut.facts"), 0);
	fold_free(f);
	received_free(&r);
	o.process = nobody;
	f = shop_fold(&r, o);
	CU_ASSERT(!sample_shop(fold_sink(f), METRIC_INSTRUCTIONS));
	CU_ASSERT(r.count == 1 && !r.batches[0].cost_count);
	CU_ASSERT_EQUAL(counter(&r, "cut.facts"), 2);
	fold_free(f);
	received_free(&r);
	o.process = NULL;
	f = shop_fold(&r, o);
	CU_ASSERT(sample_shop(fold_sink(f), METRIC_INSTRUCTIONS) == -ENODATA);
	fold_free(f);
}

/* Requests that were probed, without what the probes cost. */
static int tell_probed(struct sink *to)
{
	struct sink_meta meta = { .metric = METRIC_INSTRUCTIONS, .host = "h", .kernel = "k",
				  .version = "v", .requests = true,
				  .start_realtime_ns = 1700000000000000000 };
	struct sink_calibration k = { .id = 1, .python = "", .build_id = "", .entry = 100,
				      .exit = 20 };
	struct sink_process p = { 100, 0, "", "", "", 1 };
	struct sink_endpoint e = { 1, ENDPOINT_PATTERN, "GET", "/", 0 };
	struct sink_group g = { 1, 1, 100, 0, 200, GROUP_EXACT };
	struct sink_bin bin = { 2000, 10 };
	struct sink_requests r = { .group = 1, .count = 10, .bins = { &bin, &bin, &bin },
				   .bin_counts = { 1, 1, 1 } };

	bin.bin = histogram_bin(2000);
	r.sums[REQUEST_COST] = 20000;
	r.sums[REQUEST_PROBED_CALLS] = 50;
	r.squares[REQUEST_COST] = 4e7;
	CU_ASSERT(!to->meta(to, &meta) && !to->calibration(to, &k) && !to->process(to, &p));
	CU_ASSERT(!to->endpoint(to, &e) && !to->group(to, &g) && !to->requests(to, &r));
	return to->end(to, 1000000000);
}

static void test_probed(void)
{
	struct received r = { 0 };
	struct fold *f = shop_fold(&r, (struct fold_options){ 0 });
	const struct batch_requests *q;

	CU_ASSERT(!tell_probed(fold_sink(f)));
	CU_ASSERT_FATAL(r.count == 1 && r.batches[0].request_count == 1);
	q = r.batches[0].requests;
	CU_ASSERT_EQUAL(q->sums[REQUEST_COST], 14000); /* without 50 calls of 120 */
	CU_ASSERT_DOUBLE_EQUAL(q->squares[REQUEST_COST], 4e7 * 0.49, 1);
	CU_ASSERT_FATAL(q->bin_counts[DISTRIBUTION_COST] == 1);
	CU_ASSERT_EQUAL(q->bins[DISTRIBUTION_COST][0].bin, histogram_bin(1400));
	CU_ASSERT_EQUAL(q->bins[DISTRIBUTION_LATENCY][0].bin, histogram_bin(2000));
	CU_ASSERT_EQUAL(counter(&r, "requests.probed"), 10);
	fold_free(f);
	received_free(&r);
}

static int tell_phases(struct sink *to)
{
	struct sink_meta meta = { .metric = METRIC_INSTRUCTIONS, .host = "h", .kernel = "k",
				  .version = "v", .requests = true, .no_functions = true,
				  .budget = 100, .start_realtime_ns = 1700000000000000000 };
	struct sink_endpoint e = { 1, ENDPOINT_PATTERN, "GET", "/", 0 };
	struct sink_group g = { 1, 1, 100, 0, 200, 0 };
	struct sink_requests r = { .group = 1, .count = 10 };
	struct sink_phase phases[] = { { 900000000, 100000000 }, { 300000000, 100000000 } };
	struct sink_phase tail = { 700000000, 0 };

	CU_ASSERT(!to->meta(to, &meta) && !to->endpoint(to, &e) && !to->group(to, &g));
	CU_ASSERT(!to->requests(to, &r) && !to->phase(to, &phases[0]));
	CU_ASSERT(!to->requests(to, &r) && !to->flush(to, 40500000000)); /* the next minute */
	CU_ASSERT(!to->phase(to, &phases[1]) && !to->flush(to, 41000000000));
	CU_ASSERT(!to->requests(to, &r) && !to->flush(to, 102000000000)); /* and the third */
	CU_ASSERT(!to->flush(to, 112000000000));
	CU_ASSERT(!to->requests(to, &r) && !to->phase(to, &phases[0]) && !to->phase(to, &tail));
	return to->end(to, 113000000000);
}

/* Of ten seen in a tenth of the time, a hundred; and the phase is in the minute it began in. */
static void test_phases(void)
{
	static const double estimates[] = { 100 + 40, 40, 170 };
	struct received r = { 0 };
	struct fold *f = shop_fold(&r, (struct fold_options){ 0 });

	CU_ASSERT(!tell_phases(fold_sink(f)));
	CU_ASSERT_FATAL(r.count == 3);
	for (int i = 0; i < 3; i++) {
		const struct batch_requests *q = r.batches[i].requests;

		CU_ASSERT_FATAL(r.batches[i].request_count == 1);
		CU_ASSERT_EQUAL(q->count, i ? 10 : 20);
		CU_ASSERT_DOUBLE_EQUAL(q->estimate, estimates[i], 1e-6);
		CU_ASSERT(q->estimate_variance >= (i == 1 ? 10 * 4 * 3 : 10 * 10 * 9) - 1e-6);
	}
	CU_ASSERT(r.batches[0].requests->estimate_variance >= 10 * 10 * 9 + 10 * 4 * 3 - 1e-6);
	fold_free(f);
	received_free(&r);
}

int suite_fold_parts(void)
{
	static CU_TestInfo tests[] = {
		{ "requests that were probed", test_probed },
		{ "requests that were watched in phases", test_phases },
		{ "what is cut is other", test_limits },
		{ "names that are known", test_known },
		{ "whose a process is", test_processes },
		CU_TEST_INFO_NULL,
	};

	return suite_register("fold_parts", tests);
}
