/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/suites.h"
#include "userspace/profile.h"
#include "userspace/request_config.h"
#include "userspace/routes.h"
#include "userspace/tag_sets.h"

static struct profile *p;
static struct request_config config;
static struct tag_sets *tags;
static struct routes *routes;
static uint64_t united[8][2];
static int united_count;

static int on_canonical(void *arg, uint64_t class_id, uint64_t canonical)
{
	if (united_count < 8) {
		united[united_count][0] = class_id;
		united[united_count][1] = canonical;
	}
	united_count++;
	return 0;
}

/* Options of requests, until NULL. */
static void begin(const char *const *patterns, const char *field, uint32_t max)
{
	struct sink_meta meta = { .metric = METRIC_CYCLES, .requests = true };
	struct routes_options o = { .config = &config, .canonical = on_canonical };
	char err[256];

	CU_ASSERT_FATAL(!profile_create(&p) && !p->sink.meta(&p->sink, &meta));
	request_config_init(&config);
	for (; *patterns; patterns++)
		CU_ASSERT_FATAL(!request_config_route(&config, *patterns, err, sizeof(err)));
	if (field)
		CU_ASSERT_FATAL(!request_config_field(&config, field, err, sizeof(err)));
	if (max)
		config.max_endpoints = max;
	CU_ASSERT_FATAL(!tag_sets_new(&p->sink, 100, &tags));
	o.sink = &p->sink;
	o.tags = tags;
	CU_ASSERT_FATAL(!routes_new(&o, &routes));
	united_count = 0;
}

static void end(void)
{
	routes_free(routes);
	tag_sets_free(tags);
	request_config_clear(&config);
	profile_free(p);
}

static uint32_t class_field(uint64_t id, const char *method, const char *route, const char *field)
{
	struct wire_event_class c = { .class_id = id };
	uint32_t ret;

	c.method_length = strlen(memcpy(c.method, method, strlen(method)));
	c.route_length = strlen(memcpy(c.route, route, strlen(route)));
	memset(c.field_lengths, 0xff, sizeof(c.field_lengths));
	if (field)
		c.field_lengths[0] = strlen(strcpy(c.fields[0], field));
	CU_ASSERT(!routes_class(routes, &c) && !routes_class_endpoint(routes, id, &ret));
	return ret;
}

static uint32_t class(uint64_t id, const char *method, const char *route)
{
	return class_field(id, method, route, NULL);
}

static uint32_t request(uint64_t class_id, const char *method, const char *path, const char *route)
{
	static struct wire_request q;
	uint32_t ret;

	memset(&q, 0, sizeof(q));
	q.class_id = class_id;
	q.method_length = strnlen(method, WIRE_METHOD_MAX);
	q.path_length = strnlen(path, WIRE_PATH_MAX);
	q.route_length = strnlen(route, WIRE_ROUTE_MAX);
	memcpy(q.method, method, q.method_length);
	memcpy(q.path, path, q.path_length);
	memcpy(q.route, route, q.route_length);
	memset(q.field_lengths, 0xff, sizeof(q.field_lengths));
	CU_ASSERT(!routes_endpoint(routes, &q, &ret));
	return ret;
}

static void test_patterns_then_paths(void)
{
	static const char *const patterns[] = { "/shop/*/edit=edit", "GET /shop/**", NULL };
	uint32_t edit, shop, posted, guess;

	begin(patterns, NULL, 0);
	edit = class(10, "GET", "/shop/*/edit");
	shop = class(11, "GET", "/shop/cart");
	posted = class(12, "POST", "/shop/cart");
	guess = class(13, "GET", "/about");
	CU_ASSERT(edit && shop && posted && guess && p->requests.endpoint_count == 5);
	CU_ASSERT_STRING_EQUAL(p->requests.endpoints[edit].name, "edit");
	CU_ASSERT_STRING_EQUAL(p->requests.endpoints[edit].method, "GET");
	CU_ASSERT(p->requests.endpoints[edit].source == ENDPOINT_PATTERN);
	CU_ASSERT_STRING_EQUAL(p->requests.endpoints[shop].name, "/shop/**");
	CU_ASSERT_STRING_EQUAL(p->requests.endpoints[posted].name, "/shop/cart");
	CU_ASSERT(p->requests.endpoints[posted].source == ENDPOINT_HEURISTIC);
	CU_ASSERT_STRING_EQUAL(routes_name(routes, guess), "/about");
	CU_ASSERT_STRING_EQUAL(routes_method(routes, posted), "POST");
	CU_ASSERT_STRING_EQUAL(routes_name(routes, 0), "");
	CU_ASSERT_STRING_EQUAL(routes_name(routes, 99), "");
	/* The same pattern once more: the same endpoint, and one class in the kernel. */
	CU_ASSERT(class(14, "GET", "/shop/product") == shop);
	CU_ASSERT(united_count == 1 && united[0][0] == 14 && united[0][1] == 11);
	CU_ASSERT(class(11, "GET", "/other") == shop); /* told again: as it was */
	CU_ASSERT(request(11, "GET", "/shop/cart", "/shop/cart") == shop);
	/* Of a class that was not announced: by itself. */
	CU_ASSERT(request(77, "GET", "/shop/9/edit", "/shop/*/edit") == edit);
	CU_ASSERT(request(77, "GET", "/about", "/about") == guess);
	CU_ASSERT(p->requests.endpoint_count == 5);
	end();
}

