/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/native_table.h"
#include "symbolizer/perf_map.h"
#include "tests/unit/suites.h"
#include "tests/unit/tree.h"

static int parse(const char *line, struct perf_map_line *ret)
{
	/* An allocation of exactly the line, so that ASan sees one byte too many. */
	size_t len = strlen(line);
	char *copy = malloc(len + !len);
	int err;

	memcpy(copy, line, len);
	err = perf_map_parse(copy, len, ret);
	if (!err)
		ret->name = line + (ret->name - copy);
	free(copy);
	return err;
}

static void test_lines(void)
{
	static const char *const bad[] = {
		"", " ", "7f", "7f ", "7f 10", "7f 10 ", "x 10 a", "7f x a", "7f -1 a", "7f 0 a",
		"7f  10 a", "10000000000000000 1 a", "ffffffffffffffff 2 a", "0x 1 a",
	};
	struct perf_map_line l = { 0 };

	CU_ASSERT_EQUAL(parse("7f00 1c py::f:/a b.py", &l), 0);
	CU_ASSERT_EQUAL(l.start, 0x7f00);
	CU_ASSERT_EQUAL(l.size, 0x1c);
	CU_ASSERT_EQUAL(l.name_len, strlen("py::f:/a b.py"));
	CU_ASSERT_STRING_EQUAL(l.name, "py::f:/a b.py");
	CU_ASSERT_EQUAL(parse("0x7F00 0x1C f", &l), 0);
	CU_ASSERT_EQUAL(l.start, 0x7f00);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(parse(bad[i], &l), -EINVAL);
}

static int set_up(void)
{
	return tree_make() || tree_directory("tmp");
}

static void append(const char *text)
{
	FILE *f = fopen(tree_at("tmp/perf-7.map"), "a");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(text, f);
	fclose(f);
}

static const char *at(const struct perf_map *m, uint64_t address)
{
	struct native_function f;

	return m->table && native_table_find(m->table, address, &f) ? f.name : "";
}

static void test_grows(void)
{
	struct rootfs fs = { tree_open(""), -1 };
	struct perf_map m = { 0 };
	char *longest = malloc(100001);

	CU_ASSERT_EQUAL(perf_map_update(&m, &fs, 7, getuid()), -ENOENT);
	append("1000 10 first@x\nnonsense\n2000 10 sec");
	CU_ASSERT_EQUAL(perf_map_update(&m, &fs, 7, getuid()), 0);
	CU_ASSERT_STRING_EQUAL(at(&m, 0x100f), "first@x");
	CU_ASSERT_STRING_EQUAL(at(&m, 0x2000), "");
	append("ond\n1000 8 newer\n");
	CU_ASSERT_EQUAL(perf_map_update(&m, &fs, 7, getuid()), 0);
	CU_ASSERT_STRING_EQUAL(at(&m, 0x2000), "second");
	CU_ASSERT_STRING_EQUAL(at(&m, 0x1000), "newer");
	CU_ASSERT_EQUAL(m.skipped, 1);
	/* A line that never ends does not stop what comes after. */
	memset(longest, 'x', 100000);
	longest[100000] = 0;
	append(longest);
	append("\n3000 8 after\n");
	CU_ASSERT_EQUAL(perf_map_update(&m, &fs, 7, getuid()), 0);
	CU_ASSERT_STRING_EQUAL(at(&m, 0x3000), "after");
	/* Begun anew. */
	tree_write("tmp/perf-7.map", "4000 8 again\n");
	CU_ASSERT_EQUAL(perf_map_update(&m, &fs, 7, getuid()), 0);
	CU_ASSERT_STRING_EQUAL(at(&m, 0x4000), "again");
	CU_ASSERT_STRING_EQUAL(at(&m, 0x3000), "");
	perf_map_free(&m);
	free(longest);
	close(fs.root_fd);
	remove(tree_at("tmp/perf-7.map"));
}

static void test_bounded(void)
{
	struct rootfs fs = { tree_open(""), -1 };
	struct perf_map m = { 0 };
	FILE *f = fopen(tree_at("tmp/perf-7.map"), "w");

	for (int i = 0; i < 100000; i++)
		fprintf(f, "%x 10 a_function_with_quite_a_long_name_%d\n", i * 16, i);
	fclose(f);
	CU_ASSERT_EQUAL(perf_map_update(&m, &fs, 7, getuid()), -ENOSPC);
	CU_ASSERT_TRUE(native_table_bytes(m.table) <= (size_t)2 << 20);
	CU_ASSERT_TRUE(native_table_lost(m.table) > 0);
	CU_ASSERT_STRING_EQUAL(at(&m, 16), "a_function_with_quite_a_long_name_1");
	/* What is full is not read again and again. */
	CU_ASSERT_EQUAL(perf_map_update(&m, &fs, 7, getuid()), 0);
	perf_map_free(&m);
	close(fs.root_fd);
	remove(tree_at("tmp/perf-7.map"));
}

static void test_foreign(void)
{
	struct rootfs fs = { tree_open(""), -1 };
	struct perf_map m = { 0 };

	tree_write("tmp/perf-7.map", "4000 8 hostile\n");
	if (getuid() == 0)
		CU_ASSERT_EQUAL(chown(tree_at("tmp/perf-7.map"), 1234, 1234), 0);
	CU_ASSERT_EQUAL(perf_map_update(&m, &fs, 7, getuid() + 1), -EPERM);
	remove(tree_at("tmp/perf-7.map"));
	CU_ASSERT_EQUAL(mkfifo(tree_at("tmp/perf-7.map"), 0600), 0);
	CU_ASSERT_EQUAL(perf_map_update(&m, &fs, 7, getuid()), -EINVAL);
	remove(tree_at("tmp/perf-7.map"));
	/* No way out of the root. */
	CU_ASSERT_EQUAL(symlink("/../../../../etc/passwd", tree_at("tmp/perf-7.map")), 0);
	CU_ASSERT_EQUAL(perf_map_update(&m, &fs, 7, getuid()), -ENOENT);
	CU_ASSERT_PTR_NULL(m.table);
	remove(tree_at("tmp/perf-7.map"));
	close(fs.root_fd);
}

int suite_perf_map(void)
{
	CU_pSuite s = CU_add_suite("perf_map", set_up, tree_remove);

	return !s || !CU_ADD_TEST(s, test_lines) || !CU_ADD_TEST(s, test_grows) ||
	       !CU_ADD_TEST(s, test_bounded) || !CU_ADD_TEST(s, test_foreign);
}
