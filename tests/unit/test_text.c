/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/suites.h"
#include "userspace/output.h"
#include "userspace/text.h"

static void check_amount(uint64_t value, bool time, const char *expected)
{
	char amount[TEXT_AMOUNT_SIZE];

	text_amount(amount, value, time, false);
	CU_ASSERT_STRING_EQUAL(amount, expected);
}

static void test_amounts(void)
{
	char amount[TEXT_AMOUNT_SIZE];

	check_amount(0, false, "0");
	check_amount(999, false, "999");
	check_amount(1000, false, "1.000 k");
	check_amount(999940, false, "999.9 k");
	check_amount(999960, false, "1.000 M");
	check_amount(12345678, false, "12.35 M");
	check_amount(UINT64_MAX, false, "18447 P");
	check_amount(17, true, "17 ns");
	check_amount(1500, true, "1.500 \xc2\xb5s");
	check_amount(90000000000000, true, "90000 s");
	text_amount(amount, 12345678, true, true);
	CU_ASSERT_STRING_EQUAL(amount, "12345678");
}

static void check_repair(const char *text, const char *expected)
{
	char repaired[64];

	CU_ASSERT_EQUAL(text_repair(NULL, text), strlen(expected) + 1);
	text_repair(repaired, text);
	CU_ASSERT_STRING_EQUAL(repaired, expected);
}

#define BAD "\xef\xbf\xbd"

static void test_repair(void)
{
	check_repair("", "");
	check_repair("gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x8d", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x8d");
	check_repair("a\x1b[2Jb\tc\x7f", "a" BAD "[2Jb" BAD "c" BAD);
	check_repair("\xc2\x9b" "1m", BAD "1m");	       /* C1 control */
	check_repair("\xe2\x80\xae" "x", BAD "x");	       /* right-to-left override */
	check_repair("\xc0\xaf", BAD BAD);		       /* overlong */
	check_repair("\xed\xa0\x80", BAD BAD BAD);	       /* a surrogate */
	check_repair("\xf4\x90\x80\x80", BAD BAD BAD BAD);     /* beyond Unicode */
	check_repair("\xe5\xba", BAD BAD);		       /* cut */
}

static void check_field(const char *text, int width, const char *expected)
{
	char *printed;
	size_t size;
	FILE *out = open_memstream(&printed, &size);

	text_print_field(out, text, width);
	fclose(out);
	CU_ASSERT_STRING_EQUAL(printed, expected);
	free(printed);
}

static void test_fields(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	CU_ASSERT_EQUAL(text_width("\xe5\xba\x97" "a"), 3);
	CU_ASSERT_EQUAL(text_width("e\xcc\x81"), 1); /* combining accent */
	check_field("abc", 5, "abc  ");
	check_field("abcdef", 4, "\xe2\x80\xa6" "def");
	check_field("abcdef", 0, "abcdef");
	check_field("\xe5\xba\x97\xe5\xba\x97", 3, "\xe2\x80\xa6\xe5\xba\x97");
	check_field("\xe5\xba\x97\xe5\xba\x97", 2, "\xe2\x80\xa6 ");
}

static void test_distance(void)
{
	char longer[1000];

	CU_ASSERT_EQUAL(text_distance("", ""), 0);
	CU_ASSERT_EQUAL(text_distance("recrod", "record"), 2);
	CU_ASSERT_EQUAL(text_distance("REPORT", "report"), 0);
	CU_ASSERT_EQUAL(text_distance("abc", ""), 3);
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = 0;
	CU_ASSERT_EQUAL(text_distance(longer, longer), 0);
}

static void test_output_is_all_or_nothing(void)
{
	char directory[] = "/tmp/pycost-unit-XXXXXX";
	struct output o;
	struct stat st;
	int back;

	back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CU_ASSERT_FATAL(back >= 0 && mkdtemp(directory) && !chdir(directory));
	CU_ASSERT_FATAL(!output_open("x", &o));
	fputs("half", o.file);
	output_discard(&o);
	CU_ASSERT(stat("x", &st) < 0 && errno == ENOENT);

	CU_ASSERT_FATAL(!output_open("x", &o));
	fputs("whole", o.file);
	CU_ASSERT(!output_commit(&o));
	CU_ASSERT(!stat("x", &st) && st.st_size == 5);

	/* A link stays a link, and the mode of what it names stays too. */
	CU_ASSERT(!chmod("x", 0600) && !symlink("x", "link"));
	CU_ASSERT_FATAL(!output_open("link", &o));
	fputs("again", o.file);
	CU_ASSERT(!output_commit(&o));
	CU_ASSERT(!lstat("link", &st) && S_ISLNK(st.st_mode));
	CU_ASSERT(!stat("x", &st) && (st.st_mode & 0777) == 0600);

	CU_ASSERT(output_open("none/x", &o) == -ENOENT);
	CU_ASSERT_FATAL(!output_open("/dev/full", &o));
	fputs("lost", o.file);
	CU_ASSERT(output_commit(&o) == -ENOSPC);

	/* Nothing else was left behind, or this would fail. */
	CU_ASSERT(!unlink("x") && !unlink("link") && !fchdir(back) && !rmdir(directory));
	close(back);
}

int suite_text(void)
{
	CU_TestInfo tests[] = {
		{ "amounts", test_amounts },
		{ "repair", test_repair },
		{ "fields", test_fields },
		{ "distance", test_distance },
		{ "output is all or nothing", test_output_is_all_or_nothing },
		CU_TEST_INFO_NULL,
	};

	return suite_register("text", tests);
}
