/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Costs in kernel mode, from the facts to what people and programs get to read. */
#include <curses.h>
#include <string.h>
#include <zlib.h>

#include "pprof.pb-c.h"
#include "tests/unit/shop_report.h"
#include "userspace/export.h"
#include "userspace/text.h"
#include "userspace/top.h"

#define KERNEL_TOTAL 14127
#define KERNEL_TOTAL_RAW 15867

static struct profile *kernel_shop(void)
{
	struct profile *p;

	CU_ASSERT_FATAL(!profile_create(&p));
	CU_ASSERT_FATAL(!sample_shop_kernel(&p->sink, METRIC_INSTRUCTIONS));
	return p;
}

static struct report kernel_report(bool raw)
{
	static const struct recording_status complete;
	struct report r;

	CU_ASSERT_FATAL(!report_compute(kernel_shop(), &complete, raw, SORT_KERNEL, &r));
	return r;
}

/* ---- the correction ---- */

static void test_rows(void)
{
	static const struct {
		const char *name;
		uint64_t self, raw, cumulative;
	} expected[] = {
		{ "<outside Python functions>", 1007, 1017, KERNEL_TOTAL },
		{ "__main__.main", 90, 260, 8120 }, /* pays 10 for the wrapper */
		{ "shop.cart.Shop.checkout", 8000, 8500, 8000 },
		{ "shop.maths.fib", 30, 440, 5030 },
		{ "shop.tools.timed.<locals>.wrapper \xe2\x86\x92 Shop.checkout", 0, 590, 8000 },
		{ "shop.\xe5\xba\x97.gr\xc3\xbc\xc3\x9f", 5000, 5000, 5000 },
		{ "<module>", 0, 60, 8120 },
	};
	struct report r = kernel_report(false), without = shop_report(METRIC_INSTRUCTIONS);

	CU_ASSERT_EQUAL_FATAL(r.functions.row_count, 7);
	for (size_t i = 0; i < 7; i++) {
		const struct call_costs *c = &r.functions.rows[i].costs;
		const struct call_costs *other = &without.functions.rows[i].costs;

		CU_ASSERT_STRING_EQUAL(r.functions.rows[i].name, expected[i].name);
		CU_ASSERT_EQUAL(c->kernel_self, expected[i].self);
		CU_ASSERT_EQUAL(c->kernel_self_raw, expected[i].raw);
		CU_ASSERT_EQUAL(c->kernel_cumulative, expected[i].cumulative);
		/* The metric is what it is without. */
		CU_ASSERT(c->self == other->self && c->cumulative == other->cumulative);
		CU_ASSERT(!other->kernel_self && !other->kernel_cumulative_raw);
	}
	CU_ASSERT_EQUAL(r.kernel.cumulative[0], KERNEL_TOTAL);
	CU_ASSERT_EQUAL(r.kernel.cumulative_raw[0], KERNEL_TOTAL_RAW);
	CU_ASSERT(r.kernel.clamped == 1 && r.costs.clamped == 0);
	/* Ten entries of the callee, ten exits of the caller. */
	CU_ASSERT_DOUBLE_EQUAL(r.kernel.self_error[5], 10 * 2, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(r.kernel.self_error[4], 10 * 2 + 10 * 1, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(r.kernel.cumulative_error[4], 10 * 1.5 + 10 * 2, 1e-9);
	shop_report_free(&r);
	shop_report_free(&without);
}

static void test_raw(void)
{
	struct report r = kernel_report(true);

	for (size_t i = 0; i < r.functions.row_count; i++)
		CU_ASSERT_EQUAL(r.functions.rows[i].costs.kernel_self,
				r.functions.rows[i].costs.kernel_self_raw);
	CU_ASSERT_EQUAL(r.kernel.cumulative[0], KERNEL_TOTAL_RAW);
	shop_report_free(&r);
}

/* A hit takes half of what the two of a call do. */
static void test_lone_hits(void)
{
	struct report r;
	struct profile *p = kernel_shop();
	struct sink_cost checkout = { .node = 5, .lone_self = 4 };
	struct sink_cost wrapper = { .node = 4, .lone_caller = 2 };
	static const struct recording_status complete;

	CU_ASSERT(!p->sink.cost(&p->sink, &checkout) && !p->sink.cost(&p->sink, &wrapper));
	CU_ASSERT_FATAL(!report_compute(p, &complete, false, SORT_SELF, &r));
	CU_ASSERT_EQUAL(r.kernel.self[5], 8000 - 4 * 30);
	CU_ASSERT_EQUAL(r.kernel.self[3], 90 - 2 * 30);
	CU_ASSERT_EQUAL(r.costs.self[5], 50200);
	CU_ASSERT_DOUBLE_EQUAL(r.kernel.self_error[5], 10 * 2 + 4 * 0.75, 1e-9);
	shop_report_free(&r);
}

/* No unprobed call has any: what many calls have in all bounds what probes add. */
static void test_bound(void)
{
	struct sink_meta meta = { .metric = METRIC_CYCLES, .kernel_mode = true };
	struct sink_calibration k = { .id = 1, .kernel_entry = 60, .kernel_exit = 40 };
	struct sink_process process = { .pid = 1, .calibration = 1 };
	struct sink_function f = { .id = 1, .qualname = "f" };
	struct sink_node root = { 1, 0, 0, 1 }, node = { 2, 1, 1, 1 }, leaf = { 3, 2, 1, 1 };
	struct sink_cost caller = { 2, 1, .kernel_self = 360000 };
	struct sink_cost callee = { 3, 10000, .kernel_self = 540000 };
	static const struct recording_status complete;
	struct profile *p;
	struct report r;
	struct sink *s;

	CU_ASSERT_FATAL(!profile_create(&p));
	s = &p->sink;
	CU_ASSERT_FATAL(!s->meta(s, &meta) && !s->calibration(s, &k) && !s->process(s, &process) &&
			!s->function(s, &f) && !s->node(s, &root) && !s->node(s, &node) &&
			!s->node(s, &leaf) && !s->cost(s, &caller) && !s->cost(s, &callee));
	CU_ASSERT_FATAL(!report_compute(p, &complete, false, SORT_SELF, &r));
	CU_ASSERT_DOUBLE_EQUAL(r.kernel.scale[1], 0.9, 1e-3);
	CU_ASSERT(r.costs.scale[1] == 1);
	CU_ASSERT(r.kernel.cumulative[0] < 100);
	shop_report_free(&r);
}

/* ---- the formats ---- */

static char *exported(int (*export)(const struct report *, FILE *), size_t *ret_size)
{
	return shop_exported(kernel_report(false), export, ret_size);
}

static void test_json(void)
{
	size_t size;
	char *text = exported(export_json, &size);
	json_t *json = json_loadb(text, size, 0, NULL), *first, *calibration;
	json_int_t sum;
	size_t i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json, "kernel_metric")),
			       "instructions:k");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json, "kernel")), "6.1.0");
	CU_ASSERT(number(json, "kernel_total") == KERNEL_TOTAL);
	CU_ASSERT(number(json, "kernel_total_raw") == KERNEL_TOTAL_RAW);
	/* Sorted by it. */
	first = json_array_get(json_object_get(json, "functions"), 0);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(first, "qualname")),
			       "Shop.checkout");
	CU_ASSERT(number(first, "kernel_self") == 8000 && number(first, "kernel_self_raw") == 8500);
	CU_ASSERT(number(first, "kernel_cumulative_raw") == 8500);
	CU_ASSERT(json_real_value(json_object_get(first, "kernel_self_error")) == 20);
	calibration = json_array_get(json_object_get(json, "calibration"), 0);
	CU_ASSERT(json_real_value(json_object_get(calibration, "kernel_entry")) == 50);
	CU_ASSERT(json_real_value(json_object_get(calibration, "kernel_total_error")) == 1.5);
	sum = number(json_object_get(json, "outside"), "kernel_self");
	json_array_foreach(json_object_get(json, "functions"), i, first)
		sum += number(first, "kernel_self");
	CU_ASSERT(sum == KERNEL_TOTAL);
	json_decref(json);
	free(text);
}

