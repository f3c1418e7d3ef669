/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "symbolizer/native_table.h"
#include "tests/unit/suites.h"

static int add(struct native_table *t, uint64_t start, uint64_t size, enum native_rank rank,
	       const char *name)
{
	return native_table_add(t, start, size, rank, name, strlen(name));
}

static const char *at(const struct native_table *t, uint64_t address)
{
	struct native_function f;

	return native_table_find(t, address, &f) ? f.name : "";
}

static void test_sizes_count(void)
{
	struct native_table *t = native_table_new(1 << 20);
	struct native_function f;

	add(t, 0x2000, 0x10, RANK_GLOBAL, "second");
	add(t, 0x1000, 0x100, RANK_GLOBAL, "first");
	add(t, 0x1040, 0x8, RANK_LOCAL, "inner");
	add(t, 0x3000, 0, RANK_GLOBAL, "label");
	add(t, UINT64_MAX - 1, 8, RANK_GLOBAL, "wraps");
	CU_ASSERT_EQUAL(native_table_seal(t, false), 0);
	CU_ASSERT_EQUAL(native_table_count(t), 3);
	CU_ASSERT_STRING_EQUAL(at(t, 0xfff), "");
	CU_ASSERT_STRING_EQUAL(at(t, 0x1000), "first");
	CU_ASSERT_STRING_EQUAL(at(t, 0x1047), "inner");
	CU_ASSERT_STRING_EQUAL(at(t, 0x1048), "first");
	CU_ASSERT_STRING_EQUAL(at(t, 0x10ff), "first");
	CU_ASSERT_STRING_EQUAL(at(t, 0x1100), "");
	CU_ASSERT_STRING_EQUAL(at(t, 0x2010), "");
	CU_ASSERT_STRING_EQUAL(at(t, UINT64_MAX), "");
	CU_ASSERT_TRUE(native_table_find(t, 0x1048, &f));
	CU_ASSERT_EQUAL(f.offset, 0x48);
	native_table_free(t);
}

static void test_aliases(void)
{
	static const char *const names[] = { "__write", "_write", "write", "write_it", "wrote" };

	/* Whatever the order they come in. */
	for (int turn = 0; turn < 5; turn++) {
		struct native_table *t = native_table_new(1 << 20);

		for (int i = 0; i < 5; i++)
			add(t, 0x1000, i == 3 ? 9 : 4, RANK_GLOBAL, names[(i + turn) % 5]);
		add(t, 0x1000, 4, RANK_LOCAL, "w");
		add(t, 0x2000, 4, RANK_GLOBAL, "memcpy@@GLIBC_2.14");
		add(t, 0x3000, 4, RANK_MADE, "memcpy@plt");
		native_table_seal(t, false);
		CU_ASSERT_STRING_EQUAL(at(t, 0x1008), "write");
		CU_ASSERT_STRING_EQUAL(at(t, 0x2000), "memcpy");
		CU_ASSERT_STRING_EQUAL(at(t, 0x3000), "memcpy@plt");
		native_table_free(t);
	}
}

static void test_newest(void)
{
	struct native_table *t = native_table_new(1 << 20);

	add(t, 0x1000, 16, RANK_MADE, "z_old");
	native_table_seal(t, true);
	add(t, 0x1000, 8, RANK_MADE, "a_new");
	add(t, 0x1000, 4, RANK_MADE, "newest");
	native_table_seal(t, true);
	CU_ASSERT_STRING_EQUAL(at(t, 0x1000), "newest");
	CU_ASSERT_STRING_EQUAL(at(t, 0x1004), "");
	native_table_free(t);
}

static void test_bounded(void)
{
	struct native_table *t = native_table_new(4096);
	int err = 0;
	uint64_t i;

	for (i = 0; !err && i < 1000; i++)
		err = add(t, i * 16, 16, RANK_GLOBAL, "a_function_with_a_name");
	CU_ASSERT_EQUAL(err, -ENOSPC);
	CU_ASSERT_EQUAL(native_table_lost(t), 1);
	CU_ASSERT_TRUE(native_table_bytes(t) <= 4096);
	native_table_seal(t, false);
	CU_ASSERT_EQUAL(native_table_count(t), i - 1);
	CU_ASSERT_TRUE(i > 20);
	native_table_free(t);
}

static void test_equal(void)
{
	struct native_table *a = native_table_new(4096), *b = native_table_new(8192);

	native_table_seal(a, false);
	native_table_seal(b, false);
	CU_ASSERT_TRUE(native_table_equal(a, b));
	add(a, 1, 2, RANK_GLOBAL, "x");
	native_table_seal(a, false);
	CU_ASSERT_FALSE(native_table_equal(a, b));
	add(b, 1, 2, RANK_GLOBAL, "x");
	native_table_seal(b, false);
	CU_ASSERT_TRUE(native_table_equal(a, b));
	CU_ASSERT_EQUAL(native_table_hash(a), native_table_hash(b));
	native_table_free(a);
	native_table_free(b);
}

int suite_native_table(void)
{
	CU_TestInfo tests[] = {
		{ "sizes_count", test_sizes_count }, { "aliases", test_aliases },
		{ "newest", test_newest },	     { "bounded", test_bounded },
		{ "equal", test_equal },	     CU_TEST_INFO_NULL,
	};

	return suite_register("native_table", tests);
}
