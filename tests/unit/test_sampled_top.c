/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The live view of samples. */
#include <locale.h>

#include "tests/unit/shop_report.h"
#include "userspace/top.h"

#define PM "\xc2\xb1"

static const struct moment start;

static void test_batch(void)
{
	struct report r = shop_report_sampled(METRIC_INSTRUCTIONS);
	struct session_status st = { .targets = 1, .followed = 2 };
	struct top_state s = { 0 };
	struct interval v;
	size_t size;
	char *text;

	st.losses[LOSS_UNWALKED] = 2;
	CU_ASSERT_FATAL(!interval_compute(r.profile, &start, &v));
	text = CAPTURE(&size, CU_ASSERT(!top_print_batch(out, &v, &st, &s, 3)));
	ASSERT_TEXT(text, "pycost top: instructions:u, retired CPU instructions, user mode only\n"
		    "last 2.5 s: 120 samples, 120.0 k (4.2 % outside any Python function); 1 of 2 processes alive\n"
		    "sampled: 1 sample per 1.000 k instructions; estimates, " PM " one standard error\n"
		    "lost: unwalked 2\n"
		    "samples     self  self %    " PM "  cumulative  cum %  function                 file:line\n"
		    "     70  70.00 k    58.3  4.5     70.00 k   58.3  shop.cart.Shop.checkout  /srv/shop/shop/cart.py:10\n"
		    "     15  15.00 k    12.5  3.1     30.00 k   25.0  shop.maths.fib           /srv/shop/shop/maths.py:3\n"
		    "     15  15.00 k    12.5  3.1     15.00 k   12.5  shop.\xe5\xba\x97.gr\xc3\xbc\xc3\x9f             /srv/shop/shop/\xe5\xba\x97 1.py:1\n");
	free(text);
	interval_free(&v);
	shop_report_free(&r);
}

/* An interval's errors come from its own samples. */
static void test_interval(void)
{
	struct report r = shop_report_sampled(METRIC_INSTRUCTIONS);
	struct sink *sink = (struct sink *)&r.profile->sink;
	struct sink_sample gain = { 11, 2, 1, SINK_NO_OPCODE, SAMPLE_RUNS, false, 3 };
	struct session_status st = { 0 };
	const struct call_costs *costs;
	struct interval v;
	struct moment m;
	size_t size;
	char *text;

	CU_ASSERT_FATAL(!moment_take(r.profile, &m));
	CU_ASSERT(!sink->sample(sink, &gain) && !sink->flush(sink, 4500000000));
	CU_ASSERT_FATAL(!interval_compute(r.profile, &m, &v));
	CU_ASSERT(report_samples(&v.report) == 3 && v.calls == 0 && v.taken_out == 0);
	costs = &v.report.functions.rows[5].costs;
	CU_ASSERT(costs->samples == 3 && costs->self == 3000 && costs->self_error > 1000 * 0.6);
	CU_ASSERT(costs->self_error < 1000 * 0.8); /* p is 4/5: sqrt(3 * 0.16) */
	text = CAPTURE(&size, top_print_header(out, &v, &st, false, 0);
		       top_print_titles(out, &v, 80); top_print_row(out, &v, 5, 80));
	ASSERT_TEXT(text, "pycost top: instructions:u, retired CPU instructions, user mode only\n"
		    "last 2.0 s: 3 samples, 3.000 k (0.0 % outside any Python function); 0 of 0 processes alive\n"
		    "sampled: 1 sample per 1.000 k instructions; estimates, " PM " one standard error\n"
		    "nothing lost\n"
		    "samples      self  self %     " PM "  cumulative   cum %  function              \xe2\x80\xa6line\n"
		    "      3   3.000 k   100.0  23.1     3.000 k   100.0  shop.\xe5\xba\x97.gr\xc3\xbc\xc3\x9f          \xe2\x80\xa6py:1\n");
	free(text);
	interval_free(&v);
	moment_free(&m);
	shop_report_free(&r);
}

static void test_keys(void)
{
	struct top_state s = { .sort = SORT_CUMULATIVE, .sampled = true };

	top_key(&s, 'n', 10);
	CU_ASSERT_EQUAL(s.sort, SORT_CUMULATIVE);
	top_key(&s, 's', 10);
	CU_ASSERT_EQUAL(s.sort, SORT_SELF);
	s.sampled = false;
	top_key(&s, 'n', 10);
	CU_ASSERT_EQUAL(s.sort, SORT_CALLS);
}

int suite_sampled_top(void)
{
	CU_TestInfo tests[] = {
		{ "batch", test_batch },
		{ "interval", test_interval },
		{ "keys", test_keys },
		CU_TEST_INFO_NULL,
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return suite_register("sampled top", tests);
}
