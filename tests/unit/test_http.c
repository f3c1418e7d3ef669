/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's parser of connections: what it tells of requests and responses, however
 * the bytes come.
 */
#include "tests/http/host.h"
#include "tests/unit/suites.h"

static struct host host;

static void field(unsigned i, unsigned kind, const char *name)
{
	memset(&request_fields[i], 0, sizeof(request_fields[i]));
	request_fields[i].kind = kind;
	request_fields[i].length = strlen(name);
	memcpy(request_fields[i].name, name, strlen(name));
}

static void fields(void)
{
	memset(request_fields, 0, sizeof(request_fields));
	field(0, WIRE_FIELD_HEADER, "user-agent");
	field(1, WIRE_FIELD_COOKIE, "sid");
	field(2, WIRE_FIELD_ARGUMENT, "q");
	field(3, WIRE_FIELD_HEADER, "x-a-header-whose-name-has-32-byt");
	field(4, WIRE_FIELD_HEADER, "authorization");
	field(5, WIRE_FIELD_HEADER, "cookie");
}

/* What is told of `length` bytes that come in three parts, which end at `a` and at `b`. */
static const char *told(unsigned kind, const char *data, size_t length, size_t a, size_t b)
{
	host_open(&host, kind);
	host_feed(&host, data, a);
	host_feed(&host, data + a, b - a);
	host_feed(&host, data + b, length - b);
	host_close(&host);
	return host.log.text;
}

static bool tells(const char *text, const char *want, const char *how)
{
	if (!strcmp(text, want))
		return true;
	fprintf(stderr, "http: %s, it tells \"%s\", not \"%s\"\n", how, text, want);
	return false;
}

/*
 * In one piece, in two and in three, wherever they end; and byte by byte.  Where a
 * message is long, every pair of ends in its first `dense` bytes.
 */
static void check_bytes(unsigned kind, const char *data, size_t length, const char *want)
{
	size_t dense = length < 400 ? length : 400;

	CU_ASSERT(tells(told(kind, data, length, length, length), want, "in one piece"));
	for (size_t b = 0; b <= length; b++)
		for (size_t a = 0; a <= (b < dense ? b : 0); a++)
			if (strcmp(told(kind, data, length, a, b), want)) {
				CU_ASSERT(tells(host.log.text, want, "in three pieces"));
				return;
			}
	host_open(&host, kind);
	for (size_t i = 0; i < length; i++)
		host_feed(&host, data + i, 1);
	host_close(&host);
	CU_ASSERT(tells(host.log.text, want, "byte by byte"));
}

static void check(unsigned kind, const char *text, const char *want)
{
	check_bytes(kind, text, strlen(text), want);
}

static void request_is(const char *text, const char *want)
{
	check(HTTP_KIND_DETECT, text, want);
	check(HTTP_KIND_REQUEST, text, want);
}

static void response_is(const char *text, const char *want)
{
	check(HTTP_KIND_DETECT, text, want);
	check(HTTP_KIND_RESPONSE, text, want);
}

#define HTTP " HTTP/1.1\r\n"

static void test_request_line(void)
{
	fields();
	request_is("GET /" HTTP "\r\n", "GET / route=/ head end\n");
	/* As servers let it be. */
	request_is("\r\n\nGET /a HTTP/1.1\nHost: a\n\n", "GET /a route=/a head end\n");
	request_is("HEAD /a?b" HTTP "\r\n", "HEAD /a route=/a head end\n");
	request_is("HT /a" HTTP "\r\n", "HT /a route=/a head end\n");
	request_is("VERSION-CONTROLS /a" HTTP "\r\n", "VERSION-CONTROLS /a route=/a head end\n");
	request_is("GET /a#b?q=1" HTTP "\r\n", "GET /a route=/a head end\n");
	request_is("OPTIONS *" HTTP "\r\n", "OPTIONS * route=* head end\n");
	request_is("GET http://host:80/a/b?q=1" HTTP "\r\n", "GET /a/b route=/a/b 2=1 head end\n");
	request_is("GET http://host?q=1" HTTP "\r\n", "GET  route=/ 2=1 head end\n");
	request_is("GET http://host" HTTP "\r\n", "GET  route=/ head end\n");
	request_is("CONNECT host:443" HTTP "\r\n", "CONNECT host:443 route=* head end\n");
}