static void test_without(void)
{
	struct report r = shop_report(METRIC_INSTRUCTIONS);
	size_t size;
	char *text = CAPTURE(&size, CU_ASSERT(!export_json(&r, out)));

	CU_ASSERT_PTR_NULL(strstr(text, "kernel_"));
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!report_print_functions(&r, &(struct report_style){0}, out)));
	CU_ASSERT_PTR_NULL(strstr(text, "kernel"));
	free(text);
	shop_report_free(&r);
}

static void test_folded(void)
{
	size_t size;
	char *text = exported(export_folded_kernel, &size);
	uint64_t total = 0;

	ASSERT_CONTAINS(text, "Shop.checkout 8000\n");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		total += strtoull(strrchr(line, ' '), NULL, 10);
	CU_ASSERT_EQUAL(total, KERNEL_TOTAL);
	free(text);
	/* The usual one is of the metric alone. */
	text = exported(export_folded, &size);
	ASSERT_CONTAINS(text, "Shop.checkout 50200\n");
	free(text);
}

static void test_callgrind(void)
{
	size_t size;
	char *text = exported(export_callgrind, &size);

	ASSERT_CONTAINS(text, "events: instructions_u instructions_k\nsummary: 60060280 14127\n");
	ASSERT_CONTAINS(text, "event: instructions_k : instructions:k (instructions)\n");
	ASSERT_CONTAINS(text, ") __main__.main\n40 2020 90\n");
	ASSERT_CONTAINS(text, "calls=6 3\n3 2000 30\n");
	ASSERT_CONTAINS(text, "totals: 60060280 14127\n");
	free(text);
}

