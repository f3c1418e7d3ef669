/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>

#include "tests/unit/shop_report.h"
#include "userspace/confidence.h"
#include "userspace/request_view.h"

static const struct recording_status complete;

static struct profile *requests_profile(void)
{
	struct profile *p;

	CU_ASSERT_FATAL(!profile_create(&p));
	CU_ASSERT_FATAL(!sample_shop_requests(&p->sink, false));
	return p;
}

static struct request_field field(const char *name)
{
	struct request_field f;

	CU_ASSERT_FATAL(!request_field_parse(name, &f));
	return f;
}

static struct request_table table_by(const struct profile *p, const char *by, const char *where)
{
	struct request_field f = field(by);
	struct request_filter filter = { 0 };
	struct request_query q = { .by = &f, .by_count = 1, .filters = &filter };
	struct request_table t;

	if (where)
		CU_ASSERT_FATAL(!request_filter_parse(where, &filter));
	q.filter_count = where ? 1 : 0;
	CU_ASSERT_FATAL(!request_table_compute(p, &q, &t));
	request_table_sort(&t, REQUEST_SORT_NAME);
	request_filter_free(&filter);
	return t;
}

/* By R 4.2: qt(0.975, c(1, 2, 3, 5, 10, 30, 1000)) */
static void test_student(void)
{
	CU_ASSERT_DOUBLE_EQUAL(student_quantile(1), 12.7062, 0.0005);
	CU_ASSERT_DOUBLE_EQUAL(student_quantile(2), 4.30265, 0.0005);
	CU_ASSERT_DOUBLE_EQUAL(student_quantile(3), 3.18245, 0.005);
	CU_ASSERT_DOUBLE_EQUAL(student_quantile(5), 2.57058, 0.001);
	CU_ASSERT_DOUBLE_EQUAL(student_quantile(10), 2.22814, 0.0001);
	CU_ASSERT_DOUBLE_EQUAL(student_quantile(30), 2.04227, 0.0001);
	CU_ASSERT_DOUBLE_EQUAL(student_quantile(1000), 1.96234, 0.0001);
	CU_ASSERT(isinf(student_quantile(0)));
}

static void test_confidence(void)
{
	/* 1, 2, 3, 4: deviation 1.29099, t(3) 3.18245 */
	CU_ASSERT_DOUBLE_EQUAL(confidence_of_mean(4, 10, 30), 2.0543, 0.003);
	CU_ASSERT(isinf(confidence_of_mean(1, 10, 100)));
	CU_ASSERT(isinf(confidence_of_mean(0, 0, 0)));
	/* All the same, but for rounding. */
	CU_ASSERT_DOUBLE_EQUAL(confidence_of_mean(3, 0.3, 0.1 * 0.1 * 3), 0, 1e-7);
}

static void test_by_endpoint(void)
{
	struct profile *p = requests_profile();
	struct request_table t = table_by(p, "endpoint", NULL);

	CU_ASSERT_EQUAL_FATAL(t.row_count, 3);
	CU_ASSERT_STRING_EQUAL(t.rows[0].keys[0], "GET /shop/product/*");
	CU_ASSERT_STRING_EQUAL(t.rows[1].keys[0], "POST /shop/cart");
	CU_ASSERT_STRING_EQUAL(t.rows[2].keys[0], "shop.tasks.mail");
	CU_ASSERT_EQUAL(t.rows[0].count, 201);
	CU_ASSERT_EQUAL(t.rows[0].failed, 1);
	CU_ASSERT_EQUAL(t.rows[0].aborted, 1);
	/* A task has no status, and did not fail for that. */
	CU_ASSERT_EQUAL(t.rows[2].failed, 0);
	CU_ASSERT_EQUAL(t.total.count, 244);
	CU_ASSERT_EQUAL(t.total.failed, 1);
	/* Twice the sum of 10,000 * (1..100), and one of 700. */
	CU_ASSERT_EQUAL(t.rows[0].cost, 101000700);
	CU_ASSERT_EQUAL(t.rows[1].cost, 50000 * 40 * 41 / 2);
	CU_ASSERT_EQUAL(t.total.cost, 101000700 + 41000000 + 5400000);
	CU_ASSERT_DOUBLE_EQUAL(t.rows[0].cost_mean, 101000700.0 / 201, 1e-6);
	CU_ASSERT_EQUAL(t.rows[1].backend_calls[0], 80);
	CU_ASSERT_EQUAL(t.rows[1].backend_ns[1], 40 * 900);
	CU_ASSERT_DOUBLE_EQUAL(t.seconds, 2.5, 1e-9);
	CU_ASSERT(t.has_workers);
	CU_ASSERT_EQUAL(t.workers_cost, 181000000);
	CU_ASSERT_EQUAL(t.workers_request_cost, 147400000);
	request_table_free(&t);
	profile_free(p);
}

