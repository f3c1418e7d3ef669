/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <curses.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/shop_report.h"
#include "userspace/interval.h"
#include "userspace/text.h"
#include "userspace/top.h"

static const struct moment start;

static struct profile *shop(void)
{
	struct profile *p;

	CU_ASSERT_FATAL(!profile_create(&p));
	CU_ASSERT_FATAL(!sample_shop(&p->sink, METRIC_INSTRUCTIONS));
	return p;
}

static void test_interval_from_the_start_is_the_report(void)
{
	struct report whole = shop_report(METRIC_INSTRUCTIONS);
	struct profile *p = shop();
	struct interval v;

	CU_ASSERT_FATAL(!interval_compute(p, &start, &v));
	CU_ASSERT_EQUAL(v.report.costs.cumulative[0], whole.costs.cumulative[0]);
	CU_ASSERT_EQUAL_FATAL(v.report.functions.row_count, whole.functions.row_count);
	for (size_t i = 0; i < whole.functions.row_count; i++)
		CU_ASSERT(!memcmp(&v.report.functions.rows[i].costs, &whole.functions.rows[i].costs,
				  sizeof(struct call_costs)));
	CU_ASSERT_EQUAL(v.taken_out,
			whole.costs.cumulative_raw[0] - whole.costs.cumulative[0]);
	CU_ASSERT(v.seconds == p->duration_ns / 1e9);
	interval_free(&v);
	profile_free(p);
	shop_report_free(&whole);
}

static void test_interval_holds_gains_only(void)
{
	struct profile *p = shop();
	struct moment m;
	struct interval v;
	uint32_t last = p->node_count - 1, row, *order;
	struct sink_cost gain = {last, 3, 10000};
	size_t count;

	CU_ASSERT_FATAL(!moment_take(p, &m));
	CU_ASSERT(!p->sink.cost(&p->sink, &gain));
	CU_ASSERT(!p->sink.flush(&p->sink, p->duration_ns + 2000000000));
	CU_ASSERT_FATAL(!interval_compute(p, &m, &v));
	CU_ASSERT(v.seconds == 2);
	CU_ASSERT_EQUAL(v.calls, 3);
	CU_ASSERT_EQUAL(v.report.costs.cumulative_raw[0], 10000);
	CU_ASSERT(v.report.costs.cumulative[0] <= 10000);
	row = v.report.functions.row_of[p->nodes[last].function];
	CU_ASSERT_EQUAL(v.report.functions.rows[row].costs.calls, 3);
	CU_ASSERT_EQUAL(v.report.functions.rows[row].costs.self_raw, 10000);
	CU_ASSERT_FATAL(!interval_order(&v, SORT_SELF, "", &order, &count));
	CU_ASSERT_FATAL(count >= 1);
	CU_ASSERT_EQUAL(order[0], row);
	free(order);
	interval_free(&v);
	moment_free(&m);
	profile_free(p);
}

static void test_nothing_gained_is_nothing(void)
{
	struct profile *p = shop();
	struct moment m;
	struct interval v;
	uint32_t *order;
	size_t count;

	CU_ASSERT_FATAL(!moment_take(p, &m));
	CU_ASSERT_FATAL(!interval_compute(p, &m, &v));
	CU_ASSERT_EQUAL(v.report.costs.cumulative[0], 0);
	CU_ASSERT_EQUAL(v.taken_out, 0);
	CU_ASSERT_FATAL(!interval_order(&v, SORT_CALLS, NULL, &order, &count));
	CU_ASSERT_EQUAL(count, 0);
	free(order);
	interval_free(&v);
	moment_free(&m);
	profile_free(p);
}

static void test_order_sorts_and_filters(void)
{
	struct profile *p = shop();
	struct interval v;
	const struct function_row *rows;
	uint32_t *order;
	size_t count, filtered;

	CU_ASSERT_FATAL(!interval_compute(p, &start, &v));
	rows = v.report.functions.rows;
	CU_ASSERT_FATAL(!interval_order(&v, SORT_CUMULATIVE, NULL, &order, &count));
	CU_ASSERT_FATAL(count > 2);
	for (size_t i = 1; i < count; i++)
		CU_ASSERT(rows[order[i - 1]].costs.cumulative >= rows[order[i]].costs.cumulative);
	free(order);
	CU_ASSERT_FATAL(!interval_order(&v, SORT_CUMULATIVE, "CHECKOUT", &order, &filtered));
	CU_ASSERT(filtered > 0 && filtered < count);
	for (size_t i = 0; i < filtered; i++)
		CU_ASSERT_PTR_NOT_NULL(strcasestr(rows[order[i]].name, "checkout"));
	free(order);
	CU_ASSERT_FATAL(!interval_order(&v, SORT_CUMULATIVE, "no such name", &order, &filtered));
	CU_ASSERT_EQUAL(filtered, 0);
	free(order);
	interval_free(&v);
	profile_free(p);
}

