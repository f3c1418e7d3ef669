/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Function costs by endpoint, and what is left of a profile without the others. */
#include "tests/unit/shop_report.h"
#include "userspace/endpoint_choice.h"
#include "userspace/event_table.h"
#include "userspace/export.h"
#include "userspace/report_endpoints.h"

static const struct recording_status complete;

static struct profile *requests_profile(void)
{
	struct profile *p;

	CU_ASSERT_FATAL(!profile_create(&p));
	CU_ASSERT_FATAL(!sample_shop_requests(&p->sink, false));
	return p;
}

static struct report report_of(struct profile *p)
{
	struct report r;

	CU_ASSERT_FATAL(!report_compute(p, &complete, false, SORT_SELF, &r));
	return r;
}

struct seen {
	uint32_t endpoints[8];
	uint64_t costs[8], requests[8], add_calls[8];
	size_t count;
};

static int part_see(void *arg, const struct endpoint_part *part)
{
	const struct report *r = &part->report;
	struct seen *s = arg;

	CU_ASSERT_EQUAL(r->costs.cumulative[0], part->cost);
	s->endpoints[s->count] = part->endpoint;
	s->costs[s->count] = part->cost;
	s->requests[s->count] = part->requests;
	for (size_t i = 0; i < r->order_count; i++)
		if (!strcmp(r->functions.rows[r->order[i]].name, "shop.cart.Cart.add"))
			s->add_calls[s->count] = r->functions.rows[r->order[i]].costs.calls;
	s->count++;
	return 0;
}

static void test_parts(void)
{
	struct profile *p = requests_profile();
	struct report r = report_of(p);
	struct seen s = { 0 };
	uint64_t total = r.costs.cumulative[0];

	CU_ASSERT_FATAL(!report_each_endpoint(&r, SORT_SELF, part_see, &s));
	CU_ASSERT_EQUAL_FATAL(s.count, 3);
	CU_ASSERT_EQUAL(s.endpoints[0], 1);
	CU_ASSERT_EQUAL(s.costs[0], 101000000);
	CU_ASSERT_EQUAL(s.requests[0], 201);
	CU_ASSERT_EQUAL(s.add_calls[0], 200);
	CU_ASSERT_EQUAL(s.endpoints[1], 2);
	CU_ASSERT_EQUAL(s.costs[1], 40400000);
	CU_ASSERT_EQUAL(s.add_calls[1], 80);
	CU_ASSERT_EQUAL(s.endpoints[2], 0);
	CU_ASSERT_EQUAL(s.costs[2], 19000000);
	CU_ASSERT_EQUAL(s.requests[2], 0);
	CU_ASSERT_EQUAL(s.costs[0] + s.costs[1] + s.costs[2], total);
	/* The report is as it was: once more comes the same. */
	CU_ASSERT_EQUAL(r.costs.cumulative[0], total);
	s.count = 0;
	CU_ASSERT_FATAL(!report_each_endpoint(&r, SORT_SELF, part_see, &s));
	CU_ASSERT_EQUAL(s.count, 3);
	report_free(&r);
	profile_free(p);
}

static void test_print(void)
{
	struct profile *p = requests_profile();
	struct report r = report_of(p);
	struct report_style style = { 0 };
	size_t size;
	char *text = CAPTURE(&size, report_print_header(&r, &style, out);
			     CU_ASSERT(!report_print_endpoints(&r, &style, SORT_SELF, out)));

	ASSERT_CONTAINS(text, "requests:    244 (97.6/s) of 3 endpoints\nworkers:     2 of 3 alive");
	ASSERT_CONTAINS(text, "GET /shop/product/*: 101.0 M, 63.0 % of all; 201 requests, 502.5 k each");
	ASSERT_CONTAINS(text, "outside of any request: 19.00 M, 11.8 % of all");
	ASSERT_CONTAINS(text, "nothing in any Python function");
	/* Its share of the endpoint, not of all. */
	ASSERT_CONTAINS(text, "90.00 M       89.1");
	free(text);
	report_free(&r);
	profile_free(p);
}

