/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Batches of the sample shop: they add up to its report. */
#include <errno.h>
#include <stdio.h>

#include "tests/unit/shop_report.h"
#include "userspace/fleet/fold.h"
#include "userspace/fleet/sketch.h"

#define LIMIT ((size_t)64 << 20)
#define BATCHES_MAX 8

/* What came out, as a receiver has it. */
struct received {
	struct batch batches[BATCHES_MAX];
	int count;
	bool knows; /* all names */
};

static int receive(void *arg, const struct batch *b)
{
	struct received *r = arg;
	char err[256] = "";
	void *bytes;
	size_t size;

	CU_ASSERT_FATAL(r->count < BATCHES_MAX);
	CU_ASSERT_FATAL(!batch_pack(b, &bytes, &size));
	CU_ASSERT_FATAL(!batch_unpack(bytes, size, LIMIT, &r->batches[r->count++], err,
				      sizeof(err)));
	free(bytes);
	return 0;
}

static bool is_known(void *arg, uint64_t id)
{
	return ((struct received *)arg)->knows;
}

static void received_free(struct received *r)
{
	for (int i = 0; i < r->count; i++)
		batch_free(&r->batches[i]);
}

static const struct batch_tag shop_tags[] = { { "service", "shop" }, { "version", "1.2" } };

static struct fold *shop_fold(struct received *r, struct fold_options o)
{
	struct fold *f;

	*r = (struct received){ .knows = r->knows };
	o.sender = "web-1";
	if (!o.tags) {
		o.tags = shop_tags;
		o.tag_count = 2;
	}
	o.is_known = is_known;
	o.emit = receive;
	o.arg = r;
	CU_ASSERT_FATAL(!fold_create(&o, &f));
	return f;
}

/* Time goes by sixty times as fast. */
static int (*plain_flush)(struct sink *s, uint64_t duration_ns);
static int (*plain_end)(struct sink *s, uint64_t duration_ns);

static int slow_flush(struct sink *s, uint64_t duration_ns)
{
	return plain_flush(s, 60 * duration_ns);
}

static int slow_end(struct sink *s, uint64_t duration_ns)
{
	return plain_end(s, 60 * duration_ns);
}

static void stretch(struct fold *f)
{
	struct sink *s = fold_sink(f);

	plain_flush = s->flush;
	plain_end = s->end;
	s->flush = slow_flush;
	s->end = slow_end;
}

static const struct batch_function *function_of(const struct received *r, uint64_t id)
{
	for (int i = 0; i < r->count; i++)
		for (uint32_t k = 0; k < r->batches[i].function_count; k++)
			if (r->batches[i].functions[k].id == id)
				return &r->batches[i].functions[k];
	return NULL;
}

/* As a report names it. */
static bool is_named(const struct received *r, uint64_t id, const struct report *report,
		     const struct function_row *row)
{
	const struct sink_function *f = &report->profile->functions[row->function];
	const struct batch_function *known = function_of(r, id);

	if (!id || !row->function)
		return !id && !row->function;
	CU_ASSERT_FATAL(known != NULL);
	return known->line == f->line && !strcmp(known->file, f->file) &&
	       !strcmp(known->qualname, f->qualname) && !strcmp(known->wraps, f->wraps);
}

static struct batch_cost summed(const struct received *r, const struct report *report,
				const struct function_row *row, const char *metric)
{
	struct batch_cost sum = { 0 };

	for (int i = 0; i < r->count; i++) {
		const struct batch *b = &r->batches[i];

		for (uint32_t k = 0; k < b->cost_count; k++) {
			const struct batch_cost *c = &b->costs[k];

			if (strcmp(batch_slice_tag(&b->slices[c->slice], "metric"), metric) ||
			    !is_named(r, c->function, report, row))
				continue;
			sum.calls += c->calls;
			sum.samples += c->samples;
			sum.self += c->self;
			sum.cumulative += c->cumulative;
			sum.self_variance += c->self_variance;
		}
	}
	return sum;
}

static void assert_sums(const struct received *r, const struct report *report, bool kernel)
{
	for (size_t i = 0; i < report->functions.row_count; i++) {
		const struct function_row *row = &report->functions.rows[i];
		struct batch_cost sum = summed(r, report, row, kernel ? "instructions:k"
								       : "instructions:u");

		CU_ASSERT_EQUAL(sum.calls, row->costs.calls);
		CU_ASSERT_EQUAL(sum.samples, kernel ? 0 : row->costs.samples);
		CU_ASSERT_EQUAL(sum.self, kernel ? row->costs.kernel_self : row->costs.self);
		CU_ASSERT_EQUAL(sum.cumulative, kernel ? row->costs.kernel_cumulative
						       : row->costs.cumulative);
	}
}

