/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Against the tables that CPython made of
 *
 *	def f(a):		# line 2
 *	    b = 1
 *	    if a:
 *	        return 2	# line 5; address 10 of 3.9's code, 26 of 3.15's
 *
 *	    c = 3
 *	    return c		# line 8; address 18, 34
 */
#include <errno.h>
#include <stdlib.h>

#include "bpf/wire.h"
#include "symbolizer/line_table.h"
#include "tests/unit/suites.h"
#include "userspace/search.h"

static const uint8_t pairs[] = {0x00, 0x01, 0x04, 0x01, 0x04, 0x01, 0x04, 0x02, 0x04, 0x01};
static const uint8_t entries[] = {0x81, 0x00, 0xd8, 0x08, 0x09, 0x80, 0x41, 0xdf,
				  0x07, 0x08, 0xd9, 0x0f, 0x10, 0xe0, 0x08, 0x09,
				  0x80, 0x41, 0xd8, 0x0b, 0x0c, 0x80, 0x48};

static struct line_table *table(int minor, const uint8_t *data, size_t size, size_t whole)
{
	struct line_table *t = NULL;

	CU_ASSERT_FATAL(!line_table_read(minor, 2, data, size, whole, &t));
	return t;
}

static void expect(const struct line_table *t, double position, double passed, double bytes)
{
	struct line_search s = line_table_search(t, position);

	CU_ASSERT_DOUBLE_EQUAL(s.entries, passed, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(s.bytes, bytes, 1e-9);
}

static void test_pairs(void)
{
	struct line_table *t = table(9, pairs, sizeof(pairs), sizeof(pairs));

	/* Three whole pairs, and the first byte of the fourth, which is too far. */
	expect(t, 5, 3, 7);
	/* The end of the table ends the search, too. */
	expect(t, 8, 5, 10);
	expect(t, 2, 0, 1);
	/* Between lines, and beyond them. */
	expect(t, 6, 3, 7);
	expect(t, 100, 5, 10);
	free(t);
	t = table(9, NULL, 0, 0);
	expect(t, 2, 0, 0);
	free(t);
}

/* The bodies of loops end with a step back to a line that was there before. */
static void test_line_twice(void)
{
	static const uint8_t loop[] = {0, 1, 4, 1, 4, 0xff, 4, 3};
	struct line_table *t = table(9, loop, sizeof(loop), sizeof(loop));

	expect(t, 3, 3, 7);
	expect(t, 4, 2, 5);
	expect(t, 6, 4, 8);
	free(t);
}

static void test_entries(void)
{
	struct line_table *t = table(15, entries, sizeof(entries), sizeof(entries));

	expect(t, 0, 1, 2);
	expect(t, 3, 1, 2);
	expect(t, 4, 2, 5);
	expect(t, 26, 5, 13);
	expect(t, 34, 9, 23);
	/* Beyond the code: the search ends with the table. */
	expect(t, 36, 9, 23);
	free(t);
}

static void test_cut(void)
{
	struct line_table *t = table(9, pairs, sizeof(pairs), 2 * sizeof(pairs));

	expect(t, 5, 3, 7);
	expect(t, 20, 10, 20);
	free(t);
	t = table(15, entries, 2, 20);
	expect(t, 100, 10, 20);
	free(t);
}

static void test_refused(void)
{
	struct line_table *t;

	CU_ASSERT_EQUAL(line_table_read(15, 2, pairs, sizeof(pairs), sizeof(pairs), &t), -EINVAL);
	CU_ASSERT_EQUAL(line_table_read(9, 2, pairs, sizeof(pairs), 1, &t), -EINVAL);
}

static void test_costs(void)
{
	struct line_table *t = table(9, pairs, sizeof(pairs), sizeof(pairs));
	struct build_cost cost = {.per_entry = 10, .per_byte = 1, .lone_return = 500,
				  .lone_entry = 300, .empty_return = {1, 2}, .empty_entry = {0, 1}};
	struct wire_search s = {.position = {5 + 1, 8 + 1}, .count = {3, 2}};

	/* 3 * (37 - 12) + 2 * (60 - 12) */
	CU_ASSERT_DOUBLE_EQUAL(search_of_returns(&s, t, &cost), 171, 1e-9);
	/* Of the others the mean place is known. */
	s.others = 4;
	s.other_positions = 4 * 5;
	CU_ASSERT_DOUBLE_EQUAL(search_of_returns(&s, t, &cost), 271, 1e-9);
	s.shims = 2;
	CU_ASSERT_DOUBLE_EQUAL(search_of_returns(&s, t, &cost), 1271, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(search_of_returns(&s, NULL, &cost), 1000, 1e-9);
	/* A generator made, then resumed: begun (no line), then twice after line 5. */
	s = (struct wire_search){.position = {WIRE_NO_LINE + 1, 5 + 1}, .count = {2, 2}};
	CU_ASSERT_DOUBLE_EQUAL(search_of_entries(&s, t, 3, &cost), 2 * (37 - 1) + 300, 1e-9);
	free(t);
}

int suite_line_table(void)
{
	CU_pSuite s = CU_add_suite("line table", NULL, NULL);

	return !s || !CU_ADD_TEST(s, test_pairs) || !CU_ADD_TEST(s, test_line_twice) ||
	       !CU_ADD_TEST(s, test_entries) || !CU_ADD_TEST(s, test_cut) ||
	       !CU_ADD_TEST(s, test_refused) || !CU_ADD_TEST(s, test_costs);
}
