/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes to ClickHouse and comes back, without one: tests/fleet/clickhouse.py has one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tests/unit/suites.h"
#include "userspace/store/clickhouse_http.h"
#include "userspace/store/clickhouse_rows.h"

static char err[256];

static int parse(const char *url, struct clickhouse_address *ret)
{
	memset(ret, 0, sizeof(*ret));
	return clickhouse_address_parse(url, strlen(url), ret, err, sizeof(err));
}

static void test_addresses(void)
{
	static const struct {
		const char *url, *base, *name, *database;
	} good[] = {
		{ "http://a", "http://a:8123/", "a:8123", "default" },
		{ "http://a:80/x_1", "http://a:80/", "a:80", "x_1" },
		{ "https://a.b/", "https://a.b:8443/", "a.b:8443", "default" },
		{ "http://[::1]/p", "http://[::1]:8123/", "[::1]:8123", "p" },
		{ "http://[::1]:9/p", "http://[::1]:9/", "[::1]:9", "p" },
	};
	static const char *const bad[] = { "http://", "http:///x", "ftp://a/x", "http://a/x-y",
					   "http://a/1x", "http://a/x/y", "http://a/x?y", "http://:1/x" };
	struct clickhouse_address a;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		CU_ASSERT_FATAL(!parse(good[i].url, &a));
		CU_ASSERT_STRING_EQUAL(a.base, good[i].base);
		CU_ASSERT_STRING_EQUAL(a.name, good[i].name);
		CU_ASSERT_STRING_EQUAL(a.database, good[i].database);
		clickhouse_address_clear(&a);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CU_ASSERT(parse(bad[i], &a) == -EINVAL && strstr(err, bad[i]));
	CU_ASSERT(parse("http://me:hidden@a/x", &a) == -EINVAL && !strstr(err, "hidden"));
}

struct seen {
	unsigned rows;
	bool right;
};

static int on_row(void *arg, const struct store_value *v, size_t count)
{
	struct seen *s = arg;

	s->right = count == 4 && v[0].type == STORE_U64 && v[0].u64 == UINT64_MAX &&
		   v[1].type == STORE_F64 && v[1].f64 == -2 && v[2].type == STORE_F64 &&
		   v[2].f64 == 0.1 && v[3].type == STORE_TEXT && !strcmp(v[3].text, "a\tb\\c\n'");
	return ++s->rows == 2 ? 7 : 0;
}

/* However it is cut on its way. */
static void test_answer(void)
{
	static const char text[] = "n\ti\tf\ts\nUInt64\tInt64\tFloat64\tString\n"
				   "18446744073709551615\t-2\t0.1\ta\\tb\\\\c\\n\\'\n";
	size_t size = sizeof(text) - 1;

	for (size_t cut = 0; cut <= size; cut++) {
		struct clickhouse_answer a;
		struct seen s = {};

		clickhouse_answer_init(&a, on_row, &s);
		CU_ASSERT(!clickhouse_answer_take(&a, text, cut));
		CU_ASSERT(clickhouse_answer_end(&a) == (cut && text[cut - 1] != '\n' ? -EBADMSG : 0));
		CU_ASSERT(!clickhouse_answer_take(&a, text + cut, size - cut));
		CU_ASSERT(!clickhouse_answer_end(&a) && s.rows == 1 && s.right);
		/* What a row is answered with ends it. */
		CU_ASSERT(clickhouse_answer_take(&a, strchr(strchr(text, '\n') + 1, '\n') + 1,
						 strlen(strchr(strchr(text, '\n') + 1, '\n') + 1)) == 7);
		clickhouse_answer_free(&a);
	}
}

static void test_bad_answers(void)
{
	static const char *const bad[] = {
		"a\tb\nUInt64\n",	  "a\nDate\n",		   "a\nUInt64\n-1\n",
		"a\nUInt64\n1\t2\n",	  "a\nUInt64\n\n",	   "a\nUInt64\n1x\n",
		"a\nFloat64\n0.1.2\n",	  "a\nUInt64\n99999999999999999999\n",
		"a\tb\nString\tString\nx\n",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct clickhouse_answer a;

		clickhouse_answer_init(&a, NULL, NULL);
		CU_ASSERT(clickhouse_answer_take(&a, bad[i], strlen(bad[i])) == -EBADMSG);
		clickhouse_answer_free(&a);
	}
}

/* Larger than what is kept before it is packed, and with a text that is, too. */
static void test_rows(void)
{
	static unsigned char plain[1 << 20];
	static char text[100001];
	struct clickhouse_rows *rows = calloc(1, sizeof(*rows));
	struct store_value v[] = { { STORE_U64, { .u64 = 0x0102030405060708 } },
				   { STORE_TEXT, { .text = "ab" } } };
	z_stream z = {};

	for (int i = 0; i < 10000; i++)
		CU_ASSERT(!clickhouse_rows_add(rows, v, 2));
	memset(text, 'x', sizeof(text) - 1);
	v[1].text = text;
	CU_ASSERT(!clickhouse_rows_add(rows, v, 2) && !clickhouse_rows_end(rows));
	CU_ASSERT(rows->count == 10001 && rows->size < 20000);
	z.next_in = rows->bytes;
	z.avail_in = (unsigned)rows->size;
	z.next_out = plain;
	z.avail_out = sizeof(plain);
	CU_ASSERT_FATAL(inflateInit2(&z, 15 + 16) == Z_OK);
	CU_ASSERT(inflate(&z, Z_FINISH) == Z_STREAM_END);
	CU_ASSERT(z.total_out == 10000 * 11 + 8 + 3 + 100000);
	CU_ASSERT(!memcmp(plain + 11, "\x08\x07\x06\x05\x04\x03\x02\x01\x02" "ab", 11));
	CU_ASSERT(!memcmp(plain + 110008, "\xa0\x8d\x06" "xx", 5));
	inflateEnd(&z);
	clickhouse_rows_free(rows);
	free(rows);
}

int suite_clickhouse(void)
{
	CU_TestInfo tests[] = {
		{ "addresses", test_addresses },
		{ "answers, however they are cut", test_answer },
		{ "what is no answer", test_bad_answers },
		{ "rows to insert", test_rows },
		CU_TEST_INFO_NULL,
	};

	return suite_register("clickhouse", tests);
}
