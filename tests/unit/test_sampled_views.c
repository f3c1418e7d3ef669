/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people get to read of a sampled recording. */
#include <errno.h>
#include <locale.h>

#include "tests/unit/shop_report.h"
#include "userspace/text.h"

#define PM "\xc2\xb1"

static const struct report_style plain;

static void test_header(void)
{
	struct report r = shop_report_sampled(METRIC_INSTRUCTIONS);
	size_t size;
	char *text;

	setenv("TZ", "UTC", 1);
	text = CAPTURE(&size, report_print_header(&r, &plain, out));
	ASSERT_TEXT(text, "metric:      instructions:u (instructions): retired CPU instructions, user mode only\n"
		    "sampled:     1 sample per 1.000 k instructions, 120 samples; estimates " PM " one standard error\n"
		    "states:      collecting garbage 3.3 " PM " 1.8 %, importing 5.8 " PM " 2.3 %, waiting for the GIL 5.0 " PM " 2.1 %; in the kernel 5.0 " PM " 2.1 %\n"
		    "duration:    2.500 s from 2023-11-14 22:13:20 on testhost, Linux 6.1.0\n"
		    "processes:   python3 (pid 100, Python 3.12.1), python3 (pid 101, child of 100, Python 3.15.2)\n"
		    "total:       120.0 k, of it 5.000 k (4.2 %) outside any Python function\n"
		    "\n");
	free(text);
	shop_report_free(&r);
}

static void test_header_of_a_clock(void)
{
	struct report r = shop_report_sampled(METRIC_TASK_CLOCK);
	size_t size;
	char *text;

	((struct profile *)r.profile)->meta.period = 10101010;
	r.costs.cumulative_raw[0] = 12345 * 10101010ull;
	text = CAPTURE(&size, report_print_header(&r, &plain, out));
	ASSERT_CONTAINS(text, "\nsampled:     1 sample per 10.10 ms on CPU (99 Hz), 12,345 samples; "
			      "estimates " PM " one standard error\n");
	ASSERT_CONTAINS(text, "; in the kernel 0.0 " PM " 0.0 %\n");
	free(text);
	/* Nothing but its absence is known of no samples. */
	r.costs.cumulative_raw[0] = 0;
	text = CAPTURE(&size, report_print_header(&r, &plain, out));
	ASSERT_CONTAINS(text, ", 0 samples; ");
	CU_ASSERT_PTR_NULL(strstr(text, "states:"));
	free(text);
	shop_report_free(&r);
}

static void test_functions(void)
{
	struct report r = shop_report_sampled(METRIC_INSTRUCTIONS);
	size_t size;
	char *text = CAPTURE(&size, CU_ASSERT(!report_print_functions(&r, &plain, out)));

	ASSERT_TEXT(text, "samples     self    " PM "  self %      cum    " PM "  cum %  function                                           file:line\n"
		    "     70  70.00 k   8%    58.3  70.00 k   8%   58.3  shop.cart.Shop.checkout                            /srv/shop/shop/cart.py:10\n"
		    "     15  15.00 k  25%    12.5  30.00 k  16%   25.0  shop.maths.fib                                     /srv/shop/shop/maths.py:3\n"
		    "     15  15.00 k  25%    12.5  15.00 k  25%   12.5  shop.\xe5\xba\x97.gr\xc3\xbc\xc3\x9f                                       /srv/shop/shop/\xe5\xba\x97 1.py:1\n"
		    "      8  8.000 k  36%     6.7  93.00 k   5%   77.5  __main__.main                                      /srv/shop/app.py:40\n"
		    "      7  7.000 k  39%     5.8  100.0 k   4%   83.3  <module>                                           /srv/shop/a;b.py:1\n"
		    "      0        0          0.0  70.00 k   8%   58.3  shop.tools.timed.<locals>.wrapper \xe2\x86\x92 Shop.checkout  /srv/shop/shop/tools.py:7\n");
	free(text);
	shop_report_free(&r);
}

