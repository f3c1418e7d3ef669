/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people get to read. */
#include <errno.h>
#include <locale.h>

#include "tests/unit/shop_report.h"
#include "userspace/text.h"

static const struct report_style plain;

static void test_header(void)
{
	struct report r = shop_report(METRIC_INSTRUCTIONS);
	size_t size;
	char *text = CAPTURE(&size, report_print_header(&r, &plain, out));

	ASSERT_CONTAINS(text, "instructions:u (instructions): retired CPU instructions, user mode");
	ASSERT_CONTAINS(text, "2.500 s");
	ASSERT_CONTAINS(text, "python3 (pid 101, child of 100, Python 3.15.2)");
	ASSERT_CONTAINS(text, "took out 3.480 k (120.0 \xc2\xb1 5.0 instructions for each of 29 calls");
	ASSERT_CONTAINS(text, "uncalibrated: some processes");
	free(text);
	shop_report_free(&r);
}

static void test_header_of_a_clock(void)
{
	struct report r = shop_report(METRIC_TASK_CLOCK);
	size_t size;
	char *text = CAPTURE(&size, report_print_header(&r, &plain, out));

	ASSERT_CONTAINS(text, "task-clock (ns): time on CPU, not instructions");
	ASSERT_CONTAINS(text, "total:       60.06 ms");
	free(text);
	shop_report_free(&r);
}

static void test_header_of_second_choices(void)
{
	struct sink_meta meta = { .metric = METRIC_TASK_CLOCK, .metric_fallback = true };

	ASSERT_CONTAINS(report_metric_meaning(&meta), "no hardware counter was to be had");
	meta.metric = METRIC_CYCLES;
	meta.user_only = true;
	ASSERT_CONTAINS(report_metric_meaning(&meta), "CPU cycles, user mode only: no counter of "
						      "instructions");
	meta.metric_fallback = false;
	CU_ASSERT_STRING_EQUAL(report_metric_meaning(&meta), "CPU cycles, user mode only");
}

/* Above the numbers, and below them. */
static void test_shared_counter(void)
{
	struct report r = shop_report(METRIC_INSTRUCTIONS);
	const char *said = "counter on the PMU 63.2 % of the time: costs are parts only, not scaled\n";
	size_t size;
	char *text = CAPTURE(&size, report_print_header(&r, &plain, out));

	CU_ASSERT_PTR_NULL(strstr(text, "PMU"));
	free(text);
	r.losses[LOSS_MULTIPLEXED] = 368000;
	text = CAPTURE(&size, report_print_header(&r, &plain, out));
	ASSERT_CONTAINS(text, "\nshared:      counter on the PMU");
	ASSERT_CONTAINS(text, said);
	free(text);
	text = CAPTURE(&size, report_print_notes(&r, &plain, out));
	ASSERT_CONTAINS(text, "\nnote: counter on the PMU");
	ASSERT_CONTAINS(text, said);
	CU_ASSERT_PTR_NULL(strstr(text, "368000"));
	free(text);
	shop_report_free(&r);
}

static void test_functions(void)
{
	static const struct report_style two = { .limit = 2 }, exact = { .exact = true };
	struct report r = shop_report(METRIC_INSTRUCTIONS);
	size_t size;
	char *text = CAPTURE(&size, CU_ASSERT(!report_print_functions(&r, &two, out)));

	ASSERT_CONTAINS(text, "60.00 M          99.9");
	ASSERT_CONTAINS(text, "shop.cart.Shop.checkout");
	ASSERT_CONTAINS(text, "... and 4 more functions");
	CU_ASSERT_PTR_NULL(strstr(text, "fib"));
	CU_ASSERT_PTR_NULL(strstr(text, "\033"));
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!report_print_functions(&r, &exact, out)));
	ASSERT_CONTAINS(text, "60003100");
	ASSERT_CONTAINS(text, "timed.<locals>.wrapper \xe2\x86\x92 Shop.checkout");
	free(text);
	shop_report_free(&r);
}