/* Each path that costs anything can be followed to its outermost caller; their sum. */
static uint64_t paths_sum(const struct received *r)
{
	uint64_t sum = 0;

	for (int i = 0; i < r->count; i++)
		for (uint32_t k = 0; k < r->batches[i].path_cost_count; k++) {
			uint64_t path = r->batches[i].path_costs[k].path;
			int steps = 0;

			sum += r->batches[i].path_costs[k].self;
			while (path && steps++ < 1000) {
				const struct batch *b = &r->batches[i];
				uint32_t at = 0;

				while (at < b->path_count && b->paths[at].id != path)
					at++;
				CU_ASSERT_FATAL(at < b->path_count);
				path = b->paths[at].parent;
				CU_ASSERT(!b->paths[at].function ||
					  function_of(r, b->paths[at].function));
			}
			CU_ASSERT(!path);
		}
	return sum;
}

static double counter(const struct received *r, const char *name)
{
	double sum = 0;

	for (int i = 0; i < r->count; i++)
		for (uint32_t k = 0; k < r->batches[i].counter_count; k++)
			if (!strcmp(r->batches[i].counters[k].name, name))
				sum += r->batches[i].counters[k].value;
	return sum;
}

static void test_exact(void)
{
	struct report report = shop_report(METRIC_INSTRUCTIONS);
	struct received r = { 0 };
	struct fold *f = shop_fold(&r, (struct fold_options){ .path_share = 1e-9 });
	const struct batch_slice *slice;

	CU_ASSERT(!sample_shop(fold_sink(f), METRIC_INSTRUCTIONS));
	CU_ASSERT_FATAL(r.count == 1);
	CU_ASSERT(r.batches[0].begin_s == 1699999980 && r.batches[0].seconds == 60);
	assert_sums(&r, &report, false);
	CU_ASSERT_EQUAL(paths_sum(&r), report.costs.cumulative[0]);
	slice = &r.batches[0].slices[r.batches[0].costs[0].slice];
	CU_ASSERT_STRING_EQUAL(batch_slice_tag(slice, "service"), "shop");
	CU_ASSERT_STRING_EQUAL(batch_slice_tag(slice, "host"), "web-1");
	CU_ASSERT_STRING_EQUAL(batch_slice_tag(slice, "mode"), "exact");
	CU_ASSERT_EQUAL(counter(&r, "loss.depth"), 3);
	CU_ASSERT_EQUAL(counter(&r, "loss.clamped"), report.losses[LOSS_CLAMPED]);
	CU_ASSERT_EQUAL(counter(&r, "measured.ns"), 2500000000);
	fold_free(f);
	received_free(&r);
	shop_report_free(&report);
}

static void test_kernel(void)
{
	struct report report = shop_report_of(sample_shop_kernel, METRIC_INSTRUCTIONS);
	struct received r = { 0 };
	struct fold *f = shop_fold(&r, (struct fold_options){ 0 });

	CU_ASSERT(!sample_shop_kernel(fold_sink(f), METRIC_INSTRUCTIONS));
	assert_sums(&r, &report, false);
	assert_sums(&r, &report, true);
	fold_free(f);
	received_free(&r);
	shop_report_free(&report);
}

/* Over two minutes: each sample is in one of them. */
static void test_sampled(void)
{
	struct report report = shop_report_sampled(METRIC_INSTRUCTIONS);
	struct received r = { 0 };
	struct fold *f = shop_fold(&r, (struct fold_options){ .path_share = 1e-9 });

	stretch(f);
	CU_ASSERT(!sample_shop_sampled(fold_sink(f), METRIC_INSTRUCTIONS));
	CU_ASSERT_FATAL(r.count == 2);
	CU_ASSERT_EQUAL(r.batches[1].begin_s, r.batches[0].begin_s + 60);
	CU_ASSERT(memcmp(r.batches[0].id, r.batches[1].id, BATCH_ID_SIZE) != 0);
	CU_ASSERT(r.batches[1].cost_count > 0 && r.batches[0].cost_count > 0);
	assert_sums(&r, &report, false);
	CU_ASSERT_EQUAL(paths_sum(&r), 120000);
	for (uint32_t i = 0; i < r.batches[1].cost_count; i++) {
		const struct batch_cost *c = &r.batches[1].costs[i];

		/* 25 samples, of periods of 1,000: n * (1 - n / 25). */
		CU_ASSERT_DOUBLE_EQUAL(c->self_variance, c->samples * (1 - c->samples / 25.0) * 1e6,
				       1e-3);
	}
	fold_free(f);
	received_free(&r);
	shop_report_free(&report);
}