static void test_edges_meet_their_row(void)
{
	struct profile *p = shop();
	struct interval v;
	size_t callers, callees, edges = 0;
	uint32_t *order;

	CU_ASSERT_FATAL(!interval_compute(p, &start, &v));
	for (uint32_t row = 0; row < v.report.functions.row_count; row++) {
		CU_ASSERT_FATAL(!interval_edges(&v, SORT_SELF, row, true, &order, &callers));
		for (size_t i = 0; i < callers; i++)
			CU_ASSERT_EQUAL(v.report.functions.edges[order[i]].callee, row);
		free(order);
		CU_ASSERT_FATAL(!interval_edges(&v, SORT_SELF, row, false, &order, &callees));
		for (size_t i = 0; i < callees; i++)
			CU_ASSERT_EQUAL(v.report.functions.edges[order[i]].caller, row);
		free(order);
		edges += callees;
	}
	CU_ASSERT_EQUAL(edges, v.report.functions.edge_count);
	interval_free(&v);
	profile_free(p);
}

static void keys(struct top_state *s, const char *typed)
{
	for (; *typed; typed++)
		top_key(s, (unsigned char)*typed, 10);
}

static void test_keys_sort_and_switch(void)
{
	struct top_state s = {0};

	keys(&s, "c");
	CU_ASSERT_EQUAL(s.sort, SORT_CUMULATIVE);
	keys(&s, "n");
	CU_ASSERT_EQUAL(s.sort, SORT_CALLS);
	keys(&s, "s");
	CU_ASSERT_EQUAL(s.sort, SORT_SELF);
	keys(&s, "tp");
	CU_ASSERT(s.totals && s.paused);
	keys(&s, "tp");
	CU_ASSERT(!s.totals && !s.paused);
	keys(&s, "h");
	CU_ASSERT(s.help);
	keys(&s, "c"); /* only leaves the help */
	CU_ASSERT(!s.help && s.sort == SORT_SELF);
	keys(&s, "hq");
	CU_ASSERT(s.quit);
}

static void test_keys_edit_the_filter(void)
{
	struct top_state s = {0};

	keys(&s, "/q\xc3\xa9x");
	CU_ASSERT(s.editing && !s.quit);
	CU_ASSERT_STRING_EQUAL(s.filter, "q\xc3\xa9x");
	keys(&s, "\x7f\x7f"); /* the second takes both bytes of é */
	CU_ASSERT_STRING_EQUAL(s.filter, "q");
	keys(&s, "\r");
	CU_ASSERT(!s.editing);
	CU_ASSERT_STRING_EQUAL(s.filter, "q");
	keys(&s, "\x1b");
	CU_ASSERT_STRING_EQUAL(s.filter, "");
	keys(&s, "/abc\x1b");
	CU_ASSERT(!s.editing);
	CU_ASSERT_STRING_EQUAL(s.filter, "");
	keys(&s, "/");
	for (int i = 0; i < 1000; i++)
		keys(&s, "a");
	CU_ASSERT_EQUAL(strlen(s.filter), sizeof(s.filter) - 1);
	keys(&s, "\x15");
	CU_ASSERT_STRING_EQUAL(s.filter, "");
}

static void test_selection_stays_on_its_function(void)
{
	static const uint32_t first[] = {10, 11, 12, 13, 14}, second[] = {13, 14, 10, 11, 12};
	struct top_state s = {0};

	top_settle(&s, first, 5, 3);
	CU_ASSERT_EQUAL(s.current, 10);
	top_settle(&s, second, 5, 3); /* not moved: stays on top */
	CU_ASSERT_EQUAL(s.current, 13);
	top_key(&s, KEY_DOWN, 3);
	top_settle(&s, second, 5, 3);
	CU_ASSERT_EQUAL(s.current, 14);
	top_settle(&s, first, 5, 3); /* goes with 14 to the end */
	CU_ASSERT_EQUAL(s.current, 14);
	CU_ASSERT_EQUAL(s.scroll, 2);
	top_key(&s, KEY_NPAGE, 3);
	top_settle(&s, first, 5, 3);
	CU_ASSERT_EQUAL(s.current, 14);
	top_key(&s, KEY_HOME, 3);
	top_settle(&s, first, 5, 3);
	CU_ASSERT(s.current == 10 && !s.pinned && !s.scroll);
	top_settle(&s, NULL, 0, 3);
	CU_ASSERT_EQUAL(s.current, 0);
	top_key(&s, '\n', 3);
	CU_ASSERT_EQUAL(s.detail, 0);
}

