/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A minute that is exported: how many rows there are of it, and what its messages are made of. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "otlp.pb-c.h"
#include "tests/unit/suites.h"
#include "userspace/collector/minute_metrics.h"
#include "userspace/collector/otlp.h"
#include "userspace/collector/otlp_post.h"
#include "userspace/histogram.h"
#include "userspace/query/minute.h"
#include "userspace/query/query_tree.h"
#include "userspace/sink.h"
#include "userspace/store/engine.h"

#define NOW 1800000000ull
#define VALUES (6 + 5 + 2 * REQUEST_MEASURES)

/* ---- a store that makes up services and their endpoints ---- */

struct fake {
	struct store store;
	unsigned services, endpoints; /* of each: of 1, 2, 3... requests */
};

static int requests_rows(const struct fake *f, store_row_fn row, void *arg)
{
	int err = 0;

	for (unsigned i = 0; !err && i < f->services * f->endpoints; i++) {
		struct store_value v[VALUES];
		char service[32], endpoint[32];

		snprintf(service, sizeof(service), "service %u", i / f->endpoints);
		snprintf(endpoint, sizeof(endpoint), "GET /%u", i % f->endpoints);
		for (int n = 0; n < VALUES; n++)
			v[n] = (struct store_value){ STORE_F64, { .f64 = 1 + i % f->endpoints } };
		v[0] = (struct store_value){ STORE_TEXT, { .text = service } };
		v[1] = (struct store_value){ STORE_TEXT, { .text = "1" } };
		v[2] = (struct store_value){ STORE_TEXT, { .text = endpoint } };
		v[3] = v[5] = (struct store_value){ STORE_TEXT, { .text = "200" } };
		v[4] = (struct store_value){ STORE_TEXT, { .text = "instructions:u" } };
		err = row(arg, v, VALUES);
	}
	return err;
}

static int fake_select(struct store *s, const char *sql, uint64_t until_ns, store_row_fn row,
		       void *arg, char *err, size_t errlen)
{
	return strstr(sql, "sum(estimate)") ? requests_rows((struct fake *)s, row, arg) : 0;
}

static void fake_quote(const struct store *s, FILE *out, const char *text)
{
	fputs("'...'", out);
}

static int fake_buckets(struct store *s, uint64_t since, uint64_t until, struct store_buckets *ret,
			char *err, size_t errlen)
{
	*ret = (struct store_buckets){ .minutes_from = NOW - 86400 };
	return 0;
}

static const struct store_engine engine = { .select = fake_select, .quote = fake_quote,
					    .buckets = fake_buckets };

static void load(unsigned services, unsigned endpoints, size_t limit, struct minute *ret)
{
	struct fake f = { { .engine = &engine }, services, endpoints };
	struct query where;
	char err[512];

	query_init(&where, QUERY_REQUESTS, NOW);
	CU_ASSERT_EQUAL_FATAL(minute_load(&f.store, &where, NOW / 60 * 60 - 60, limit, ret, err, sizeof(err)),
			      0);
}

static double requests_of(const struct minute *m)
{
	double sum = 0;

	for (size_t i = 0; i < m->row_count; i++)
		sum += m->rows[i].requests;
	return sum;
}

static void test_rows(void)
{
	struct minute m;

	load(2, 3, 6, &m);
	CU_ASSERT_EQUAL(m.row_count, 6);
	CU_ASSERT_EQUAL(m.cut, 0);
	CU_ASSERT_EQUAL(m.rows[0].requests, 3);
	CU_ASSERT_STRING_EQUAL(m.rows[0].service, "service 0");
	CU_ASSERT_STRING_EQUAL(m.rows[0].endpoint, "GET /2");
	minute_free(&m);

	/* The two with the most requests, and of each service what is left. */
	load(2, 3, 2, &m);
	CU_ASSERT_EQUAL(m.row_count, 4);
	CU_ASSERT_EQUAL(m.cut, 4);
	CU_ASSERT_STRING_EQUAL(m.rows[1].endpoint, "GET /2");
	CU_ASSERT_STRING_EQUAL(m.rows[3].service, "service 1");
	CU_ASSERT_STRING_EQUAL(m.rows[3].endpoint, MINUTE_OTHER);
	CU_ASSERT_EQUAL(m.rows[3].requests, 3);
	minute_free(&m);

	/* Too many services even for that. */
	load(1000, 2, 10, &m);
	CU_ASSERT_EQUAL(m.row_count, 10 + 10 + 1);
	CU_ASSERT_EQUAL(m.cut, 2000 - 10);
	CU_ASSERT_STRING_EQUAL(m.rows[20].service, MINUTE_OTHER);
	CU_ASSERT_EQUAL(requests_of(&m), 3000);
	minute_free(&m);
}

static void test_time(void)
{
	CU_ASSERT_EQUAL(minute_last(1800000000, 60), 1800000000 - 120);
	CU_ASSERT_EQUAL(minute_last(1800000059, 60), 1800000000 - 120);
	CU_ASSERT_EQUAL(minute_last(1800000060, 60), 1800000000 - 60);
	CU_ASSERT_EQUAL(minute_last(30, 60), 0);
}

/* ---- pages and messages ---- */

static struct minute_row quoted = { .service = "a\"b\\c\nd", .version = "", .endpoint = "", .status = "",
				    .metric = "task-clock", .requests = 2.5, .watched = 1,
				    .latency = { [MINUTE_BOUNDS] = 1 } };