/* The middle of a bin, which is off by a 64th at most. */
#define ASSERT_NEAR(value, truth) CU_ASSERT_DOUBLE_EQUAL(value, truth, (truth) / 64.0 + 1)

static void test_quantiles(void)
{
	struct profile *p = requests_profile();
	struct request_table t = table_by(p, "status", "endpoint=POST*");
	const struct request_row *r = &t.rows[0];

	CU_ASSERT_EQUAL_FATAL(t.row_count, 1);
	CU_ASSERT_STRING_EQUAL(r->keys[0], "302");
	ASSERT_NEAR(r->quantiles[DISTRIBUTION_COST][QUANTILE_50], 20 * 50000);
	ASSERT_NEAR(r->quantiles[DISTRIBUTION_COST][QUANTILE_90], 36 * 50000);
	ASSERT_NEAR(r->quantiles[DISTRIBUTION_COST][QUANTILE_99], 40 * 50000);
	ASSERT_NEAR(r->quantiles[DISTRIBUTION_LATENCY][QUANTILE_50], 20 * 3000);
	ASSERT_NEAR(r->quantiles[DISTRIBUTION_CPU][QUANTILE_90], 36 * 1000);
	/* Of 1..40: mean 20.5, deviation 11.69045, t(39) 2.02269. */
	CU_ASSERT_DOUBLE_EQUAL(r->cost_mean, 1025000, 1e-6);
	CU_ASSERT_DOUBLE_EQUAL(r->cost_error, 50000 * 2.02269 * 11.69045 / sqrt(40), 20);
	/* Latency 61.5 us, of it 20.5 us on a CPU and 70 ns waiting for one. */
	CU_ASSERT_DOUBLE_EQUAL(request_row_blocked(r), 61500 - 20500 - 70, 1e-6);
	request_table_free(&t);
	profile_free(p);
}

static uint64_t counted(const struct profile *p, const char *where)
{
	struct request_table t = table_by(p, "pid", where);
	uint64_t count = t.total.count;

	request_table_free(&t);
	return count;
}

static void test_filters(void)
{
	struct profile *p = requests_profile();
	struct request_filter f;

	CU_ASSERT_EQUAL(counted(p, "status=5xx"), 1);
	CU_ASSERT_EQUAL(counted(p, "status=200"), 200);
	CU_ASSERT_EQUAL(counted(p, "status!=200"), 44);
	CU_ASSERT_EQUAL(counted(p, "status-class=3xx"), 40);
	CU_ASSERT_EQUAL(counted(p, "status="), 3);
	CU_ASSERT_EQUAL(counted(p, "method=GET"), 201);
	CU_ASSERT_EQUAL(counted(p, "route=/shop/*"), 241);
	/* A name matches itself, stars in it too. */
	CU_ASSERT_EQUAL(counted(p, "endpoint=/shop/product/*"), 201);
	CU_ASSERT_EQUAL(counted(p, "endpoint=GET /shop/product/?"), 201);
	CU_ASSERT_EQUAL(counted(p, "endpoint=/shop"), 0);
	CU_ASSERT_EQUAL(counted(p, "pid=101"), 44);
	CU_ASSERT_EQUAL(counted(p, "host=testhost"), 244);
	CU_ASSERT_EQUAL(counted(p, "service=shop"), 244);
	CU_ASSERT_EQUAL(counted(p, "arm=A"), 200);
	CU_ASSERT_EQUAL(counted(p, "arm=B"), 40);
	CU_ASSERT_EQUAL(counted(p, "view=?*"), 0);
	CU_ASSERT_EQUAL(request_filter_parse("status", &f), -EINVAL);
	CU_ASSERT_EQUAL(request_filter_parse("=200", &f), -EINVAL);
	CU_ASSERT_EQUAL(request_filter_parse("!=200", &f), -EINVAL);
	profile_free(p);
}

static void test_fields_together(void)
{
	struct profile *p = requests_profile();
	struct request_field by[] = { field("status-class"), field("arm"), field("host") };
	struct request_query q = { .by = by, .by_count = 3 };
	struct request_table t;

	CU_ASSERT_FATAL(!request_table_compute(p, &q, &t));
	request_table_sort(&t, REQUEST_SORT_COUNT);
	CU_ASSERT_EQUAL_FATAL(t.row_count, 4);
	CU_ASSERT_STRING_EQUAL(t.rows[0].keys[0], "2xx");
	CU_ASSERT_STRING_EQUAL(t.rows[0].keys[1], "A");
	CU_ASSERT_STRING_EQUAL(t.rows[0].keys[2], "testhost");
	CU_ASSERT_STRING_EQUAL(t.rows[1].keys[1], "B");
	CU_ASSERT_STRING_EQUAL(t.rows[2].keys[0], "");
	CU_ASSERT_STRING_EQUAL(t.rows[3].keys[1], "");
	q.by_count = REQUEST_BY_MAX + 1;
	CU_ASSERT_EQUAL(request_table_compute(p, &q, &(struct request_table){ 0 }), -E2BIG);
	request_table_free(&t);
	profile_free(p);
}

