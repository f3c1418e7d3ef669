/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source with what each line cost, from files that tests write. */
#include <jansson.h>
#include <locale.h>
#include <utime.h>

#include "tests/unit/shop_report.h"
#include "tests/unit/tree.h"
#include "userspace/export.h"
#include "userspace/source_text.h"
#include "userspace/text.h"

#define PM "\xc2\xb1"
#define BAR "\xe2\x96\x88"
#define START 1700000000

static const struct report_style plain, cut = { .limit = 30 };

static const char work[] = "import sys\n"
			   "\n"
			   "class Shop:\n"
			   "\tdef walk(\n"
			   "\t\tself, n,\n"
			   "\t):\n"
			   "\t\tif n:\n"
			   "\t\t\treturn self.walk(n - 1)  # \033[31m\xff\xe2\x80\xae\n"
			   "\t\treturn sum(range(9))\r\n"
			   "\n"
			   "\t\t# its last line\n"
			   "\n"
			   "\n"
			   "def other(): pass\n";

/* walk, which calls itself once, sampled 50 times; and 50 samples elsewhere. */
static int tell_walk(struct sink *to, const char *file, const char *name, uint32_t line)
{
	struct sink_meta meta = { METRIC_TASK_CLOCK, .start_realtime_ns = START * 1000000000ull,
				  .host = "", .kernel = "", .version = "", .period = 10000000 };
	struct sink_process process = { 1, 0, "python3", "3.12.1", "", 0 };
	struct sink_function f = { 1, name, name, "", "shop", file, "", line };
	struct sink_node nodes[] = { { 1, 0, 0, 1 }, { 2, 1, 1, 1 }, { 3, 2, 1, 1 } };
	struct sink_sample samples[] = {
		{ 1, 0, 0, SINK_NO_OPCODE, SAMPLE_RUNS, false, 50 },
		{ 2, line + 3, 0, SINK_NO_OPCODE, SAMPLE_RUNS, false, 9 },
		{ 3, line + 5, 0, SINK_NO_OPCODE, SAMPLE_RUNS, false, 40 },
		{ 2, 0, 0, SINK_NO_OPCODE, SAMPLE_RUNS, false, 1 },
	};
	struct sink_passage passages[] = { { 1, 0, 50 }, { 2, line + 4, 40 } };
	int err = to->meta(to, &meta);

	err = err ? err : to->process(to, &process);
	err = err ? err : to->function(to, &f);
	for (size_t i = 0; !err && i < 3; i++)
		err = to->node(to, &nodes[i]);
	for (size_t i = 0; !err && i < 4; i++)
		err = to->sample(to, &samples[i]);
	for (size_t i = 0; !err && i < 2; i++)
		err = to->passage(to, &passages[i]);
	return err ? err : to->end(to, 1000000000);
}

static struct report walk_report(const char *file, const char *name, uint32_t line)
{
	static const struct recording_status complete;
	struct profile *p;
	struct report r;

	CU_ASSERT_FATAL(!profile_create(&p) && !tell_walk(&p->sink, file, name, line));
	CU_ASSERT_FATAL(!report_compute(p, &complete, false, SORT_SELF, &r));
	return r;
}

static void age(const char *path, time_t when)
{
	struct utimbuf times = { when, when };

	CU_ASSERT(!utime(path, &times));
}

/* Without its first line, which has a path that changes. */
static char *lines_of(const struct report *r, const struct report_style *style)
{
	uint32_t row = 1;
	size_t size;
	char *text = CAPTURE(&size, CU_ASSERT(!report_print_lines(r, style, &row, 1, out)));
	size_t head = strcspn(text, "\n") + 1;

	memmove(text, text + head, strlen(text + head) + 1);
	return text;
}

