/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Batches of the sample shop: they add up to its report. */
#include "tests/unit/received.h"
#include "tests/unit/shop_report.h"
#include "userspace/fleet/sketch.h"

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
	CU_ASSERT_EQUAL(counter(&r, "cut.paths"), 0);
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

int suite_fold(void)
{
	static CU_TestInfo tests[] = {
		{ "exact costs add up to the report", test_exact },
		{ "and those in kernel mode", test_kernel },
		{ "and samples of two minutes", test_sampled },
		{ "and requests, users and workers", test_requests },
		CU_TEST_INFO_NULL,
	};

	return suite_register("fold", tests);
}