/* Requests of one endpoint, of which each cost and probed so much. */
static void tell_same(struct sink *to, uint32_t group, uint64_t n, uint64_t cost, uint64_t probed)
{
	struct sink_bin bin = { histogram_bin(cost), n };
	struct sink_requests r = { .group = group, .count = n, .bins = { &bin, &bin, &bin },
				   .bin_counts = { 1, 1, 1 } };

	r.sums[REQUEST_COST] = n * cost;
	r.squares[REQUEST_COST] = (double)n * cost * cost;
	r.sums[REQUEST_PROBED_CALLS] = n * probed;
	CU_ASSERT_FATAL(!to->requests(to, &r));
}

/* A call costs 120 more when it is probed. */
static struct profile *probed_profile(void)
{
	struct sink_meta meta = { .metric = METRIC_INSTRUCTIONS, .host = "", .kernel = "",
				  .version = "", .requests = true };
	struct sink_calibration c = { .id = 1, .python = "", .build_id = "", .entry = 100,
				      .exit = 20 };
	struct sink_process process = { 7, 0, "python3", "3.12.1", "/usr/bin/python3", 1 };
	struct sink_endpoint e = { 1, ENDPOINT_PATTERN, "GET", "/", 0 };
	struct sink_group groups[] = { { 1, 1, 7, 0, 200, 0 }, { 2, 1, 7, 0, 200, GROUP_EXACT } };
	struct profile *p;
	struct sink *to;

	CU_ASSERT_FATAL(!profile_create(&p));
	to = &p->sink;
	CU_ASSERT_FATAL(!to->meta(to, &meta) && !to->calibration(to, &c) &&
			!to->process(to, &process) && !to->endpoint(to, &e) &&
			!to->group(to, &groups[0]) && !to->group(to, &groups[1]));
	return p;
}

static void test_probed(void)
{
	struct profile *p = probed_profile();
	struct request_table t;

	/* All were probed: corrected, and quantiles scaled by 1,000 / 2,200. */
	tell_same(&p->sink, 2, 10, 2200, 10);
	t = table_by(p, "endpoint", NULL);
	CU_ASSERT(t.rows[0].corrected);
	CU_ASSERT_EQUAL(t.rows[0].cost, 10000);
	CU_ASSERT_EQUAL(t.rows[0].cost_mean, 1000);
	CU_ASSERT_EQUAL(t.rows[0].cost_count, 10);
	ASSERT_NEAR(t.rows[0].quantiles[DISTRIBUTION_COST][QUANTILE_50], 1000);
	request_table_free(&t);
	/* With others that were not, a request is like these; the sum is of both. */
	tell_same(&p->sink, 1, 30, 1010, 0);
	t = table_by(p, "endpoint", NULL);
	CU_ASSERT(!t.rows[0].corrected);
	CU_ASSERT_EQUAL(t.rows[0].probed, 10);
	CU_ASSERT_EQUAL(t.rows[0].cost_count, 30);
	CU_ASSERT_EQUAL(t.rows[0].cost_mean, 1010);
	CU_ASSERT_EQUAL(t.rows[0].cost, 10000 + 30300);
	ASSERT_NEAR(t.rows[0].quantiles[DISTRIBUTION_COST][QUANTILE_99], 1010);
	request_table_free(&t);
	profile_free(p);
}

static void test_moment(void)
{
	struct profile *p = probed_profile();
	struct request_moment before;
	struct request_query q = { .since = &before };
	struct request_table t;

	tell_same(&p->sink, 1, 100, 5000, 0);
	CU_ASSERT_FATAL(!p->sink.flush(&p->sink, 1000000000));
	CU_ASSERT_FATAL(!request_moment_take(p, &before));
	tell_same(&p->sink, 1, 4, 5000, 0);
	tell_same(&p->sink, 1, 4, 90000, 0);
	CU_ASSERT_FATAL(!p->sink.flush(&p->sink, 3000000000));
	CU_ASSERT_FATAL(!request_table_compute(p, &q, &t));
	CU_ASSERT_EQUAL(t.row_count, 1);
	CU_ASSERT_EQUAL(t.total.count, 8);
	CU_ASSERT_EQUAL(t.total.cost_mean, 47500);
	ASSERT_NEAR(t.total.quantiles[DISTRIBUTION_COST][QUANTILE_50], 5000);
	ASSERT_NEAR(t.total.quantiles[DISTRIBUTION_COST][QUANTILE_90], 90000);
	CU_ASSERT_DOUBLE_EQUAL(t.seconds, 2, 1e-9);
	request_table_free(&t);
	request_moment_free(&before);
	profile_free(p);
}