static void test_source(void)
{
	const char *path;
	struct report r;
	char *text;

	CU_ASSERT_FATAL(!tree_make() && !tree_write("shop.py", work));
	path = tree_at("shop.py");
	age(path, START - 10);
	r = walk_report(path, "Shop.walk", 4);
	text = lines_of(&r, &plain);
	ASSERT_TEXT(text, "itself 50.0 " PM " 5.0 %, with what it calls 50.0 " PM " 5.0 % of everything; a bar is a line's part of this function\n"
		    "   line  self %     " PM "   cum %     " PM "\n"
		    "      4                                          def walk(\n"
		    "      5                                                  self, n,\n"
		    "      6                                          ):\n"
		    "      7     9.0  " PM "3.0     9.0  " PM "3.0  \xe2\x96\x88\xe2\x96\x88                  if n:\n"
		    "      8                  40.0  " PM "4.9  \xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88                    return self.walk(n - 1)  # \xef\xbf\xbd[31m\xef\xbf\xbd\xef\xbf\xbd\n"
		    "      9    40.0  " PM "4.9    40.0  " PM "4.9  \xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88            return sum(range(9))\n"
		    "     10\n"
		    "     11                                                  # its last line\n"
		    "      ?     1.0  " PM "1.4     1.0  " PM "1.4  \xe2\x96\x8f           (line unknown)\n");
	free(text);
	shop_report_free(&r);
	tree_remove();
}

static void test_source_that_is_not_to_be_trusted(void)
{
	const char *path;
	struct report r;
	char *text;

	CU_ASSERT_FATAL(!tree_make() && !tree_write("shop.py", work));
	path = tree_at("shop.py");
	age(path, START + 10);
	r = walk_report(path, "Shop.walk", 4);
	text = lines_of(&r, &plain);
	ASSERT_CONTAINS(text, "\nnote: the file is newer than the recording: lines may have moved\n");
	ASSERT_CONTAINS(text, "return sum");
	free(text);
	shop_report_free(&r);
	age(path, START - 10);
	r = walk_report(path, "Shop.walk", 12);
	text = lines_of(&r, &plain);
	ASSERT_CONTAINS(text, "\nnote: the file has fewer lines than were sampled");
	ASSERT_CONTAINS(text, "\n     17    40.0  " PM "4.9    40.0  " PM "4.9  " BAR BAR BAR BAR BAR BAR BAR BAR "\n");
	free(text);
	shop_report_free(&r);
	tree_remove();
}

static void check_unreadable(const char *path, const char *note)
{
	struct report r = walk_report(path, "walk", 4);
	char *text = lines_of(&r, &cut);

	ASSERT_CONTAINS(text, note);
	ASSERT_CONTAINS(text, "\n      9    40.0  " PM "4.9    40.0  " PM "4.9  " BAR BAR BAR BAR BAR BAR BAR BAR "\n");
	CU_ASSERT_PTR_NULL(strstr(text, "return"));
	free(text);
	shop_report_free(&r);
}

static void test_no_source(void)
{
	CU_ASSERT_FATAL(!tree_make() && !tree_directory("d"));
	CU_ASSERT_FATAL(!mkfifo(tree_at("pipe"), 0600));
	check_unreadable(tree_at("none.py"), "note: no source: No such file or directory\n");
	check_unreadable(tree_at("d"), "note: no source: it is not a regular file\n");
	check_unreadable(tree_at("pipe"), "note: no source: it is not a regular file\n");
	check_unreadable("work.py", "note: no source: the recording has no whole path of it\n");
	check_unreadable("<string>", "note: no source: the recording has no whole path of it\n");
	tree_remove();
}

/* A module's lines go on to its last sample; long stretches without any are left out. */
static void test_long_stretches(void)
{
	const char *path;
	struct report r;
	char *text;
	FILE *f;

	CU_ASSERT_FATAL(!tree_make() && (f = fopen(tree_at("long.py"), "w")));
	for (int i = 1; i <= 200; i++)
		fprintf(f, "step_%d()\n", i);
	fclose(f);
	path = tree_at("long.py");
	age(path, START - 10);
	r = walk_report(path, "<module>", 100);
	text = lines_of(&r, &cut);
	ASSERT_TEXT(text, "itself 50.0 " PM " 5.0 %, with what it calls 50.0 " PM " 5.0 % of everything; a bar is a line's part of this function\n"
		    "   line  self %     " PM "   cum %     " PM "\n"
		    "    100                                          step_100()\n"
		    "    101                                          step_101()\n"
		    "    102                                          step_102()\n"
		    "    103     9.0  " PM "3.0     9.0  " PM "3.0  \xe2\x96\x88\xe2\x96\x88          step_103()\n"
		    "    104                  40.0  " PM "4.9  \xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88    step_104()\n"
		    "    105    40.0  " PM "4.9    40.0  " PM "4.9  \xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88    step_105()\n"
		    "      ?     1.0  " PM "1.4     1.0  " PM "1.4  \xe2\x96\x8f           (line unknown)\n");
	free(text);
	/* As if it began at the file's. */
	((struct sink_function *)r.profile->functions)[1].line = 1;
	text = lines_of(&r, &cut);
	ASSERT_CONTAINS(text, "      1                                          step_1()\n"
			      "    ... 97 lines without samples\n"
			      "     99                                          step_99()\n");
	free(text);
	text = lines_of(&r, &plain);
	ASSERT_CONTAINS(text, "step_50()\n");
	free(text);
	shop_report_free(&r);
	tree_remove();
}