/* A class of "/item/" and any number may have a request that has a pattern of its own. */
static void test_paths_within_a_class(void)
{
	static const char *const patterns[] = { "/item/1=first", "/item/*", NULL };
	uint32_t items, first;

	begin(patterns, NULL, 0);
	items = class(10, "GET", "/item/*");
	CU_ASSERT_STRING_EQUAL(routes_name(routes, items), "/item/*");
	first = request(10, "GET", "/item/1", "/item/*");
	CU_ASSERT_STRING_EQUAL(routes_name(routes, first), "first");
	CU_ASSERT(request(10, "GET", "/item/2", "/item/*") == items);
	CU_ASSERT(first != items && united_count == 0);
	end();
}

static void test_marks(void)
{
	static const char *const patterns[] = { "/**=all", NULL };
	struct wire_event_class c = { .class_id = 5, .method = "GET", .method_length = 3,
				      .route = "shop.views.cart", .route_length = 15,
				      .flags = WIRE_REQUEST_MARKED };
	uint32_t id;

	begin(patterns, NULL, 0);
	memset(c.field_lengths, 0xff, sizeof(c.field_lengths));
	CU_ASSERT(!routes_class(routes, &c) && !routes_class_endpoint(routes, 5, &id));
	CU_ASSERT_STRING_EQUAL(routes_name(routes, id), "shop.views.cart");
	CU_ASSERT(p->requests.endpoints[id].source == ENDPOINT_MARK);
	end();
}

static void test_split_fields(void)
{
	static const char *const patterns[] = { NULL };
	uint32_t ios, android, none;

	begin(patterns, "header:x-platform=platform,split", 0);
	ios = class_field(10, "GET", "/a", "ios");
	android = class_field(11, "GET", "/a", "android");
	none = class(12, "GET", "/a");
	CU_ASSERT(ios != android && none != ios && none != android);
	CU_ASSERT_STRING_EQUAL(profile_tag(p, p->requests.endpoints[ios].tags, "platform"), "ios");
	CU_ASSERT(p->requests.endpoints[none].tags == 0);
	CU_ASSERT(class_field(13, "GET", "/a", "ios") == ios && united_count == 1);
	end();
}

/* Paths get three quarters of the endpoints, patterns all; the rest is "other". */
static void test_cap(void)
{
	static const char *const patterns[] = { "/p1", "/p2", "/p3", "/p4", NULL };
	uint32_t other = 0;
	char path[32];

	begin(patterns, NULL, 8);
	for (int i = 0; i < 100; i++) {
		uint32_t id;

		snprintf(path, sizeof(path), "/guess%d", i);
		id = class(100 + i, "GET", path);
		if (i < 6)
			CU_ASSERT(id == (uint32_t)i + 1);
		if (i == 6)
			other = id;
		CU_ASSERT(i < 6 || id == other);
	}
	CU_ASSERT_STRING_EQUAL(routes_name(routes, other), "other");
	CU_ASSERT(p->requests.endpoints[other].source == ENDPOINT_OTHER);
	CU_ASSERT(routes_beyond(routes) == 0 && p->requests.endpoint_count == 8);
	CU_ASSERT(united_count == 94 && united[0][1] == WIRE_CLASS_OTHER);
	CU_ASSERT(class(300, "GET", "/p1") == 8 && class(301, "GET", "/p2") == other);
	CU_ASSERT(class(302, "GET", "/guess3") == 4);
	CU_ASSERT(request(1, "GET", "/p1", "/p1") == 8);
	CU_ASSERT(routes_beyond(routes) == 0);
	CU_ASSERT(request(1, "GET", "/unknown", "/unknown") == other);
	CU_ASSERT(request(150, "GET", "/guess50", "/guess50") == other);
	CU_ASSERT(routes_beyond(routes) == 2);
	end();
}

static void test_strange_requests(void)
{
	static const char *const patterns[] = { "/long/**", "/long/*/end", NULL };
	char path[WIRE_PATH_MAX + 1], route[WIRE_ROUTE_MAX + 1];
	uint32_t id;

	begin(patterns, NULL, 0);
	CU_ASSERT_STRING_EQUAL(routes_method(routes, request(7, "BREW", "/pot", "/pot")), "OTHER");
	CU_ASSERT_STRING_EQUAL(routes_name(routes, request(7, "GET", "", "")), "*");
	memset(path, 'x', sizeof(path) - 1);
	memset(route, 'x', sizeof(route) - 1);
	path[sizeof(path) - 1] = route[sizeof(route) - 1] = 0;
	memcpy(path, "/long/", 6);
	memcpy(route, "/long/", 6);
	/* Cut: it is below /long, whatever it is. */
	id = request(7, "GET", path, route);
	CU_ASSERT_STRING_EQUAL(routes_name(routes, id), "/long/**");
	memcpy(path, "/else/", 6);
	memcpy(route, "/else/", 6);
	id = request(7, "GET", path, route);
	CU_ASSERT(p->requests.endpoints[id].source == ENDPOINT_HEURISTIC);
	CU_ASSERT(strlen(routes_name(routes, id)) == WIRE_ROUTE_MAX);
	CU_ASSERT(!routes_class_endpoint(routes, 12345, &id) && id == 0);
	CU_ASSERT(!routes_class_endpoint(routes, WIRE_CLASS_OTHER, &id) && id);
	end();
}

int suite_routes(void)
{
	CU_TestInfo tests[] = {
		{ "patterns, then paths", test_patterns_then_paths },
		{ "paths within a class", test_paths_within_a_class },
		{ "marks", test_marks },
		{ "split fields", test_split_fields },
		{ "no more than so many", test_cap },
		{ "strange requests", test_strange_requests },
		CU_TEST_INFO_NULL,
	};

	return suite_register("routes", tests);
}