static void test_json(void)
{
	struct profile *p = requests_profile();
	struct report r = report_of(p);
	json_t *json, *e, *functions;
	size_t size;
	char *text = CAPTURE(&size, CU_ASSERT(!export_json_endpoints(&r, SORT_SELF, out)));

	json = json_loads(text, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(json, "endpoints")), 3);
	e = json_array_get(json_object_get(json, "endpoints"), 1);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(e, "name")), "/shop/cart");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(e, "source")), "heuristic");
	functions = json_object_get(e, "functions");
	CU_ASSERT_EQUAL(json_array_size(functions), 1);
	CU_ASSERT_EQUAL(number(json_array_get(functions, 0), "self"), 40000000);
	CU_ASSERT(json_is_null(json_object_get(json_array_get(json_object_get(json, "endpoints"), 2),
					       "name")));
	json_decref(json);
	free(text);
	/* Without --by endpoint: the endpoints' sums, no functions of each. */
	text = CAPTURE(&size, CU_ASSERT(!export_json(&r, out)));
	json = json_loads(text, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	e = json_array_get(json_object_get(json, "endpoints"), 0);
	CU_ASSERT_EQUAL(number(e, "total"), 101000000);
	CU_ASSERT_PTR_NULL(json_object_get(e, "functions"));
	json_decref(json);
	free(text);
	report_free(&r);
	profile_free(p);
}

static void test_exports(void)
{
	struct profile *p = requests_profile();
	struct report r = report_of(p);
	json_t *json, *frames, *sample;
	size_t size;
	char *text = CAPTURE(&size, CU_ASSERT(!export_folded(&r, out)));

	ASSERT_TEXT(text, "GET /shop/product/*;gunicorn (100) 1000000\n"
			  "GET /shop/product/*;gunicorn (100);shop.views.product 90000000\n"
			  "GET /shop/product/*;gunicorn (100);shop.views.product;shop.cart.Cart.add 10000000\n"
			  "POST /shop/cart;gunicorn (101) 400000\n"
			  "POST /shop/cart;gunicorn (101);shop.cart.Cart.add 40000000\n"
			  "gunicorn (100) 19000000\n");
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!export_speedscope(&r, out)));
	json = json_loads(text, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	frames = json_object_get(json_object_get(json, "shared"), "frames");
	sample = json_array_get(json_object_get(json_array_get(json_object_get(json, "profiles"), 1),
						"samples"), 1);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(
				       json_array_get(frames, json_integer_value(
								      json_array_get(sample, 0))),
				       "name")),
			       "POST /shop/cart");
	json_decref(json);
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!report_print_tree(&r, &(struct report_style){ 0 }, out)));
	ASSERT_CONTAINS(text, "gunicorn (pid 101): POST /shop/cart");
	free(text);
	report_free(&r);
	profile_free(p);
}