static void test_views(void)
{
	struct profile *p = requests_profile();
	struct request_table t = table_by(p, "endpoint", NULL);
	struct request_field by = field("endpoint");
	struct request_style s = { .by = &by, .by_count = 1, .columns = REQUEST_COLUMNS_ALL };
	char *text;
	size_t size;
	json_t *json, *row;

	text = CAPTURE(&size, request_print_header(&t, &s.style, out);
		       CU_ASSERT(!request_print_table(&t, &s, out));
		       request_print_notes(&t, &complete, &s.style, out));
	ASSERT_CONTAINS(text, "requests:    244, 97.6/s, 1 failed");
	ASSERT_CONTAINS(text, "181.0 M of all workers: 147.4 M (81.4 %) within requests and 33.60 M");
	ASSERT_CONTAINS(text, "1 killed by SIGKILL");
	ASSERT_CONTAINS(text, "tags:        host=testhost, service=shop");
	ASSERT_CONTAINS(text, "postgresql time");
	CU_ASSERT_PTR_NULL(strstr(text, "other time"));
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!request_json(&t, &complete, &s, out)));
	json = json_loads(text, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	row = json_array_get(json_object_get(json, "rows"), 1);
	CU_ASSERT_EQUAL(number(row, "requests"), 40);
	CU_ASSERT_EQUAL(number(json_object_get(row, "latency"), "sum"), 3000 * 820);
	CU_ASSERT_EQUAL(number(json_object_get(json_object_get(row, "backends"), "postgresql"),
			       "calls"), 40);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json_object_get(row, "keys"),
								 "endpoint")), "POST /shop/cart");
	CU_ASSERT_EQUAL(number(json_object_get(json, "workers"), "outside"), 33600000);
	/* Of one request nothing bounds the mean. */
	json_decref(json);
	free(text);
	s.style.limit = 1;
	text = CAPTURE(&size, CU_ASSERT(!request_csv(&t, &s, out)));
	CU_ASSERT_EQUAL(strncmp(text, "\"endpoint\",requests,rate,", 25), 0);
	ASSERT_CONTAINS(text, "\n\"GET /shop/product/*\",201,80.4,");
	free(text);
	request_table_free(&t);
	profile_free(p);
}

static void test_workers(void)
{
	struct profile *p = requests_profile();
	struct report_style style = { 0 };
	json_t *json, *workers;
	char *text;
	size_t size;

	text = CAPTURE(&size, CU_ASSERT(!worker_print(p, &style, out)));
	ASSERT_CONTAINS(text, "2 of 3 alive, 1 forked while measured (1 in the place of others)");
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!worker_json(p, &complete, out)));
	json = json_loads(text, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	workers = json_object_get(json, "workers");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json_array_get(workers, 1), "end")),
			       "killed by SIGKILL");
	CU_ASSERT(json_is_false(json_object_get(json_array_get(workers, 1), "respawn")));
	CU_ASSERT(json_is_true(json_object_get(json_array_get(workers, 2), "respawn")));
	CU_ASSERT_DOUBLE_EQUAL(json_real_value(json_object_get(json_array_get(workers, 0),
							       "growth_per_request")),
			       (8 << 20) / 200.0, 1e-6);
	CU_ASSERT(json_is_null(json_object_get(json_array_get(workers, 2), "growth_per_request")));
	json_decref(json);
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!worker_csv(p, out)));
	ASSERT_CONTAINS(text, "\n\"killed by SIGKILL\",101,1,0,900000000,0,44,");
	free(text);
	profile_free(p);
}

int suite_request_table(void)
{
	static CU_TestInfo tests[] = {
		{ "Student's quantiles", test_student },
		{ "confidence of a mean", test_confidence },
		{ "by endpoint", test_by_endpoint },
		{ "quantiles and errors", test_quantiles },
		{ "filters", test_filters },
		{ "several fields", test_fields_together },
		{ "requests that were probed", test_probed },
		{ "what came since", test_moment },
		{ "table, json and csv", test_views },
		{ "workers", test_workers },
		CU_TEST_INFO_NULL,
	};

	return suite_register("request_table", tests);
}
