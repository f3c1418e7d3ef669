/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/procmap.h"

static struct procmap parse_ok(const char *line)
{
	struct procmap map = { 0 };

	CU_ASSERT_EQUAL(procmap_parse(line, strlen(line), &map), 0);
	return map;
}

static void test_file(void)
{
	struct procmap m = parse_ok("559fc0a00000-559fc0e61000 r-xp 00023000 fe:01 1234"
				    "                       /usr/bin/python3.11");

	CU_ASSERT_EQUAL(m.start, 0x559fc0a00000);
	CU_ASSERT_EQUAL(m.end, 0x559fc0e61000);
	CU_ASSERT_EQUAL(m.offset, 0x23000);
	CU_ASSERT_EQUAL(m.inode, 1234);
	CU_ASSERT_EQUAL(m.dev_major, 0xfe);
	CU_ASSERT_EQUAL(m.dev_minor, 1);
	CU_ASSERT_TRUE(m.executable);
	CU_ASSERT_FALSE(m.deleted);
	CU_ASSERT_EQUAL(m.path_len, strlen("/usr/bin/python3.11"));
	CU_ASSERT_EQUAL(memcmp(m.path, "/usr/bin/python3.11", m.path_len), 0);
}

static void test_no_file(void)
{
	struct procmap m = parse_ok("7ffc1000-7ffc2000 rw-p 00000000 00:00 0 ");

	CU_ASSERT_EQUAL(m.inode, 0);
	CU_ASSERT_EQUAL(m.path_len, 0);
	CU_ASSERT_FALSE(m.executable);
	m = parse_ok("7ffc1000-7ffc2000 rw-s 00000000 00:00 0");
	CU_ASSERT_EQUAL(m.path_len, 0);
	m = parse_ok("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0    [vsyscall]");
	CU_ASSERT_EQUAL(m.path[0], '[');
}

static void test_deleted_and_odd_paths(void)
{
	struct procmap m = parse_ok("1000-2000 r-xp 00000000 00:01 7   /a b (deleted)");
	char path[32] = "untouched";

	CU_ASSERT_TRUE(m.deleted);
	CU_ASSERT_EQUAL(procmap_path(&m, path, sizeof(path)), 0);
	CU_ASSERT_STRING_EQUAL(path, "/a b");
	m = parse_ok("1000-2000 r-xp 00000000 00:01 7   /new\\012line\\01");
	CU_ASSERT_EQUAL(procmap_path(&m, path, sizeof(path)), 0);
	CU_ASSERT_STRING_EQUAL(path, "/new\nline\\01");
	strcpy(path, "untouched");
	CU_ASSERT_EQUAL(procmap_path(&m, path, 13), 0);
	strcpy(path, "untouched");
	CU_ASSERT_EQUAL(procmap_path(&m, path, 12), -ENAMETOOLONG);
	CU_ASSERT_STRING_EQUAL(path, "untouched");
}

static void test_hostile(void)
{
	static const char *const lines[] = {
		"",
		"-",
		"1000",
		"1000-",
		"2000-1000 r-xp 0 0:0 0",
		"1000-1000 r-xp 0 0:0 0",
		"1000-2000",
		"1000-2000 r-x",
		"1000-2000 rwzp 0 0:0 0",
		"1000-2000 r-xp",
		"1000-2000 r-xp 0",
		"1000-2000 r-xp 0 0",
		"1000-2000 r-xp 0 0:",
		"1000-2000 r-xp 0 0:0 ",
		"1000-2000 r-xp 0 0:0 12x /a",
		"1000-2000 r-xp 0 100000000:0 1 /a",
		"10000000000000000-20000000000000000 r-xp 0 0:0 1 /a",
		"1000-2000 r-xp 0 0:0 18446744073709551616 /a",
		"1000-2000 R-XP 0 0:0 1 /a",
		" 1000-2000 r-xp 0 0:0 1 /a",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct procmap map = { .start = 42 };
		/* An allocation of exactly the line, so that ASan sees one byte too many. */
		size_t len = strlen(lines[i]);
		char *copy = malloc(len + !len);

		memcpy(copy, lines[i], len);
		CU_ASSERT_EQUAL(procmap_parse(copy, len, &map), -EINVAL);
		CU_ASSERT_EQUAL(map.start, 42);
		free(copy);
	}
}

int suite_procmap(void)
{
	CU_pSuite s = CU_add_suite("procmap", NULL, NULL);

	return !s || !CU_ADD_TEST(s, test_file) || !CU_ADD_TEST(s, test_no_file) ||
	       !CU_ADD_TEST(s, test_deleted_and_odd_paths) || !CU_ADD_TEST(s, test_hostile);
}