static void test_narrow_and_coloured(void)
{
	static const struct report_style narrow = { .width = 64, .color = true };
	const char *path;
	struct report r;
	char *text, *line;

	setlocale(LC_CTYPE, "C.UTF-8");
	CU_ASSERT_FATAL(!tree_make() && !tree_write("shop.py", work));
	path = tree_at("shop.py");
	age(path, START - 10);
	r = walk_report(path, "Shop.walk", 4);
	text = lines_of(&r, &narrow);
	ASSERT_CONTAINS(text, "\033[31m      9    40.0  " PM "4.9");
	for (line = strchr(strchr(text, '\n') + 1, '\n') + 1; *line; line = strchr(line, '\n') + 1)
		CU_ASSERT(text_width(strndupa(line, strcspn(line, "\n"))) <= 64 + 9);
	free(text);
	shop_report_free(&r);
	tree_remove();
}

static void test_json(void)
{
	uint32_t row = 1;
	const char *path;
	json_t *json, *function, *line;
	struct report r;
	size_t size;
	char *text;

	CU_ASSERT_FATAL(!tree_make() && !tree_write("shop.py", work));
	path = tree_at("shop.py");
	age(path, START - 10);
	r = walk_report(path, "Shop.walk", 4);
	text = CAPTURE(&size, CU_ASSERT(!export_json_places(&r, PLACE_LINE, &row, 1, out)));
	json = json_loads(text, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json, "mode")), "sampled");
	function = json_array_get(json_object_get(json, "functions"), 0);
	CU_ASSERT(json_is_null(json_object_get(function, "note")));
	CU_ASSERT_EQUAL(json_array_size(json_object_get(function, "lines")), 4);
	line = json_array_get(json_object_get(function, "lines"), 0);
	CU_ASSERT(json_is_null(json_object_get(line, "line")));
	line = json_array_get(json_object_get(function, "lines"), 2);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(line, "line")), 8);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(line, "cumulative")), 400000000);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(line, "source")),
			       "                        return self.walk(n - 1)  # "
			       "\xef\xbf\xbd[31m\xef\xbf\xbd\xef\xbf\xbd");
	json_decref(json);
	free(text);
	shop_report_free(&r);
	tree_remove();
}

static void check_text(const char *bytes, size_t size, size_t count, const char *last)
{
	struct source_text s;
	FILE *f = fopen(tree_at("x.py"), "w");

	CU_ASSERT_FATAL(f && fwrite(bytes, 1, size, f) == size && !fclose(f));
	CU_ASSERT_FATAL(!source_text_read(tree_at("x.py"), &s));
	CU_ASSERT_EQUAL(s.count, count);
	if (s.count)
		CU_ASSERT_STRING_EQUAL(s.lines[s.count - 1], last);
	source_text_free(&s);
}

static void test_text(void)
{
	CU_ASSERT_FATAL(!tree_make());
	check_text("", 0, 0, NULL);
	check_text("\n", 1, 1, "");
	check_text("a\nb", 3, 2, "b");
	check_text("a\nb\n", 4, 2, "b");
	check_text("\xc3\xa9\tx\r\n", 6, 1, "\xc3\xa9       x");
	check_text("a\0b\x7f\x9b", 5, 1, "a\xef\xbf\xbd""b\xef\xbf\xbd\xef\xbf\xbd");
	tree_remove();
}

int suite_report_lines(void)
{
	CU_TestInfo tests[] = {
		{ "source", test_source },
		{ "source that is not to be trusted", test_source_that_is_not_to_be_trusted },
		{ "no source", test_no_source },
		{ "long stretches", test_long_stretches },
		{ "narrow and coloured", test_narrow_and_coloured },
		{ "JSON", test_json },
		{ "text", test_text },
		CU_TEST_INFO_NULL,
	};

	return suite_register("report lines", tests);
}