static void test_pprof(void)
{
	static uint8_t packed[64 << 10];
	size_t size;
	char *text = exported(export_pprof, &size);
	z_stream z = { .next_in = (uint8_t *)text, .avail_in = size };
	Pprof__Profile *p;
	int64_t total = 0;

	CU_ASSERT_FATAL(inflateInit2(&z, 15 + 16) == Z_OK);
	z.next_out = packed;
	z.avail_out = sizeof(packed);
	CU_ASSERT_FATAL(inflate(&z, Z_FINISH) == Z_STREAM_END);
	inflateEnd(&z);
	p = pprof__profile__unpack(NULL, z.total_out, packed);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL_FATAL(p->n_sample_type, 3);
	CU_ASSERT_STRING_EQUAL(p->string_table[p->sample_type[2]->type], "instructions:k");
	CU_ASSERT_STRING_EQUAL(p->string_table[p->sample_type[2]->unit], "instructions");
	for (size_t i = 0; i < p->n_sample; i++) {
		CU_ASSERT_EQUAL_FATAL(p->sample[i]->n_value, 3);
		total += p->sample[i]->value[2];
	}
	CU_ASSERT_EQUAL(total, KERNEL_TOTAL);
	pprof__profile__free_unpacked(p, NULL);
	free(text);
}

/* ---- the views ---- */

static void test_header(void)
{
	static const struct report_style plain;
	struct report r = kernel_report(false);
	size_t size;
	char *text = CAPTURE(&size, report_print_header(&r, &plain, out);
			     report_print_notes(&r, &plain, out));

	ASSERT_CONTAINS(text, "metric:      instructions:u (user) and instructions:k (kernel, own column)");
	ASSERT_CONTAINS(text, "kernel mode: 14.13 k, of it 1.007 k (7.1 %) outside any");
	ASSERT_CONTAINS(text, "and 1.740 k in kernel mode (60.0 \xc2\xb1 1.5 for each)");
	ASSERT_CONTAINS(text, "likewise in kernel mode, call paths below zero: 1");
	free(text);
	shop_report_free(&r);
}

static void test_tables(void)
{
	static const struct report_style exact = { .exact = true };
	struct report r = kernel_report(false);
	size_t size;
	char *text = CAPTURE(&size, CU_ASSERT(!report_print_functions(&r, &exact, out)));

	ASSERT_CONTAINS(text, "kernel     \xc2\xb1  cum kernel  function");
	ASSERT_CONTAINS(text, "8000  0.2%        8000  shop.cart.Shop.checkout");
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!report_print_edges(&r, &exact, 2, true, out)));
	ASSERT_CONTAINS(text, "cum kernel");
	ASSERT_CONTAINS(text, "8000  shop.tools.timed");
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!report_print_tree(&r, &exact, out)));
	ASSERT_CONTAINS(text, "8120      __main__.main");
	free(text);
	shop_report_free(&r);
}

