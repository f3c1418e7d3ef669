/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routes made of paths; which requests are of one class. */
#include "tests/http/host.h"
#include "tests/unit/suites.h"

static struct wire_request request;
static struct http_chunk chunk;

static const char *route_of(const char *path, size_t length)
{
	static char text[WIRE_ROUTE_MAX + 1];

	memset(&request, 0, sizeof(request));
	memset(request.route, 'x', sizeof(request.route)); /* of another, before */
	memcpy(request.path, path, length);
	request.path_length = length;
	http_route(&request, &chunk);
	memset(text, 0, sizeof(text));
	memcpy(text, request.route, request.route_length);
	for (int i = request.route_length; i < WIRE_ROUTE_MAX; i++)
		CU_ASSERT_EQUAL(request.route[i], 0);
	return text;
}

static void route_is(const char *path, const char *want)
{
	const char *route = route_of(path, strlen(path));

	CU_ASSERT_STRING_EQUAL(route, want);
	if (strcmp(route, want))
		fprintf(stderr, "http: the route of %s is %s, not %s\n", path, route, want);
}

static void test_segments(void)
{
	route_is("/", "/");
	route_is("", "/");
	route_is("*", "*");
	route_is("/users/1234", "/users/*");
	route_is("/users/1234/", "/users/*/");
	route_is("//users//a", "//users//a");
	route_is("/robots.txt", "/robots.txt");
	route_is("/a-b/c_d/E.F", "/a-b/c_d/E.F");
	route_is("/a b", "/*");
	route_is("/a%20b/c", "/*/c");
	route_is("/\xc3\xa4/\xff/c", "/*/*/c");
	route_is("/a@b/c:d/e+f/~g/{h}/[i]/`j/k^", "/*/*/*/*/*/*/*/*");
	route_is("host:443", "*");
	CU_ASSERT_STRING_EQUAL(route_of("/a\0b/c\0", 7), "/*/*");
}

static void test_digits(void)
{
	route_is("/api/v1/x", "/api/v1/x");
	route_is("/oauth2/callback", "/oauth2/callback");
	route_is("/v10", "/*");
	route_is("/v1.0", "/*");
	route_is("/v1a", "/*");
	route_is("/1", "/*");
	route_is("/-1", "/*");
	route_is("/a1b2c3", "/*");
	/* Across words. */
	route_is("/abcdefg1", "/abcdefg1");
	route_is("/abcdefgh1", "/abcdefgh1");
	route_is("/abcdefgh12", "/*");
	route_is("/abcdefg1h", "/*");
	route_is("/abcdefg-1", "/*");
}

static void test_random(void)
{
	route_is("/deadbeef/x", "/*/x");
	route_is("/DEADbeefDEADbeef", "/*");
	route_is("/facade/decade", "/facade/decade");
	route_is("/dead-beef", "/dead-beef");
	route_is("/feedback", "/feedback");
	route_is("/123e4567-e89b-12d3-a456-426614174000", "/*");
	route_is("/abcdefghijklmnopqrstuvwxyzABCDEF", "/abcdefghijklmnopqrstuvwxyzABCDEF");
	route_is("/abcdefghijklmnopqrstuvwxyzABCDEFG", "/*");
}

static void test_parameters(void)
{
	route_is("/a;b=1/c", "/a/c");
	route_is("/a;b;c=/;d", "/a/");
	route_is("/12;b=1", "/*");
	route_is("/abcdefgh;x=1234567890/ab", "/abcdefgh/ab");
	route_is(";", "");
}

static void test_long(void)
{
	char path[WIRE_PATH_MAX + 1], want[WIRE_ROUTE_MAX + 1];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	/* It may go on. */
	CU_ASSERT_STRING_EQUAL(route_of(path, WIRE_PATH_MAX), "/*");
	path[WIRE_PATH_MAX - 3] = '/';
	CU_ASSERT_STRING_EQUAL(route_of(path, WIRE_PATH_MAX), "/*/*");
	CU_ASSERT_STRING_EQUAL(route_of(path, WIRE_PATH_MAX - 1), "/*/a");
	/* As many whole segments as there is room for. */
	for (int i = 0; i < WIRE_PATH_MAX; i++)
		path[i] = i % 15 ? 'z' : '/';
	memcpy(want, path, sizeof(want));
	want[121] = 0;
	CU_ASSERT_STRING_EQUAL(route_of(path, WIRE_PATH_MAX), want);
	want[121] = 'z';
	want[122] = 0;
	CU_ASSERT_STRING_EQUAL(route_of(path, 122), want);
	memcpy(want, path, sizeof(want));
	want[128] = 0;
	CU_ASSERT_STRING_EQUAL(route_of(path, 128), want);
	want[121] = 0;
	CU_ASSERT_STRING_EQUAL(route_of(path, 129), want);
	memset(path, '/', sizeof(path));
	memset(want, '/', sizeof(want));
	want[HTTP_ROUTE_STEPS] = 0;
	CU_ASSERT_STRING_EQUAL(route_of(path, WIRE_PATH_MAX), want);
	memset(path + HTTP_ROUTE_STEPS - 8, 'a', sizeof(path) - HTTP_ROUTE_STEPS + 8);
	want[HTTP_ROUTE_STEPS - 8] = 0;
	CU_ASSERT_STRING_EQUAL(route_of(path, WIRE_PATH_MAX), want);
}

static void named(const char *method, const char *route)
{
	memset(&request, 0, sizeof(request));
	http_clear(&request);
	request.method_length = strlen(method);
	memcpy(request.method, method, strlen(method));
	request.route_length = strlen(route);
	memcpy(request.route, route, strlen(route));
}

static void test_class(void)
{
	__u64 class;

	memset(request_fields, 0, sizeof(request_fields));
	named("GET", "/users/*");
	class = http_class(&request, 0);
	CU_ASSERT(class > WIRE_CLASS_OTHER);
	CU_ASSERT_NOT_EQUAL(http_class(&request, 1), class);
	/* What is behind the lengths does not count, nor do fields that do not split. */
	request.route[20] = 'x';
	request.field_lengths[1] = 1;
	request.fields[1][0] = 'a';
	CU_ASSERT_EQUAL(http_class(&request, 0), class);
	request_fields[1].split = 1;
	CU_ASSERT_NOT_EQUAL(http_class(&request, 0), class);
	named("GET", "/users/*");
	class = http_class(&request, 0);
	request.flags = WIRE_REQUEST_MARKED;
	CU_ASSERT_NOT_EQUAL(http_class(&request, 0), class);
	named("GET/", "users/*");
	CU_ASSERT_NOT_EQUAL(http_class(&request, 0), class);
	named("POST", "/users/*");
	CU_ASSERT_NOT_EQUAL(http_class(&request, 0), class);
	named("GET", "/users/");
	CU_ASSERT_NOT_EQUAL(http_class(&request, 0), class);
	/* An empty field is not an absent one. */
	named("GET", "/users/*");
	request.field_lengths[1] = 0;
	CU_ASSERT_NOT_EQUAL(http_class(&request, 0), class);
	memset(request_fields, 0, sizeof(request_fields));
}

int suite_http_route(void)
{
	static CU_TestInfo tests[] = {
		{ "segments", test_segments },
		{ "digits", test_digits },
		{ "random names", test_random },
		{ "parameters", test_parameters },
		{ "long paths", test_long },
		{ "classes", test_class },
		CU_TEST_INFO_NULL,
	};

	return suite_register("http_route", tests);
}