static void test_enter_shows_the_selected(void)
{
	static const uint32_t order[] = {10, 11};
	struct top_state s = {0};

	top_settle(&s, order, 2, 3);
	top_key(&s, KEY_ENTER, 3);
	CU_ASSERT_EQUAL(s.detail, 10);
	top_key(&s, KEY_DOWN, 3);
	CU_ASSERT(s.detail_scroll == 1 && !s.cursor);
	keys(&s, "\x1b");
	CU_ASSERT_EQUAL(s.detail, 0);
}

/* However narrow, no line of the list goes past the edge; numbers always show. */
static void test_lines_keep_to_the_width(void)
{
	struct profile *p = shop();
	struct session_status st = {.targets = 2, .followed = 2};
	struct interval v;

	CU_ASSERT_FATAL(!interval_compute(p, &start, &v));
	for (int width = 80; width < 200; width += 17) {
		char *text, *rest, *line;
		size_t size;

		text = CAPTURE(&size, top_print_header(out, &v, &st, true, width);
			       top_print_titles(out, &v, width);
			       for (uint32_t i = 1; i < v.report.functions.row_count; i++)
				       top_print_row(out, &v, i, width));
		for (rest = text; (line = strsep(&rest, "\n"));)
			CU_ASSERT(text_width(line) <= width);
		free(text);
	}
	interval_free(&v);
	profile_free(p);
}

static void test_batch_says_what_it_counts(void)
{
	struct profile *p = shop();
	struct session_status st = {.targets = 1, .followed = 2};
	struct top_state s = {.totals = true};
	struct interval v;
	size_t size;
	char *text;

	st.losses[LOSS_DEPTH] = 7;
	CU_ASSERT_FATAL(!interval_compute(p, &start, &v));
	text = CAPTURE(&size, CU_ASSERT(!top_print_batch(out, &v, &st, &s, 1)));
	ASSERT_CONTAINS(text, "instructions:u, retired CPU instructions");
	ASSERT_CONTAINS(text, "1 of 2 processes alive");
	ASSERT_CONTAINS(text, "calibration takes out 120 instructions a call");
	ASSERT_CONTAINS(text, "lost: depth 7");
	ASSERT_CONTAINS(text, "calls/s");
	free(text);
	interval_free(&v);
	profile_free(p);
}

static void test_header_says_what_is_missing(void)
{
	struct profile *p = shop();
	struct session_status st = {.fallback_reason = "the counter is taken"};
	struct interval v;
	size_t size;
	char *text;

	p->meta.metric = METRIC_TASK_CLOCK;
	p->meta.metric_fallback = true;
	st.losses[LOSS_MULTIPLEXED] = 250000;
	st.losses[LOSS_SLICES] = 6;
	CU_ASSERT_FATAL(!interval_compute(p, &start, &v));
	text = CAPTURE(&size, top_print_header(out, &v, &st, false, 0));
	ASSERT_CONTAINS(text, "task-clock, time on CPU, not instructions: the counter is taken\n");
	ASSERT_CONTAINS(text, "lost: counter on the PMU 75.0 % of the time: costs are parts only, "
			      "not scaled; slices 6\n");
	free(text);
	st.fallback_reason = NULL;
	st.caution = "two kinds";
	p->meta.metric = METRIC_CYCLES;
	p->meta.metric_fallback = false;
	text = CAPTURE(&size, top_print_header(out, &v, &st, false, 0));
	ASSERT_CONTAINS(text, "cycles:u, CPU cycles, user mode only: two kinds\n");
	free(text);
	interval_free(&v);
	profile_free(p);
}

static void test_prefix(void)
{
	CU_ASSERT_EQUAL(text_prefix("abc", 2), 2);
	CU_ASSERT_EQUAL(text_prefix("abc", 9), 3);
	CU_ASSERT_EQUAL(text_prefix("", 9), 0);
	CU_ASSERT_EQUAL(text_prefix("\xc3\xa9x", 1), 2);
	CU_ASSERT_EQUAL(text_prefix("abc", 0), 0);
}

int suite_top(void)
{
	CU_TestInfo tests[] = {
		{ "an interval from the start is the report",
		  test_interval_from_the_start_is_the_report },
		{ "an interval holds gains only", test_interval_holds_gains_only },
		{ "nothing gained is nothing", test_nothing_gained_is_nothing },
		{ "order sorts and filters", test_order_sorts_and_filters },
		{ "edges meet their row", test_edges_meet_their_row },
		{ "keys sort and switch", test_keys_sort_and_switch },
		{ "keys edit the filter", test_keys_edit_the_filter },
		{ "the selection stays on its function", test_selection_stays_on_its_function },
		{ "Enter shows the selected", test_enter_shows_the_selected },
		{ "lines keep to the width", test_lines_keep_to_the_width },
		{ "a batch says what it counts", test_batch_says_what_it_counts },
		{ "the header says what is missing", test_header_says_what_is_missing },
		{ "prefix", test_prefix },
		CU_TEST_INFO_NULL,
	};

	return suite_register("top", tests);
}