/* What costs the kernel much and nothing else is in the tree, too. */
static void test_tree_keeps_it(void)
{
	static const struct report_style pruned = { .min_percent = 1 };
	struct report r = kernel_report(false);
	size_t size;
	char *text = CAPTURE(&size, CU_ASSERT(!report_print_tree(&r, &pruned, out)));

	ASSERT_CONTAINS(text, "Shop.checkout");
	CU_ASSERT(report_percent(&r, 50200) < 1);
	free(text);
	shop_report_free(&r);
}

static void test_top(void)
{
	struct session_status st = { .targets = 2, .followed = 2 };
	struct top_state s = { .totals = true, .kernel = true };
	static const struct moment start;
	struct profile *p = kernel_shop();
	struct interval v;
	size_t size;
	char *text, *rest, *line;

	CU_ASSERT_FATAL(!interval_compute(p, &start, &v));
	top_key(&s, 'K', 10);
	CU_ASSERT_EQUAL(s.sort, SORT_KERNEL);
	text = CAPTURE(&size, CU_ASSERT(!top_print_batch(out, &v, &st, &s, 1)));
	ASSERT_CONTAINS(text, "instructions:u and instructions:k");
	ASSERT_CONTAINS(text, "and 14.13 k in kernel mode");
	ASSERT_CONTAINS(text, "cum kernel");
	ASSERT_CONTAINS(text, "8.000 k     8.000 k  shop.cart.Shop.checkout");
	free(text);
	for (int width = 80; width < 200; width += 17) {
		text = CAPTURE(&size, top_print_titles(out, &v, width);
			       for (uint32_t i = 1; i < v.report.functions.row_count; i++)
				       top_print_row(out, &v, i, width));
		for (rest = text; (line = strsep(&rest, "\n"));)
			CU_ASSERT(text_width(line) <= width);
		free(text);
	}
	interval_free(&v);
	s = (struct top_state){ 0 };
	top_key(&s, 'K', 10);
	CU_ASSERT_EQUAL(s.sort, SORT_SELF);
	profile_free(p);
}

static void test_interval_holds_gains_only(void)
{
	struct profile *p = kernel_shop();
	struct sink_cost gain = { .node = 11, .kernel_self = 70, .lone_self = 1, .search_self = 5 };
	struct moment m;
	struct interval v;

	CU_ASSERT(!p->sink.cost(&p->sink, &gain));
	CU_ASSERT_FATAL(!moment_take(p, &m));
	CU_ASSERT(!p->sink.cost(&p->sink, &(struct sink_cost){ .node = 5, .kernel_self = 70 }));
	CU_ASSERT_FATAL(!interval_compute(p, &m, &v));
	CU_ASSERT_EQUAL(v.report.kernel.cumulative[0], 70);
	CU_ASSERT_EQUAL(v.report.costs.cumulative[0], 0);
	CU_ASSERT(!v.report.costs.unpaid && !v.report.kernel.unpaid);
	interval_free(&v);
	moment_free(&m);
	profile_free(p);
}

int suite_kernel_mode(void)
{
	CU_TestInfo tests[] = {
		{ "rows of the shop", test_rows },
		{ "raw", test_raw },
		{ "lone hits", test_lone_hits },
		{ "bound", test_bound },
		{ "json", test_json },
		{ "nothing of it where it was not counted", test_without },
		{ "folded", test_folded },
		{ "callgrind", test_callgrind },
		{ "pprof", test_pprof },
		{ "header", test_header },
		{ "tables", test_tables },
		{ "the tree keeps what costs the kernel", test_tree_keeps_it },
		{ "top", test_top },
		{ "an interval holds gains only", test_interval_holds_gains_only },
		CU_TEST_INFO_NULL,
	};

	return suite_register("kernel_mode", tests);
}