/* With no field wanted: whether it was gone through in one go, and tells what is told else. */
static bool is_quick(unsigned kind, const char *text)
{
	char slowly[sizeof(host.log.text)];

	memset(request_fields, 0, sizeof(request_fields));
	host_open(&host, kind);
	host.slow = true;
	host_feed(&host, text, strlen(text));
	strcpy(slowly, host.log.text);
	host_open(&host, kind);
	host_feed(&host, text, strlen(text));
	CU_ASSERT_STRING_EQUAL(host.log.text, slowly);
	return host.quicks != 0;
}

static void test_quick_request(void)
{
	static const char *const quick[] = {
		"GET /" HTTP "\r\n",
		"GET /a/b?c=d&e HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
		"GET /a" HTTP "connection: Close\r\n\r\nGET /b" HTTP "\r\n",
		"HEAD /a#b" HTTP "Cookie: a=b\r\nContent-Type: x\r\n\r\n",
		"POST /a/b/1" HTTP "Content-Length: 5\r\nUser-Agent: long enough\r\n\r\nabcdeGET /c" HTTP "\r\n",
		"GET /a" HTTP "Accept: */*\r\n\r\nPOST /b" HTTP "Content-Length: 1\r\n\r\nxGET /c" HTTP "\r\n",
		"GET /a" HTTP "Cache control\r\n\r\n",
	};
	static const char *const slow[] = {
		"GET /a HTTP/1.1\nHost: a\n\n",
		"GET /a" HTTP "Host: a\r\n", /* not all of it */
		"POST /a" HTTP "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"POST /a" HTTP "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
		"POST /a" HTTP "Content-Length:5\r\n\r\nabcdeGET /c" HTTP "\r\n",
		"POST /a" HTTP "Content-Length: 5x\r\n\r\nabcde",
		"POST /a" HTTP "Content-Length: 1234567890\r\n\r\nabcde",
		"GET /a" HTTP "Connection: keep-alive, upgrade\r\n\r\n",
		"GET http://host/a" HTTP "Host: host\r\n\r\n",
		"OPTIONS *" HTTP "Host: host\r\n\r\n",
		"GET /a HTTP/2.0\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(quick) / sizeof(*quick); i++)
		CU_ASSERT(is_quick(HTTP_KIND_DETECT, quick[i]) && is_quick(HTTP_KIND_REQUEST, quick[i]));
	for (size_t i = 0; i < sizeof(slow) / sizeof(*slow); i++)
		CU_ASSERT(!is_quick(HTTP_KIND_DETECT, slow[i]) && !is_quick(HTTP_KIND_REQUEST, slow[i]));
	fields();
	host_open(&host, HTTP_KIND_REQUEST);
	host_feed(&host, quick[1], strlen(quick[1]));
	CU_ASSERT(!host.quicks);
}

static void test_quick_response(void)
{
	static const char *const quick[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.0 404\r\nServer: x\r\nContent-Length: 12\r\nConnection: what\r\n\r\n123456789012",
		"HTTP/1.1 204 No Content\r\nDate: never\r\n\r\nHTTP/1.1 200 OK\r\n\r\nto the end",
	};
	static const char *const slow[] = {
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 2000\r\nServer: what\r\n\r\n",
		"HTTP/1.1 200 OK\r\nServer: what\r\nConten",
	};

	for (size_t i = 0; i < sizeof(quick) / sizeof(*quick); i++)
		CU_ASSERT(is_quick(HTTP_KIND_RESPONSE, quick[i]));
	for (size_t i = 0; i < sizeof(slow) / sizeof(*slow); i++)
		CU_ASSERT(!is_quick(HTTP_KIND_RESPONSE, slow[i]));
	fields();
}

static void test_garbage(void)
{
	fields();
	request_is("GET /\r\n\r\n", " error\n"); /* HTTP/0.9 */
	request_is("GET / HTTP/2.0\r\n\r\n", " error\n");
	request_is("GET / HTTP/1.1x\r\n\r\n", " error\n");
	request_is("GET / HTTP/1\r\n\r\n", " error\n");
	request_is("GET a b c d\r\n\r\n", " error\n");
	request_is("GET ?a" HTTP "\r\n", " error\n");
	request_is("GET http:/a" HTTP "\r\n", " error\n");
	request_is("VERSION-CONTROLS9 /a" HTTP "\r\n", " error\n");
	request_is("GE\x80T /a" HTTP "\r\n", " error\n");
	request_is("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", " error\n");
	/* A server may refuse it; it was asked all the same. */
	request_is("GET /a" HTTP "Cache control\r\n\r\n", "GET /a route=/a head end\n");
	check_bytes(HTTP_KIND_DETECT, "\x16\x03\x01\x02", 4, " tls\n");
	check_bytes(HTTP_KIND_DETECT, "\x17\x03\x03\x02", 4, " tls\n");
	check_bytes(HTTP_KIND_DETECT, "\x16\x02", 2, " error\n");
	check_bytes(HTTP_KIND_DETECT, "\x7f" "ELF", 4, " error\n");
	check_bytes(HTTP_KIND_DETECT, "G\0 / HTTP/1.1\r\n\r\n", 17, " error\n");
	check(HTTP_KIND_RESPONSE, "ICY 200 OK\r\n\r\n", " error\n");
	check(HTTP_KIND_RESPONSE, "HTTP/1.1 20 OK\r\n\r\n", " error\n");
	check(HTTP_KIND_RESPONSE, "HTTP/1.1 2000\r\n\r\n", " error\n");
	check(HTTP_KIND_RESPONSE, "HTTP/1.1  200\r\n\r\n", " error\n");
}

static void test_fields(void)
{
	fields();
	request_is("GET /a?x=1&q=b%20c&q=2&qq=3&&=4 HTTP/1.1\r\nHost: h\r\nUSER-agent:\t Me/1.0 (a)\r\n\r\n",
		   "GET /a route=/a 0=Me/1.0 (a) 2=b%20c head end\n");
	request_is("GET /a?q HTTP/1.1\r\nUser-Agent:\r\nUser-Agents: 1\r\nUser-Agen: 2\r\n\r\n",
		   "GET /a route=/a 0= head end\n");
	request_is("GET /?q= HTTP/1.1\r\nx-a-header-whose-name-has-32-byt: 1\r\n"
		   "x-a-header-whose-name-has-32-bytes: 2\r\n\r\n",
		   "GET / route=/ 2= 3=1 head end\n");
	/* Of cookies, only those that are named; of passwords nothing at all. */
	request_is("GET / HTTP/1.1\r\nAuthorization: Basic c2VjcmV0\r\nCookie: a=b; sid=0=1; sid=2;sid\r\n"
		   "Cookie: sid=3\r\nProxy-Authorization: no\r\n\r\n",
		   "GET / route=/ 1=0=1 head end\n");
	request_is("GET / HTTP/1.1\r\nCookie: Sid=1;;sid2=1; ssid=2\r\ncookie: sid=3\r\n\r\n",
		   "GET / route=/ 1=3 head end\n");
	memset(request_fields, 0, sizeof(request_fields));
	request_is("GET /a?q=1 HTTP/1.1\r\nUser-Agent: a\r\nCookie: sid=2\r\n\r\n",
		   "GET /a route=/a head end\n");
}

/* What is longer than there is room for. */
static void test_cut(void)
{
	static char text[1024], want[2048];

	fields();
	snprintf(text, sizeof(text), "GET /%0300d?q=%0128d HTTP/1.1\r\nUser-Agent: %0129d\r\n\r\n", 0, 1,
		 2);
	snprintf(want, sizeof(want), "GET /%0255d route=/* 0=%0128d 2=%0128d cut head end\n", 0, 0, 1);
	request_is(text, want);
	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nCookie: %0200d=1; sid=%0127d\r\n\r\n", 3, 4);
	snprintf(want, sizeof(want), "GET / route=/ 1=%0127d head end\n", 4);
	request_is(text, want);
}

static void test_request_bodies(void)
{
	fields();
	request_is("POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /GET /b HTTP/1.1\r\n\r\n",
		   "POST /a route=/a head end\nGET /b route=/b head end\n");
	request_is("POST /a HTTP/1.1\r\nExpect: 100-continue\r\ncontent-length:0 \r\n"
		   "Content-Length: 0\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
		   "POST /a route=/a head end\nGET /b route=/b head end\n");
	request_is("POST /a HTTP/1.1\r\nTRANSFER-ENCODING: gzip, Chunked\r\n\r\n"
		   "5;a=\"\r\"\r\nGET /\r\n1A \r\nabcdefghijklmnopqrstuvwxyz\r\n00\r\nA: b\r\nContent-Length: 7\r\n\r\n"
		   "GET /b HTTP/1.1\r\n\r\n",
		   "POST /a route=/a head end\nGET /b route=/b head end\n");
	request_is("POST /a HTTP/1.1\nTransfer-Encoding: chunked\n\n1\na\n0\n\nGET /b HTTP/1.1\n\n",
		   "POST /a route=/a head end\nGET /b route=/b head end\n");
	/* The end is not known, or would be another to others. */
	request_is("POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n", "POST / route=/ error\n");
	request_is("POST / HTTP/1.1\r\nContent-Length: 5 5\r\n\r\n", "POST / route=/ error\n");
	request_is("POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", "POST / route=/ error\n");
	request_is("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
		   "POST / route=/ error\n");
	request_is("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		   "POST / route=/ error\n");
	request_is("POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
		   "POST / route=/ head error\n");
	request_is("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
		   "POST / route=/ head error\n");
	request_is("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
		   "POST / route=/ head error\n");
	request_is("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
		   "POST / route=/ head error\n");
	request_is("POST / HTTP/1.1\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
		   "GET /b HTTP/1.1\r\n\r\n",
		   "POST / route=/ head end\n");
}

/* What comes behind the last request of a connection is none. */
static void test_last(void)
{
	fields();
	request_is("GET / HTTP/1.1\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n\r\n",
		   "GET / route=/ head end\n");
	request_is("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.1\r\n\r\n", "GET / route=/ head end\n");
	request_is("GET / HTTP/1.0\r\nConnection: TE, Keep-Alive\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
		   "GET / route=/ head end\nGET /b route=/b head end\n");
	request_is("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
		   "GET /b HTTP/1.1\r\n\r\n",
		   "GET / route=/ head end\nGET /b route=/b head end\n");
}

static void test_responses(void)
{
	fields();
	response_is("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.0 404\r\n\r\nto the end",
		    "200 head end\n404 head end\n");
	response_is("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n"
		    "HTTP/1.1 500 Internal Server Error\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "3\r\nabc\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
		    "HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\nHTTP/1.1 302 F\r\nContent-Length: 0\r\n\r\n",
		    "100 head interim\n103 head interim\n500 head end\n204 head end\n304 head end\n"
		    "302 head end\n");
	response_is("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello",
		    "101 head upgraded\n");
	/* It has not ended. */
	response_is("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", "200 head");
}

static void test_head_answered(void)
{
	const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
			   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

	fields();
	host_open(&host, HTTP_KIND_RESPONSE);
	host.head_only = true;
	host_feed(&host, text, strlen(text));
	CU_ASSERT_STRING_EQUAL(host.log.text, "200 head end\n200 head end\n");
}

/* A body costs nothing: it is not even read. */
static void test_skip(void)
{
	const char *text = "POST / HTTP/1.1\r\nContent-Length: 10000000000\r\n\r\n";

	fields();
	host_open(&host, HTTP_KIND_REQUEST);
	host_feed(&host, text, strlen(text));
	CU_ASSERT_EQUAL(host.parser.skip, 10000000000);
	CU_ASSERT_EQUAL(http_skip(&host.parser, 9999999999), 9999999999);
	CU_ASSERT_EQUAL(http_skip(&host.parser, 9999), 1);
	CU_ASSERT_EQUAL(host.parser.skip, 0);
	host_run(&host, "", 0);
	CU_ASSERT_STRING_EQUAL(host.log.text, "POST / route=/ head end\n");
}

/* 64 KiB of a header line are passed over; what never ends is given up. */
static void test_long_lines(void)
{
	static char text[(2 << 20) + 256];
	size_t length = sprintf(text, "GET /a HTTP/1.1\r\nX-Long: ");

	fields();
	memset(text + length, 0, 65536);
	length += 65536;
	length += sprintf(text + length, "\r\nUser-Agent: a\r\n\r\n");
	check_bytes(HTTP_KIND_DETECT, text, 700, "GET /a route=/a");
	host_open(&host, HTTP_KIND_DETECT);
	host_feed(&host, text, length);
	CU_ASSERT_STRING_EQUAL(host.log.text, "GET /a route=/a 0=a head end\n");

	memset(text + length, 'a', sizeof(text) - length);
	memcpy(text + length, "GET /", 5);
	host_open(&host, HTTP_KIND_DETECT);
	host_feed(&host, text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(host.log.text, "GET /a route=/a 0=a head end\n error\n");
	CU_ASSERT_EQUAL(host.parser.skip, HTTP_SKIP_ALL);
}

int suite_http(void)
{
	static CU_TestInfo tests[] = {
		{ "request line", test_request_line },
		{ "quick request", test_quick_request },
		{ "quick response", test_quick_response },
		{ "garbage", test_garbage },
		{ "fields", test_fields },
		{ "cut", test_cut },
		{ "request bodies", test_request_bodies },
		{ "last of a connection", test_last },
		{ "responses", test_responses },
		{ "answers to HEAD", test_head_answered },
		{ "bodies are not read", test_skip },
		{ "long lines", test_long_lines },
		CU_TEST_INFO_NULL,
	};

	return suite_register("http", tests);
}
