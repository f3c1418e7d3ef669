/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of the uwsgi protocol, however they come. */
#include "tests/http/host.h"
#include "tests/unit/suites.h"

static struct host host;
static char packet[4096];
static size_t length;

static void begin(void)
{
	memset(packet, 0, sizeof(packet));
	length = 4;
	memset(request_fields, 0, sizeof(request_fields));
	request_fields[0] = (struct wire_field){ WIRE_FIELD_HEADER, 10, 0, 0, "user-agent" };
	request_fields[1] = (struct wire_field){ WIRE_FIELD_COOKIE, 3, 0, 0, "sid" };
	request_fields[2] = (struct wire_field){ WIRE_FIELD_ARGUMENT, 1, 0, 0, "q" };
	request_fields[3] = (struct wire_field){ WIRE_FIELD_HEADER, 32, 0, 0,
						 "x-a-header-whose-name-has-32-byt" };
}

static void item(const char *text)
{
	size_t n = strlen(text);

	packet[length++] = n;
	packet[length++] = n >> 8;
	memcpy(packet + length, text, n);
	length += n;
}

static void variable(const char *key, const char *value)
{
	item(key);
	item(value);
}

static size_t end(void)
{
	packet[1] = length - 4;
	packet[2] = (length - 4) >> 8;
	return length;
}

static void body(const char *text)
{
	memcpy(packet + length, text, strlen(text));
	length += strlen(text);
}

/* In up to three pieces, ending anywhere; and byte by byte. */
static void told_is(const char *want)
{
	static const unsigned kinds[] = { HTTP_KIND_DETECT, HTTP_KIND_UWSGI };

	for (int k = 0; k < 2; k++)
		for (size_t b = 0; b <= length; b++)
			for (size_t a = 0; a <= b; a++) {
				host_open(&host, kinds[k]);
				host_feed(&host, packet, a);
				host_feed(&host, packet + a, b - a);
				host_feed(&host, packet + b, length - b);
				if (!strcmp(host.log.text, want))
					continue;
				CU_ASSERT_STRING_EQUAL(host.log.text, want);
				fprintf(stderr, "http: uwsgi tells \"%s\", not \"%s\"\n",
					host.log.text, want);
				return;
			}
	host_open(&host, HTTP_KIND_DETECT);
	for (size_t i = 0; i < length; i++)
		host_feed(&host, packet + i, 1);
	CU_ASSERT_STRING_EQUAL(host.log.text, want);
}

static void test_packet(void)
{
	begin();
	variable("QUERY_STRING", "a=b&q=1 2\n&c");
	variable("REQUEST_METHOD", "GET");
	variable("CONTENT_TYPE", "");
	variable("CONTENT_LENGTH", "");
	variable("PATH_INFO", "/a b/c");
	variable("SERVER_PROTOCOL", "HTTP/1.1");
	variable("HTTP_USER_AGENT", "Me\r\n1.0");
	variable("HTTP_AUTHORIZATION", "Basic x");
	variable("HTTP_COOKIE", "a=b;sid=5; c=d");
	variable("HTTP_X_A_HEADER_WHOSE_NAME_HAS_32_BYT", "?");
	variable("HTTP_X_A_HEADER_WHOSE_NAME_HAS_32_BYTES", "!");
	end();
	told_is("GET /a b/c route=/*/c 0=Me\r\n1.0 1=5 2=1 2\n 3=? head end\n");
}

/* The path as it was sent is preferred, wherever it is. */
static void test_uri(void)
{
	begin();
	variable("PATH_INFO", "/a longer path than that");
	variable("REQUEST_URI", "/a%20b?q=1");
	variable("REQUEST_METHOD", "PUT");
	variable("CONTENT_LENGTH", "5");
	end();
	body("GET /");
	packet[length] = 0;
	told_is("PUT /a%20b route=/* head end\n");
	begin();
	variable("REQUEST_URI", "/b");
	variable("REQUEST_METHOD", "GET");
	variable("PATH_INFO", "/a");
	variable("HTTP_COOKIE", "");
	variable("QUERY_STRING", "");
	end();
	told_is("GET /b route=/b head end\n");
}

/* Connections may be kept: after the body comes the next packet. */
static void test_next(void)
{
	size_t first;

	begin();
	variable("REQUEST_METHOD", "POST");
	variable("PATH_INFO", "/a");
	variable("CONTENT_LENGTH", "3");
	first = end();
	body("abc");
	memcpy(packet + length, packet, first);
	length += first;
	told_is("POST /a route=/a head end\nPOST /a route=/a head");
	/* How long a chunked body is, is not told. */
	begin();
	variable("REQUEST_METHOD", "POST");
	variable("HTTP_TRANSFER_ENCODING", "chunked");
	end();
	body("3\r\nabc\r\n0\r\n\r\n");
	told_is("POST  route=/ head end\n");
}

static void test_broken(void)
{
	begin();
	variable("REQUEST_METHOD", "GET");
	end();
	packet[0] = 1; /* no modifier of WSGI */
	host_open(&host, HTTP_KIND_UWSGI);
	host_feed(&host, packet, length);
	CU_ASSERT_STRING_EQUAL(host.log.text, " error\n");
	packet[0] = 0;
	packet[1]--; /* an item does not fit into the packet */
	told_is(" error\n");
	begin();
	variable("PATH_INFO", "/");
	end();
	told_is(" error\n"); /* no method */
	begin();
	variable("REQUEST_METHOD", "G T");
	end();
	told_is(" error\n");
	begin();
	variable("REQUEST_METHOD", "GET");
	variable("CONTENT_LENGTH", "x");
	end();
	told_is(" error\n");
	begin();
	item("REQUEST_METHOD"); /* a key without a value */
	end();
	told_is(" error\n");
	memset(packet, 0, 16);
	length = 16;
	told_is(" error\n");
}

int suite_http_uwsgi(void)
{
	static CU_TestInfo tests[] = {
		{ "a packet", test_packet },
		{ "REQUEST_URI", test_uri },
		{ "the next packet", test_next },
		{ "broken packets", test_broken },
		CU_TEST_INFO_NULL,
	};

	return suite_register("http_uwsgi", tests);
}