static void test_edges_and_tree(void)
{
	static const struct report_style pruned = { .min_percent = 60 };
	struct report r = shop_report_sampled(METRIC_INSTRUCTIONS);
	size_t size;
	char *text = CAPTURE(&size, CU_ASSERT(!report_print_edges(&r, &plain, 3, true, out)));

	ASSERT_TEXT(text, "shop.maths.fib is called by (self and cumulative are its own, under that caller):\n"
		    "samples     self    " PM "  self %      cum    " PM "  cum %  function                    file:line\n"
		    "      0        0          0.0  15.00 k  25%   12.5  <outside Python functions>\n"
		    "      0        0          0.0  15.00 k  25%   12.5  __main__.main               /srv/shop/app.py:40\n"
		    "     15  15.00 k  25%    12.5  15.00 k  25%   12.5  shop.maths.fib              /srv/shop/shop/maths.py:3\n");
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!report_print_tree(&r, &pruned, out)));
	ASSERT_TEXT(text, "samples     self    " PM "  self %      cum   " PM "  cum %  function           file:line\n"
		    "      5  5.000 k  47%     4.2  105.0 k  4%   87.5  python3 (pid 100)\n"
		    "      7  7.000 k  39%     5.8  100.0 k  4%   83.3    <module>         /srv/shop/a;b.py:1\n"
		    "      8  8.000 k  36%     6.7  93.00 k  5%   77.5      __main__.main  /srv/shop/app.py:40\n");
	free(text);
	shop_report_free(&r);
}

static void test_notes(void)
{
	struct report r = shop_report_sampled(METRIC_INSTRUCTIONS);
	size_t size;
	char *text;

	r.losses[LOSS_SAMPLES] = 11;
	r.losses[LOSS_THROTTLED] = 12;
	r.losses[LOSS_DEEP] = 13;
	text = CAPTURE(&size, report_print_notes(&r, &plain, out));
	ASSERT_CONTAINS(text, "samples dropped because the ring was full: 11\n");
	ASSERT_CONTAINS(text, "the kernel held sampling back, as it took too long: 12\n");
	ASSERT_CONTAINS(text, "counted outside any function: 2\n");
	ASSERT_CONTAINS(text, "too deep to be read to their outer end: 13\n");
	free(text);
	shop_report_free(&r);
}

/* Whatever is lost is told, in words of its own. */
static void test_every_loss(void)
{
	struct report r = shop_report_sampled(METRIC_INSTRUCTIONS);

	memset(r.losses, 0, sizeof(r.losses));
	for (int i = 1; i < LOSS_MAX; i++) {
		size_t size;
		char *text;

		if (i == LOSS_MULTIPLEXED)
			continue;
		r.losses[i] = 4711;
		text = CAPTURE(&size, report_print_notes(&r, &plain, out));
		ASSERT_CONTAINS(text, ": 4711\n");
		free(text);
		r.losses[i] = 0;
	}
	shop_report_free(&r);
}

static void test_natives(void)
{
	static const struct report_style two = { .limit = 2 };
	struct report r = shop_report_sampled(METRIC_INSTRUCTIONS);
	uint32_t rows[] = { 2, 4 };
	size_t size;
	char *text = CAPTURE(&size, CU_ASSERT(!report_print_natives(&r, &plain, NULL, 0, out)));

	ASSERT_TEXT(text, "samples  share %    " PM "  in kernel  native function           object\n"
		    "     75     62.5  4.4             _PyEval_EvalFrameDefault  /usr/bin/python3.12\n"
		    "     30     25.0  4.0             sha256_compress           /usr/lib/libcrypto.so.3\n"
		    "      6      5.0  2.1          6  (unknown)               \n"
		    "      5      4.2  2.0             (no symbol)               [vdso]\n"
		    "      4      3.3  1.8             gc_collect_main           /usr/bin/python3.12\n");
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!report_print_natives(&r, &two, rows, 2, out)));
	ASSERT_TEXT(text, "shop.cart.Shop.checkout itself was in:\n"
		    "samples  share %    " PM "  in kernel  native function           object\n"
		    "     30     42.9  5.9             _PyEval_EvalFrameDefault  /usr/bin/python3.12\n"
		    "     30     42.9  5.9             sha256_compress           /usr/lib/libcrypto.so.3\n"
		    "... and 2 more (--limit 0 shows all)\n"
		    "\n"
		    "shop.tools.timed.<locals>.wrapper \xe2\x86\x92 Shop.checkout itself was in:\n"
		    "  no samples\n");
	free(text);
	shop_report_free(&r);
}

