/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <string.h>

#include "symbolizer/pystr.h"

static char text[64];
static bool truncated;

static int decode(unsigned kind, uint64_t length, const void *bytes, size_t size, size_t room)
{
	struct pystr s = { kind, length, bytes, size };

	return pystr_decode(&s, text, room, &truncated);
}

static void test_kinds(void)
{
	const uint16_t two[] = { 'a', 0x3b1, 0x20ac };
	const uint32_t four[] = { 0x1f40d, 'z' };

	CU_ASSERT_EQUAL(decode(1, 5, "hello", 5, sizeof(text)), 5);
	CU_ASSERT_STRING_EQUAL(text, "hello");
	CU_ASSERT_EQUAL(decode(1, 4, "caf\xe9", 4, sizeof(text)), 5);
	CU_ASSERT_STRING_EQUAL(text, "caf\xc3\xa9");
	CU_ASSERT_EQUAL(decode(2, 3, two, sizeof(two), sizeof(text)), 6);
	CU_ASSERT_STRING_EQUAL(text, "a\xce\xb1\xe2\x82\xac");
	CU_ASSERT_EQUAL(decode(4, 2, four, sizeof(four), sizeof(text)), 5);
	CU_ASSERT_STRING_EQUAL(text, "\xf0\x9f\x90\x8dz");
	CU_ASSERT_FALSE(truncated);
	CU_ASSERT_EQUAL(decode(1, 0, "", 0, sizeof(text)), 0);
	CU_ASSERT_FALSE(truncated);
}

static void test_escapes(void)
{
	const uint16_t surrogates[] = { 0xdcff, 0xd83d, 0xde00 };
	const uint32_t beyond[] = { 0x110000 };

	decode(1, 4, "\x1b[2\x9b", 4, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "\\x1b[2\\x9b");
	decode(1, 2, "\0\n", 2, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "\\x00\\x0a");
	decode(2, 3, surrogates, sizeof(surrogates), sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "\\udcff\\ud83d\\ude00");
	decode(4, 1, beyond, sizeof(beyond), sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "\\U00110000");
}

static void test_truncation(void)
{
	const uint16_t euro[] = { 0x20ac, 0x20ac };

	CU_ASSERT_EQUAL(decode(1, 1000, "hello", 5, sizeof(text)), 5);
	CU_ASSERT_TRUE(truncated);
	CU_ASSERT_EQUAL(decode(2, 2, euro, 3, sizeof(text)), 3); /* half a character */
	CU_ASSERT_TRUE(truncated);
	CU_ASSERT_EQUAL(decode(2, 2, euro, sizeof(euro), 6), 3); /* never half of one */
	CU_ASSERT_STRING_EQUAL(text, "\xe2\x82\xac");
	CU_ASSERT_TRUE(truncated);
	CU_ASSERT_EQUAL(decode(1, 5, "hello", 5, 1), 0);
	CU_ASSERT_STRING_EQUAL(text, "");
	CU_ASSERT_EQUAL(decode(1, 5, "hello", 5, 6), 5);
	CU_ASSERT_FALSE(truncated);
	CU_ASSERT_EQUAL(decode(1, UINT64_MAX, "a", 1, 64), 1);
}

static void test_refused(void)
{
	CU_ASSERT_EQUAL(decode(0, 1, "a", 1, 64), -EINVAL);
	CU_ASSERT_EQUAL(decode(3, 1, "aaa", 3, 64), -EINVAL);
	CU_ASSERT_EQUAL(decode(1, 1, "a", 1, 0), -EINVAL);
}

int suite_pystr(void)
{
	CU_pSuite s = CU_add_suite("pystr", NULL, NULL);

	return !s || !CU_ADD_TEST(s, test_kinds) || !CU_ADD_TEST(s, test_escapes) ||
	       !CU_ADD_TEST(s, test_truncation) || !CU_ADD_TEST(s, test_refused);
}
