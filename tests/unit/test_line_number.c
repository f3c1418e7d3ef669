/* SPDX-License-Identifier: GPL-2.0-or-later */
/* By hand; tests/lines compares with CPython's own for its whole library. */
#include <errno.h>

#include "symbolizer/line_number.h"
#include "tests/unit/suites.h"

static int64_t line(int minor, const uint8_t *table, size_t size, uint32_t instr)
{
	return line_number(minor, 2, table, size, size, instr);
}

static void test_pairs(void)
{
	static const uint8_t pairs[] = { 0, 1, 4, 1, 4, 0xff, 0xff, 0, 1, 5 };

	CU_ASSERT(line(9, pairs, sizeof(pairs), 0) == 3 && line(6, pairs, sizeof(pairs), 3) == 3);
	CU_ASSERT(line(9, pairs, sizeof(pairs), 4) == 4 && line(9, pairs, sizeof(pairs), 8) == 3);
	CU_ASSERT(line(9, pairs, sizeof(pairs), 263) == 3);
	/* The last one holds to the end of the code, wherever that is. */
	CU_ASSERT(line(9, pairs, sizeof(pairs), 264) == 8 && line(9, pairs, sizeof(pairs), 999) == 8);
	CU_ASSERT(line(9, NULL, 0, 7) == 2);
	CU_ASSERT(line_number(9, 2, pairs, 4, sizeof(pairs), 3) == 3);
	CU_ASSERT(line_number(9, 2, pairs, 4, sizeof(pairs), 4) == -ENODATA);
}

static void test_ranges(void)
{
	static const uint8_t ranges[] = { 4, 1, 2, 0x80, 254, 0, 4, 0xfe };

	CU_ASSERT(line(10, ranges, sizeof(ranges), 0) == 3 && line(10, ranges, sizeof(ranges), 2) == 3);
	CU_ASSERT(line(10, ranges, sizeof(ranges), 4) == 0); /* none */
	CU_ASSERT(line(10, ranges, sizeof(ranges), 6) == 3);
	CU_ASSERT(line(10, ranges, sizeof(ranges), 262) == 1);
	CU_ASSERT(line(10, ranges, sizeof(ranges), 264) == -EINVAL);
	CU_ASSERT(line_number(10, 2, ranges, 4, sizeof(ranges), 6) == -ENODATA);
}

static void test_entries(void)
{
	/* Same line; none; next; two on; no columns, -3; long, +100; short. */
	static const uint8_t entries[] = { 0xd0, 1, 2, 0xf9, 0xd8, 1, 2, 0xe0, 1, 2, 0xe8, 7,
					   0xf0, 0x48, 3, 0, 0, 0, 0x87, 5 };

	CU_ASSERT_EQUAL(line(11, entries, sizeof(entries), 0), 2);
	CU_ASSERT(line(11, entries, sizeof(entries), 2) == 0 && line(15, entries, sizeof(entries), 5) == 0);
	CU_ASSERT_EQUAL(line(15, entries, sizeof(entries), 6), 3);
	CU_ASSERT_EQUAL(line(15, entries, sizeof(entries), 8), 5);
	CU_ASSERT_EQUAL(line(15, entries, sizeof(entries), 10), 2);
	CU_ASSERT_EQUAL(line(15, entries, sizeof(entries), 12), 102);
	CU_ASSERT(line(15, entries, sizeof(entries), 14) == 102 && line(15, entries, sizeof(entries), 29) == 102);
	CU_ASSERT_EQUAL(line(15, entries, sizeof(entries), 30), -EINVAL);
	CU_ASSERT_EQUAL(line_number(15, 2, entries, 7, sizeof(entries), 2), 0);
	/* The last entry may itself be cut. */
	CU_ASSERT_EQUAL(line_number(15, 2, entries, 14, sizeof(entries), 12), -ENODATA);
}

static void test_refused(void)
{
	static const uint8_t no_entry[] = { 0x50, 1, 2 }, endless[] = { 0xe8, 0x7f, 0x7f },
			     below[] = { 0xe8, 0x4b, 1 }, *shift = (const uint8_t *)"\xe8\x7f\x7f\x7f\x7f\x7f\x7f\x01";

	CU_ASSERT_EQUAL(line(11, no_entry, sizeof(no_entry), 0), -EINVAL);
	CU_ASSERT_EQUAL(line(11, endless, sizeof(endless), 0), -EINVAL);
	CU_ASSERT_EQUAL(line(11, below, sizeof(below), 0), -EINVAL);
	CU_ASSERT_EQUAL(line(11, shift, 8, 0), -EINVAL);
	CU_ASSERT_EQUAL(line(11, NULL, 0, 0), -EINVAL);
}

int suite_line_number(void)
{
	CU_TestInfo tests[] = {
		{ "pairs", test_pairs },
		{ "ranges", test_ranges },
		{ "entries", test_entries },
		{ "refused", test_refused },
		CU_TEST_INFO_NULL,
	};

	return suite_register("line_number", tests);
}