static void test_opcodes(void)
{
	static const struct report_style one = { .limit = 1 };
	struct report r = shop_report_sampled(METRIC_INSTRUCTIONS);
	struct sink *sink = (struct sink *)&r.profile->sink;
	/* A number that 3.12 has no opcode for. */
	struct sink_sample odd = { 5, 14, 0, 255, SAMPLE_RUNS, false, 1 };
	struct sink_sample special = { 11, 2, 0, 129, SAMPLE_RUNS, false, 2 };
	uint32_t rows[] = { 2 };
	size_t size;
	char *text;

	CU_ASSERT(!sink->sample(sink, &odd) && !sink->sample(sink, &special));
	text = CAPTURE(&size, CU_ASSERT(!report_print_opcodes(&r, &plain, NULL, 0, out)));
	ASSERT_TEXT(text, "Python 3.12:\n"
		    "samples  share %    " PM "  opcode         family\n"
		    "     67     63.2  4.7  CALL           CALL\n"
		    "     15     14.2  3.5  BINARY_OP      BINARY_OP\n"
		    "     10      9.4  2.9  BINARY_SUBSCR  BINARY_SUBSCR\n"
		    "      8      7.5  2.7  LOAD_CONST     LOAD_CONST\n"
		    "      5      4.7  2.2  (unknown)    \n"
		    "      1      0.9  1.3  (number 255) \n"
		    "Python 3.15:\n"
		    "samples  share %    " PM "  opcode               family\n"
		    "     15     88.2  8.8  (unknown)          \n"
		    "      2     11.8  8.8  BINARY_OP_ADD_FLOAT  BINARY_OP\n"
		    "\n"
		    "A sample may lie one opcode late; time in C code counts for the CALL that led there;\n"
		    "forms are those at the moment of the sample.\n");
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!report_print_opcodes(&r, &one, rows, 1, out)));
	ASSERT_TEXT(text, "shop.cart.Shop.checkout itself was at:\n"
		    "samples  share %    " PM "  opcode  family\n"
		    "     60     84.5  4.4  CALL    CALL\n"
		    "... and 2 more (--limit 0 shows all)\n"
		    "\n"
		    "A sample may lie one opcode late; time in C code counts for the CALL that led there;\n"
		    "forms are those at the moment of the sample.\n");
	free(text);
	shop_report_free(&r);
}

static void test_narrow_and_coloured(void)
{
	static const struct report_style narrow = { .width = 80, .color = true };
	struct report r = shop_report_sampled(METRIC_INSTRUCTIONS);
	size_t size;
	char *text;

	setlocale(LC_CTYPE, "C.UTF-8");
	text = CAPTURE(&size, report_print_functions(&r, &narrow, out);
		       report_print_natives(&r, &narrow, NULL, 0, out));
	ASSERT_CONTAINS(text, "\033[31m     70  70.00 k   8%    58.3");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		/* Escapes take none of the columns: \033[31m and \033[0m are 9 in here. */
		CU_ASSERT(text_width(line) <= 80 + 9);
	free(text);
	shop_report_free(&r);
}

int suite_sampled_views(void)
{
	CU_TestInfo tests[] = {
		{ "header", test_header },
		{ "header of a clock", test_header_of_a_clock },
		{ "functions", test_functions },
		{ "callers and tree", test_edges_and_tree },
		{ "notes", test_notes },
		{ "every loss", test_every_loss },
		{ "natives", test_natives },
		{ "opcodes", test_opcodes },
		{ "narrow and coloured", test_narrow_and_coloured },
		CU_TEST_INFO_NULL,
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return suite_register("sampled views", tests);
}
