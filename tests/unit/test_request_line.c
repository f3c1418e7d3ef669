/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests as lines, whatever bytes they sent; and as top shows them. */
#include <curses.h>

#include "tests/unit/shop_report.h"
#include "userspace/request_line.h"
#include "userspace/top.h"

static struct profile *requests_profile(void)
{
	struct profile *p;

	CU_ASSERT_FATAL(!profile_create(&p));
	CU_ASSERT_FATAL(!sample_shop_requests(&p->sink, false));
	return p;
}

static struct tag_list tags;
static struct request_values values;

static struct request_seen hostile(void)
{
	static const char path[] = "/\x1b[2J\xff\xfe/\xe5\xba\x97\r\n";

	tags.count = 0;
	tag_list_set(&tags, "user", 4, "9f86", 4);
	values = (struct request_values){ .measures = { [REQUEST_COST] = 1234567,
							[REQUEST_LATENCY] = 5000000,
							[REQUEST_RSS] = -4096 },
					  .backend_calls = { 2 },
					  .backend_ns = { 1500 } };
	/* An endpoint that the sink was not told of yet. */
	return (struct request_seen){ .begin_ns = 1000, .pid = 100, .tid = 101, .status = 404,
				      .flags = GROUP_TLS, .method = "GE\x07T", .path = path,
				      .endpoint = 77, .endpoint_method = "GET",
				      .endpoint_name = "/new/*", .tags = &tags,
				      .values = &values };
}

static char *line_of(struct profile *p, bool json, const char *where, uint64_t *ret_count)
{
	struct request_filter filter = { 0 };
	struct request_lines l = { .profile = p, .json = json, .filters = &filter };
	struct request_seen seen = hostile();
	size_t size;
	char *text;

	if (where)
		CU_ASSERT_FATAL(!request_filter_parse(where, &filter));
	l.filter_count = where ? 1 : 0;
	text = CAPTURE(&size, l.out = out; request_lines_put(&l, &seen));
	*ret_count = l.count;
	request_filter_free(&filter);
	return text;
}

static void test_json(void)
{
	struct profile *p = requests_profile();
	uint64_t count;
	char *text = line_of(p, true, NULL, &count);
	json_t *json = json_loads(text, 0, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	CU_ASSERT_EQUAL(count, 1);
	CU_ASSERT_EQUAL(strcspn(text, "\n"), strlen(text) - 1);
	CU_ASSERT_EQUAL(number(json, "status"), 404);
	CU_ASSERT_EQUAL(number(json, "cost"), 1234567);
	CU_ASSERT_EQUAL(number(json, "rss"), -4096);
	CU_ASSERT_EQUAL(number(json, "latency"), 5000000);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json, "endpoint")), "/new/*");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json, "path")),
			       "/\xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd/\xe5\xba\x97\xef\xbf\xbd\xef\xbf\xbd");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json_object_get(json, "tags"),
								 "user")), "9f86");
	CU_ASSERT_EQUAL(number(json_object_get(json_object_get(json, "backends"), "memcache"),
			       "calls"), 2);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(json_object_get(json, "flags"), 0)),
			       "tls");
	json_decref(json);
	free(text);
	profile_free(p);
}

static void test_text(void)
{
	struct profile *p = requests_profile();
	uint64_t count;
	char *text = line_of(p, false, NULL, &count);

	ASSERT_CONTAINS(text, "# instructions:u: instructions");
	ASSERT_CONTAINS(text, "1.235 M   5.000 ms");
	CU_ASSERT_PTR_NULL(strchr(text, '\033'));
	CU_ASSERT_PTR_NULL(strchr(text, '\r'));
	free(text);
	profile_free(p);
}

static void test_filters(void)
{
	static const struct {
		const char *where;
		bool passes;
	} cases[] = {
		{ "status=4xx", true }, { "status=200", false }, { "endpoint=/new/*", true },
		{ "endpoint=GET /n*", true }, { "endpoint!=GET /n*", false }, { "method=POST", false },
		{ "user=9f*", true }, { "user=x", false }, { "user!=x", true }, { "pid=100", true },
		{ "host=testhost", true }, { "route=/new/?", true }, { "nothing=", true },
	};
	struct profile *p = requests_profile();

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t count;

		free(line_of(p, true, cases[i].where, &count));
		if (count != cases[i].passes)
			fprintf(stderr, "%s\n", cases[i].where);
		CU_ASSERT_EQUAL(count, cases[i].passes);
	}
	profile_free(p);
}

static void test_top(void)
{
	struct profile *p = requests_profile();
	static const struct moment start;
	struct top_state s = { .requests = true, .has_requests = true };
	struct moment now;
	struct interval v;
	char *text;
	size_t size;

	CU_ASSERT_FATAL(!interval_compute(p, &start, &v));
	text = CAPTURE(&size, CU_ASSERT(!top_print_requests(out, &v, &s, 0, 0)));
	ASSERT_CONTAINS(text, "GET /shop/product/*");
	ASSERT_CONTAINS(text, "POST /shop/cart");
	free(text);
	strcpy(s.filter, "CART");
	text = CAPTURE(&size, CU_ASSERT(!top_print_requests(out, &v, &s, 0, 0)));
	CU_ASSERT_PTR_NULL(strstr(text, "product"));
	ASSERT_CONTAINS(text, "POST /shop/cart");
	free(text);
	interval_free(&v);
	/* Nothing came since now. */
	CU_ASSERT_FATAL(!moment_take(p, &now) && !interval_compute(p, &now, &v));
	CU_ASSERT_EQUAL(v.requests.total.count, 0);
	interval_free(&v);
	moment_free(&now);
	profile_free(p);
}

static void test_keys(void)
{
	struct top_state s = { .has_requests = true, .current = 3 };

	top_key(&s, 'r', 10);
	CU_ASSERT(s.requests);
	top_key(&s, 'l', 10);
	CU_ASSERT_EQUAL(s.request_sort, REQUEST_SORT_LATENCY_P99);
	top_key(&s, 'n', 10);
	CU_ASSERT_EQUAL(s.request_sort, REQUEST_SORT_COUNT);
	CU_ASSERT_EQUAL(s.sort, SORT_SELF);
	top_key(&s, '\n', 10);
	CU_ASSERT_EQUAL(s.detail, 0);
	top_key(&s, KEY_DOWN, 10);
	CU_ASSERT_EQUAL(s.detail_scroll, 1);
	top_key(&s, 'r', 10);
	CU_ASSERT(!s.requests);
	top_key(&s, 'n', 10);
	CU_ASSERT_EQUAL(s.sort, SORT_CALLS);
	s.has_requests = false;
	top_key(&s, 'r', 10);
	CU_ASSERT(!s.requests);
}

int suite_request_line(void)
{
	static CU_TestInfo tests[] = {
		{ "json", test_json },	 { "text", test_text }, { "filters", test_filters },
		{ "top", test_top },	 { "keys of top", test_keys },
		CU_TEST_INFO_NULL,
	};

	return suite_register("request_line", tests);
}