static void test_page(void)
{
	const struct minute m = { .begin_s = 60, .rows = &quoted, .row_count = 1 };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	minute_metrics_write(&m, false, out);
	fclose(out);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "pycost_minute_requests{service=\"a\\\"b\\\\c\\nd\",version=\"\","
					    "endpoint=\"\",status=\"\",metric=\"task-clock\"} 2.5 120\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, ",le=\"10\"} 0 120\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, ",le=\"+Inf\"} 1 120\n"));
	CU_ASSERT_STRING_EQUAL(text + size - 6, "# EOF\n");
	free(text);
	out = open_memstream(&text, &size);
	minute_metrics_write(&m, true, out);
	fclose(out);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "} 2.5 120000\n"));
	CU_ASSERT_PTR_NULL(strstr(text, "gaugehistogram"));
	free(text);
}

static void test_metrics(void)
{
	const struct minute none = { .begin_s = 60 }, m = { .begin_s = 60, .rows = &quoted, .row_count = 1 };
	Otlp__Metrics *all;
	Otlp__Metric **metrics;
	uint8_t *bytes;
	size_t size;

	CU_ASSERT_EQUAL(otlp_metrics_pack(&none, &bytes, &size), -ENODATA);
	CU_ASSERT_EQUAL_FATAL(otlp_metrics_pack(&m, &bytes, &size), 0);
	all = otlp__metrics__unpack(NULL, size, bytes);
	CU_ASSERT_PTR_NOT_NULL_FATAL(all);
	CU_ASSERT_EQUAL(all->resources[0]->resource->n_attributes, 1); /* no version */
	CU_ASSERT_EQUAL(all->resources[0]->scopes[0]->n_metrics, 3);
	metrics = all->resources[0]->scopes[0]->metrics;
	CU_ASSERT_STRING_EQUAL(metrics[2]->name, "pycost.request.task_clock");
	CU_ASSERT_STRING_EQUAL(metrics[2]->unit, "ns");
	CU_ASSERT_EQUAL(metrics[0]->sum->points[0]->number, 2.5);
	otlp__metrics__free_unpacked(all, NULL);
	free(bytes);
}

/* What is a sample of its own, and what only calls one. */
static void test_profiles(void)
{
	const struct query_tree_function functions[] = { { "outer", "a.py", 1 }, { "inner", "a.py", 9 } };
	const struct query_tree_group group = { { "task-clock", "sampled" }, { "shop", "" } };
	struct query_tree t = { .key_count = 2 };
	Otlp__Profiles *all;
	Otlp__Profile *p;
	uint8_t *bytes;
	uint32_t at;
	size_t size;

	CU_ASSERT_EQUAL(otlp_profiles_pack(&t, 60, 60, &bytes, &size), -ENODATA);
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(query_tree_add_function(&t, &functions[i]), 0);
	CU_ASSERT_EQUAL(query_tree_add_group(&t, &group, &at), 0);
	query_tree_add_node(&t, &(struct query_tree_node){ .function = 0 });
	query_tree_add_node(&t, &(struct query_tree_node){ .parent = 1, .function = 1, .samples = 7,
							    .self = 7e6 });
	CU_ASSERT_EQUAL_FATAL(otlp_profiles_pack(&t, 60, 60, &bytes, &size), 0);
	all = otlp__profiles__unpack(NULL, size, bytes);
	CU_ASSERT_PTR_NOT_NULL_FATAL(all);
	CU_ASSERT_EQUAL(all->dictionary->n_stacks, 2);
	CU_ASSERT_EQUAL(all->dictionary->stacks[1]->n_locations, 2);
	CU_ASSERT_EQUAL(all->dictionary->stacks[1]->locations[0], 2); /* the leaf first */
	CU_ASSERT_EQUAL(all->resources[0]->scopes[0]->n_profiles, 2);
	p = all->resources[0]->scopes[0]->profiles[0];
	CU_ASSERT_STRING_EQUAL(all->dictionary->strings[p->sample_type->unit], "nanoseconds");
	CU_ASSERT_EQUAL(p->samples[0]->values[0], 7000000);
	p = all->resources[0]->scopes[0]->profiles[1];
	CU_ASSERT_STRING_EQUAL(all->dictionary->strings[p->sample_type->type], "samples");
	CU_ASSERT_EQUAL(p->samples[0]->values[0], 7);
	otlp__profiles__free_unpacked(all, NULL);
	query_tree_free(&t);
	free(bytes);
}

static void test_answers(void)
{
	static const uint8_t rejected[] = { 0x0a, 0x05, 0x08, 0x07, 0x12, 0x01, 'x' }, less[] = { 0x0a, 0x0b, 0x08,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 };
	char why[16] = "";

	CU_ASSERT_EQUAL(otlp_post_rejected(rejected, sizeof(rejected), why, sizeof(why)), 7);
	CU_ASSERT_STRING_EQUAL(why, "x");
	/* Below 0, cut off, no protobuf at all, nothing. */
	CU_ASSERT_EQUAL(otlp_post_rejected(less, sizeof(less), why, sizeof(why)), 0);
	for (size_t size = 1; size < sizeof(rejected); size++)
		CU_ASSERT_EQUAL(otlp_post_rejected(rejected, size, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(otlp_post_rejected((const uint8_t *)"<html>", 6, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(otlp_post_rejected(NULL, 0, why, sizeof(why)), 0);
}

int suite_minute(void)
{
	static CU_TestInfo tests[] = {
		{ "rows, and those that are put together", test_rows },
		{ "which is the last", test_time },
		{ "as a page", test_page },
		{ "as OpenTelemetry's metrics", test_metrics },
		{ "as OpenTelemetry's profiles", test_profiles },
		{ "what a receiver answers", test_answers },
		CU_TEST_INFO_NULL,
	};

	return suite_register("minute", tests);
}
