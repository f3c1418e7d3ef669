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

/* A digit for each form, so that a sum says what it is made of. */
static const struct line_costs costs = {
	.of = {[LINE_PAIR] = 10, [LINE_TOO_FAR] = 1, [LINE_NONE] = 1, [LINE_SHORT] = 100,
	       [LINE_SAME] = 1000, [LINE_NEXT] = 10000, [LINE_SECOND] = 100000,
	       [LINE_NO_COLUMNS] = 1e6, [LINE_LONG_5] = 5, [LINE_LONG_6] = 6,
	       [LINE_LONG_7] = 7, [LINE_LONG_8] = 9},
};

static struct line_table *table(int minor, const uint8_t *data, size_t size, size_t whole)
{
	struct line_table *t = NULL;

	CU_ASSERT_FATAL(!line_table_read(minor, 2, data, size, whole, &costs, &t));
	return t;
}

static void expect(const struct line_table *t, double position, double cost)
{
	CU_ASSERT_DOUBLE_EQUAL(line_table_search(t, position), cost, 1e-9);
}

static void test_pairs(void)
{
	struct line_table *t = table(9, pairs, sizeof(pairs), sizeof(pairs));

	/* Three pairs, and the fourth, which is too far. */
	expect(t, 5, 31);
	/* The end of the table ends the search, too. */
	expect(t, 8, 50);
	expect(t, 2, 1);
	/* Between lines, and beyond them. */
	expect(t, 6, 31);
	expect(t, 100, 50);
	free(t);
	t = table(9, NULL, 0, 0);
	expect(t, 2, 0);
	free(t);
}

/* The bodies of loops end with a step back to a line that was there before. */
static void test_line_twice(void)
{
	static const uint8_t loop[] = {0, 1, 4, 1, 4, 0xff, 4, 3};
	struct line_table *t = table(9, loop, sizeof(loop), sizeof(loop));

	expect(t, 3, 31);
	expect(t, 4, 21);
	expect(t, 6, 40);
	free(t);
}

static void test_entries(void)
{
	struct line_table *t = table(15, entries, sizeof(entries), sizeof(entries));

	expect(t, 0, 100);
	expect(t, 3, 100);
	expect(t, 4, 10100);
	expect(t, 26, 30200);
	expect(t, 34, 140400);
	/* Beyond the code: the search ends with the table. */
	expect(t, 36, 140400);
	free(t);
}

static void test_forms(void)
{
	static const uint8_t forms[] = {0xf8, 0xd0, 1, 2, 0xe0, 1, 2, 0xe8, 0, 0xf0, 0, 0, 1, 1,
					0xf0, 0, 0, 0x41, 1, 1, 0xf0, 0, 0, 0x41, 1, 0x41, 1,
					0xf0, 0, 0, 0x41, 1, 0x41, 0x41, 0x41, 1};
	static const double sums[] = {1, 1001, 101001, 1101001, 1101006, 1101012, 1101019, 1101030};
	struct line_table *t = table(15, forms, sizeof(forms), sizeof(forms));

	for (int i = 0; i < 8; i++)
		expect(t, 2 * i, sums[i]);
	free(t);
}

static void test_cut(void)
{
	struct line_table *t = table(9, pairs, sizeof(pairs), 2 * sizeof(pairs));

	expect(t, 5, 31);
	expect(t, 20, 100);
	free(t);
	t = table(15, entries, 2, 20);
	expect(t, 100, 1000);
	free(t);
}

static void test_refused(void)
{
	struct line_table *t;

	CU_ASSERT_EQUAL(line_table_read(15, 2, pairs, 10, 10, &costs, &t), -EINVAL);
	CU_ASSERT_EQUAL(line_table_read(9, 2, pairs, 10, 1, &costs, &t), -EINVAL);
}

static void test_costs(void)
{
	struct line_table *t = table(9, pairs, sizeof(pairs), sizeof(pairs));
	struct build_cost cost = {.lone_return = 500, .lone_entry = 300, .empty_return = 10,
				  .empty_entry = 1};
	struct wire_search s = {.key = {6, 9}, .position = {5, 8}, .count = {3, 2}};

	/* 3 * (31 - 10) + 2 * (50 - 10) */
	CU_ASSERT_DOUBLE_EQUAL(search_of_returns(&s, t, &cost), 143, 1e-9);
	/* Of the others the mean place is known. */
	s.others = 4;
	s.other_positions = 4 * 5;
	CU_ASSERT_DOUBLE_EQUAL(search_of_returns(&s, t, &cost), 227, 1e-9);
	s.shims = 2;
	CU_ASSERT_DOUBLE_EQUAL(search_of_returns(&s, t, &cost), 1227, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(search_of_returns(&s, NULL, &cost), 1000, 1e-9);
	/* A generator made, then resumed: begun (no line), then twice after line 5. */
	s = (struct wire_search){
		.key = {1, 6}, .position = {WIRE_NO_LINE, 5}, .count = {2, 2}};
	CU_ASSERT_DOUBLE_EQUAL(search_of_entries(&s, t, 3, &cost), 2 * 30 + 300, 1e-9);
	/* A function's are all at its start. */
	cost.empty_entry = 0.5;
	CU_ASSERT_DOUBLE_EQUAL(search_of_entries(NULL, t, 4, &cost), 2, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(search_of_entries(NULL, NULL, 4, &cost), 0, 1e-9);
	free(t);
}

int suite_line_table(void)
{
	CU_pSuite s = CU_add_suite("line table", NULL, NULL);

	return !s || !CU_ADD_TEST(s, test_pairs) || !CU_ADD_TEST(s, test_line_twice) ||
	       !CU_ADD_TEST(s, test_entries) || !CU_ADD_TEST(s, test_forms) ||
	       !CU_ADD_TEST(s, test_cut) || !CU_ADD_TEST(s, test_refused) ||
	       !CU_ADD_TEST(s, test_costs);
}