static void test_choice(void)
{
	struct profile *p = requests_profile();
	struct endpoint_choice c = { .glob = "POST *", .tags = { "arm=A" }, .tag_count = 1 };
	char err[256];
	struct report r;

	CU_ASSERT_EQUAL(endpoint_choose(p, &c, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(p->node_count, 3);
	CU_ASSERT_EQUAL(p->requests.group_count, 2);
	CU_ASSERT_EQUAL(p->requests.import_count, 0);
	CU_ASSERT_EQUAL(p->requests.worker_count, 3);
	r = report_of(p);
	CU_ASSERT_EQUAL(r.costs.cumulative[0], 40400000);
	report_free(&r);
	/* None is left that is called so. */
	c.glob = "/shop/cat";
	CU_ASSERT_EQUAL(endpoint_choose(p, &c, err, sizeof(err)), -ENOENT);
	ASSERT_CONTAINS(err, "no endpoint matches '/shop/cat'; nearest: ");
	ASSERT_CONTAINS(err, "POST /shop/cart");
	c = (struct endpoint_choice){ .tags = { "arm=B" }, .tag_count = 1 };
	CU_ASSERT_EQUAL(endpoint_choose(p, &c, err, sizeof(err)), -ENOENT);
	ASSERT_CONTAINS(err, "no endpoint has the tag arm=B");
	/* What is common to all counts as well. */
	c.tags[0] = "service=sh*";
	CU_ASSERT_EQUAL(endpoint_choose(p, &c, err, sizeof(err)), 0);
	profile_free(p);
	CU_ASSERT_FATAL(!profile_create(&p) && !sample_shop(&p->sink, METRIC_INSTRUCTIONS));
	CU_ASSERT_EQUAL(endpoint_choose(p, &c, err, sizeof(err)), -ENODATA);
	ASSERT_CONTAINS(err, "record with --requests");
	c.tag_count = 0;
	CU_ASSERT_EQUAL(endpoint_choose(p, &c, err, sizeof(err)), 0);
	profile_free(p);
}

static struct event_table events(const struct profile *p, enum event_kind kind, const char *by,
				 const char *endpoint)
{
	enum event_field field = event_field_by_name(kind, by);
	struct event_table t;

	CU_ASSERT_NOT_EQUAL_FATAL(field, EVENT_FIELDS);
	CU_ASSERT_FATAL(!event_table_compute(p, kind, &field, 1, endpoint, EVENT_SORT_COST, &t));
	return t;
}

static void test_imports(void)
{
	struct profile *p = requests_profile();
	struct event_table t = events(p, EVENT_IMPORT, "module", NULL);
	char *text;
	size_t size;
	json_t *json;

	CU_ASSERT_EQUAL_FATAL(t.row_count, 2);
	CU_ASSERT_STRING_EQUAL(t.rows[0].keys[0], "decimal");
	CU_ASSERT_EQUAL(t.rows[0].count, 2);
	CU_ASSERT_EQUAL(t.rows[0].cost, 400000);
	CU_ASSERT_EQUAL(t.rows[0].whole_cost, 1000000);
	CU_ASSERT_EQUAL(t.total.cost, 404000);
	text = CAPTURE(&size, CU_ASSERT(!event_json(&t, &complete, 1, out)));
	json = json_loads(text, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(json, "rows")), 1);
	CU_ASSERT_EQUAL(number(json_array_get(json_object_get(json, "rows"), 0), "whole_ns"), 1000000);
	json_decref(json);
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!event_csv(&t, 0, out)));
	ASSERT_TEXT(text, "\"module\",count,cost,ns,share,whole_cost,whole_ns\n"
			  "\"decimal\",2,400000,400000,99.00990099,1000000,1000000\n"
			  "\"shop.\xe5\xba\x97\",1,4000,5000,0.9900990099,4000,5000\n");
	free(text);
	event_table_free(&t);
	t = events(p, EVENT_IMPORT, "endpoint", "GET *");
	CU_ASSERT_EQUAL(t.row_count, 1);
	CU_ASSERT_EQUAL(t.total.count, 2);
	/* Of several modules together the whole would count some twice: it is not shown. */
	text = CAPTURE(&size, CU_ASSERT(!event_print_table(&t, &(struct report_style){ 0 }, out)));
	CU_ASSERT_PTR_NULL(strstr(text, "whole"));
	free(text);
	event_table_free(&t);
	CU_ASSERT_EQUAL(event_field_by_name(EVENT_IMPORT, "generation"), EVENT_FIELDS);
	profile_free(p);
}

static void test_collections(void)
{
	struct profile *p = requests_profile();
	struct event_table t = events(p, EVENT_COLLECTION, "generation", NULL);
	char *text;
	size_t size;

	CU_ASSERT_EQUAL_FATAL(t.row_count, 2);
	CU_ASSERT_STRING_EQUAL(t.rows[0].keys[0], "2");
	CU_ASSERT_STRING_EQUAL(t.rows[1].keys[0], "0");
	CU_ASSERT_EQUAL(t.rows[1].count, 5);
	CU_ASSERT_EQUAL(t.rows[1].collected, 8);
	CU_ASSERT_EQUAL(t.rows[1].cost, 30000);
	text = CAPTURE(&size, event_print_header(&t, &(struct report_style){ 0 }, out));
	ASSERT_CONTAINS(text, "collections: 6, 430.0 k in 540.0 µs");
	free(text);
	event_table_free(&t);
	t = events(p, EVENT_COLLECTION, "function", NULL);
	CU_ASSERT_STRING_EQUAL(t.rows[0].keys[0], "shop.views.product");
	event_table_free(&t);
	CU_ASSERT_EQUAL(event_field_by_name(EVENT_COLLECTION, "module"), EVENT_FIELDS);
	profile_free(p);
}

int suite_report_endpoints(void)
{
	static CU_TestInfo tests[] = {
		{ "parts add up", test_parts },
		{ "table", test_print },
		{ "json", test_json },
		{ "other formats", test_exports },
		{ "chosen endpoints", test_choice },
		{ "imports", test_imports },
		{ "collections", test_collections },
		CU_TEST_INFO_NULL,
	};

	return suite_register("report_endpoints", tests);
}