static void test_narrow_and_coloured(void)
{
	static const struct report_style narrow = { .width = 80, .color = true };
	struct report r = shop_report(METRIC_INSTRUCTIONS);
	size_t size;
	char *text;

	setlocale(LC_CTYPE, "C.UTF-8");
	text = CAPTURE(&size, CU_ASSERT(!report_print_functions(&r, &narrow, out)));
	ASSERT_CONTAINS(text, "\033[31m");
	ASSERT_CONTAINS(text, "\xe2\x80\xa6");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		/* Escapes take none of the columns: \033[31m and \033[0m are 9 in here. */
		CU_ASSERT(text_width(line) <= 80 + 9);
	free(text);
	shop_report_free(&r);
}

static void test_edges(void)
{
	struct report r = shop_report(METRIC_INSTRUCTIONS);
	size_t size;
	char *text = CAPTURE(&size, CU_ASSERT(!report_print_edges(&r, &plain, 3, true, out)));

	ASSERT_CONTAINS(text, "shop.maths.fib is called by");
	ASSERT_CONTAINS(text, "<outside Python functions>");
	ASSERT_CONTAINS(text, "__main__.main");
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!report_print_edges(&r, &plain, 5, false, out)));
	ASSERT_CONTAINS(text, "nothing");
	free(text);
	shop_report_free(&r);
}

static void test_tree(void)
{
	static const struct report_style pruned = { .min_percent = 0.5 };
	struct report r = shop_report(METRIC_INSTRUCTIONS);
	size_t size;
	char *text = CAPTURE(&size, CU_ASSERT(!report_print_tree(&r, &pruned, out)));

	ASSERT_CONTAINS(text, "python3 (pid 101)");
	ASSERT_CONTAINS(text, "    shop.\xe5\xba\x97.gr");
	CU_ASSERT_PTR_NULL(strstr(text, "pid 100"));
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!report_print_tree(&r, &plain, out)));
	ASSERT_CONTAINS(text, "        shop.maths.fib");
	free(text);
	shop_report_free(&r);
}

static void test_notes(void)
{
	struct report r = shop_report(METRIC_INSTRUCTIONS);
	size_t size;
	char *text;

	r.losses[LOSS_CLAMPED] = 7;
	r.costs.unpaid = 5;
	r.status.incomplete = true;
	text = CAPTURE(&size, report_print_notes(&r, &plain, out));
	ASSERT_CONTAINS(text, "incomplete: recorder did not finish");
	ASSERT_CONTAINS(text, "deeper than is followed: 3\n");
	ASSERT_CONTAINS(text, "below zero after the correction");
	ASSERT_CONTAINS(text, "total is 5 too high");
	free(text);
	r.status.corrupt = true;
	r.status.corrupt_offset = 99;
	text = CAPTURE(&size, report_print_notes(&r, &plain, out));
	ASSERT_CONTAINS(text, "read up to byte 99");
	free(text);
	shop_report_free(&r);
}

static void check_find(const struct report *r, const char *name, size_t count, uint32_t first)
{
	uint32_t *rows;
	size_t found;
	char err[256];

	CU_ASSERT_FATAL(!report_find(r, name, &rows, &found, err, sizeof(err)));
	CU_ASSERT(found == count && rows[0] == first);
	free(rows);
}

static void test_find(void)
{
	struct report r = shop_report(METRIC_INSTRUCTIONS);
	uint32_t *rows;
	size_t count;
	char err[256];

	check_find(&r, "fib", 1, 3);
	check_find(&r, "shop.maths.fib", 1, 3);
	check_find(&r, "Shop.checkout", 1, 2); /* exact, so not its wrapper */
	check_find(&r, "checkout", 2, 2);      /* part of two names, by cost */
	CU_ASSERT(report_find(&r, "fibb", &rows, &count, err, sizeof(err)) == -ENOENT);
	ASSERT_CONTAINS(err, "nearest: shop.maths.fib, ");
	CU_ASSERT(report_find(&r, "fibb", &rows, &count, err, 10) == -ENOENT);
	shop_report_free(&r);
}

int suite_views(void)
{
	CU_TestInfo tests[] = {
		{ "header", test_header },
		{ "header of a clock", test_header_of_a_clock },
		{ "header of second choices", test_header_of_second_choices },
		{ "a shared counter", test_shared_counter },
		{ "functions", test_functions },
		{ "narrow and coloured", test_narrow_and_coloured },
		{ "callers and callees", test_edges },
		{ "tree", test_tree },
		{ "notes", test_notes },
		{ "find", test_find },
		CU_TEST_INFO_NULL,
	};

	return suite_register("views", tests);
}