static void assert_request_sums(const struct received *r, const struct profile *p)
{
	struct batch_requests sum = { 0 };
	uint64_t count = 0, bins = 0, memcached = 0;
	int64_t sums[REQUEST_MEASURES] = { 0 };

	for (int i = 0; i < r->count; i++)
		for (uint32_t k = 0; k < r->batches[i].request_count; k++) {
			const struct batch_requests *q = &r->batches[i].requests[k];

			sum.count += q->count;
			for (int m = 0; m < REQUEST_MEASURES; m++)
				sum.sums[m] += q->sums[m];
			for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
				for (uint32_t at = 0; at < q->bin_counts[d]; at++)
					bins += q->bins[d][at].count;
			for (uint32_t at = 0; at < q->backend_count; at++)
				if (!strcmp(q->backends[at].name, "memcache"))
					memcached += q->backends[at].calls;
		}
	for (size_t i = 1; i < p->requests.group_count; i++) {
		count += p->requests.groups[i].count;
		for (int m = 0; m < REQUEST_MEASURES; m++)
			sums[m] += p->requests.groups[i].sums[m];
	}
	CU_ASSERT_EQUAL(sum.count, count);
	CU_ASSERT(!memcmp(sum.sums, sums, sizeof(sums)));
	CU_ASSERT_EQUAL(bins, REQUEST_DISTRIBUTIONS * count);
	CU_ASSERT_EQUAL(memcached, 2 * count);
}

static double users_count(const struct received *r)
{
	struct sketch all = { 0 };
	double error;

	for (int i = 0; i < r->count; i++)
		for (uint32_t k = 0; k < r->batches[i].user_count; k++) {
			const struct batch_users *u = &r->batches[i].users[k];

			CU_ASSERT_STRING_EQUAL(batch_slice_tag(&r->batches[i].slices[u->slice],
							       "endpoint"), "");
			for (uint32_t at = 0; at < u->register_count; at++)
				sketch_raise(&all, u->registers[at].index, u->registers[at].rank);
		}
	return sketch_count(&all, &error);
}

/* Of the requests of a slice with this tag. */
static uint64_t requests_with(const struct received *r, const char *key, const char *value)
{
	uint64_t count = 0;

	for (int i = 0; i < r->count; i++)
		for (uint32_t k = 0; k < r->batches[i].request_count; k++) {
			const struct batch_requests *q = &r->batches[i].requests[k];

			if (!strcmp(batch_slice_tag(&r->batches[i].slices[q->slice], key), value))
				count += q->count;
		}
	return count;
}

static int tell_requests(struct sink *to, enum metric metric)
{
	return sample_shop_requests(to, false);
}

static void test_requests(void)
{
	static const char *const keep[] = { "arm" };
	struct report report = shop_report_of(tell_requests, METRIC_INSTRUCTIONS);
	struct received r = { 0 };
	struct fold *f = shop_fold(&r, (struct fold_options){ .keep = keep, .keep_count = 1 });

	stretch(f);
	CU_ASSERT(!sample_shop_requests(fold_sink(f), false));
	CU_ASSERT_FATAL(r.count == 2);
	assert_request_sums(&r, report.profile);
	assert_sums(&r, &report, false);
	CU_ASSERT_EQUAL(requests_with(&r, "endpoint", "GET /shop/product/*"), 201);
	CU_ASSERT_EQUAL(requests_with(&r, "status", "302"), 40);
	CU_ASSERT_EQUAL(requests_with(&r, "status", ""), 3); /* tasks */
	CU_ASSERT_EQUAL(requests_with(&r, "arm", "A"), 200);
	CU_ASSERT_EQUAL(requests_with(&r, "user", "9f86d081884c7d65"), 0); /* not asked for */
	CU_ASSERT_EQUAL(requests_with(&r, "host", "testhost"), 244); /* the recording's own */
	CU_ASSERT_DOUBLE_EQUAL(users_count(&r), 2, 0.01);
	CU_ASSERT_EQUAL(counter(&r, "requests.aborted"), 1);
	CU_ASSERT_EQUAL(counter(&r, "workers.ended"), 1);
	CU_ASSERT_EQUAL(counter(&r, "workers.failed"), 1);
	CU_ASSERT_EQUAL(counter(&r, "workers.requests"), 244);
	CU_ASSERT_EQUAL(counter(&r, "loss.connections"), 2);
	fold_free(f);
	received_free(&r);
	shop_report_free(&report);
}

static uint64_t costs_sum(const struct received *r)
{
	uint64_t sum = 0;

	for (int i = 0; i < r->count; i++)
		for (uint32_t k = 0; k < r->batches[i].cost_count; k++)
			sum += r->batches[i].costs[k].self;
	return sum;
}

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

int suite_fold(void)
{
	static CU_TestInfo tests[] = {
		{ "exact costs add up to the report", test_exact },
		{ "and those in kernel mode", test_kernel },
		{ "and samples of two minutes", test_sampled },
		{ "and requests, users and workers", test_requests },
		{ "requests that were probed", test_probed },
		{ "requests that were watched in phases", test_phases },
		{ "what is cut is other", test_limits },
		{ "names that are known", test_known },
		{ "whose a process is", test_processes },
		CU_TEST_INFO_NULL,
	};

	return suite_register("fold", tests);
}
