/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "tests/unit/suites.h"
#include "userspace/fleet/sketch.h"

static void add_users(struct sketch *s, uint64_t first, uint64_t count, uint64_t seed)
{
	for (uint64_t i = first; i < first + count; i++)
		sketch_add(s, XXH3_64bits_withSeed(&i, sizeof(i), seed));
}

static void test_none(void)
{
	struct sketch s = { 0 };
	double error = 1;

	CU_ASSERT(sketch_count(&s, &error) == 0 && error == 0);
	sketch_add(&s, 0); /* the rank of no other bit */
	CU_ASSERT_DOUBLE_EQUAL(sketch_count(&s, &error), 1, 0.01);
	CU_ASSERT(error < 0.1);
}

/* Over many sketches: no bias, and the error is what it says. */
static void test_counts(void)
{
	static const uint64_t counts[] = { 3, 40, 500, 4096, 10000, 20000, 200000 };

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		int rounds = counts[i] > 10000 ? 30 : 100;
		double sum = 0, squares = 0, error, said = 0, n = counts[i];

		for (int round = 0; round < rounds; round++) {
			struct sketch s = { 0 };
			double off;

			add_users(&s, 0, counts[i], round + 1);
			off = sketch_count(&s, &error) - n;
			sum += off;
			squares += off * off;
			said = fmax(said, error);
		}
		CU_ASSERT(fabs(sum / rounds) < 4 * said / sqrt(rounds) + 0.01 * sqrt(n) + 0.02);
		CU_ASSERT(sqrt(squares / rounds) < 1.5 * said + 0.02);
		CU_ASSERT(said < 0.017 * n);
	}
}

/* The same users on other hosts count once. */
static void test_union(void)
{
	struct sketch a = { 0 }, b = { 0 }, all = { 0 };
	double error;

	add_users(&a, 0, 3000, 7);
	add_users(&b, 2000, 3000, 7);
	add_users(&all, 0, 5000, 7);
	for (int i = 0; i < SKETCH_REGISTERS; i++)
		sketch_raise(&a, i, b.ranks[i]);
	CU_ASSERT(!memcmp(&a, &all, sizeof(a)));
	CU_ASSERT_DOUBLE_EQUAL(sketch_count(&a, &error), 5000, 4 * error);
	sketch_raise(&a, SKETCH_REGISTERS, 1); /* beyond: left alone */
	sketch_raise(&a, 0, 200);
	CU_ASSERT(!memcmp(&a, &all, sizeof(a)));
}

int suite_sketch(void)
{
	static CU_TestInfo tests[] = {
		{ "nobody, and one", test_none },
		{ "few and many", test_counts },
		{ "unions", test_union },
		CU_TEST_INFO_NULL,
	};

	return suite_register("sketch", tests);
}
