/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arithmetic against numbers worked out by hand. */
#include <string.h>

#include "tests/unit/sample.h"
#include "tests/unit/suites.h"
#include "userspace/function_costs.h"

struct computed {
	struct profile *profile;
	struct costs costs;
	struct call_tree tree;
	struct function_costs functions;
};

static struct computed compute(struct profile *p, bool raw)
{
	struct computed c = { p };

	CU_ASSERT_FATAL(!costs_compute(p, COST_METRIC, raw, &c.costs));
	CU_ASSERT_FATAL(!call_tree_build(p, NULL, &c.tree));
	CU_ASSERT_FATAL(!function_costs_compute(p, &c.costs, NULL, &c.tree, &c.functions));
	return c;
}

static void forget(struct computed *c)
{
	function_costs_free(&c->functions);
	call_tree_free(&c->tree);
	costs_free(&c->costs);
}

static void discard(struct computed *c)
{
	forget(c);
	profile_free(c->profile);
}

static struct profile *new_profile(void)
{
	struct profile *p;

	CU_ASSERT_FATAL(!profile_create(&p));
	return p;
}

static const struct function_edge *find_edge(const struct computed *c, const char *caller,
					     const char *callee)
{
	const struct function_row *rows = c->functions.rows;

	for (size_t i = 0; i < c->functions.edge_count; i++) {
		const struct function_edge *edge = &c->functions.edges[i];

		if (!strcmp(rows[edge->caller].name, caller) &&
		    !strcmp(rows[edge->callee].name, callee))
			return edge;
	}
	return NULL;
}

static void check_costs(const struct call_costs *c, const struct call_costs *expected)
{
	CU_ASSERT_EQUAL(c->calls, expected->calls);
	CU_ASSERT_EQUAL(c->primitive_calls, expected->primitive_calls);
	CU_ASSERT_EQUAL(c->self, expected->self);
	CU_ASSERT_EQUAL(c->self_raw, expected->self_raw);
	CU_ASSERT_EQUAL(c->cumulative, expected->cumulative);
	CU_ASSERT_EQUAL(c->cumulative_raw, expected->cumulative_raw);
}

static void test_shop_rows(void)
{
	static const struct {
		const char *name;
		struct call_costs costs; /* calls, primitive, self, raw, cumulative, raw */
	} expected[] = {
		{ "<outside Python functions>", { 0, 0, 1480, 1500, 60060280, 60063760 } },
		{ "__main__.main", { 1, 1, 2020, 2340, 57420, 60760 } },
		{ "shop.cart.Shop.checkout", { 10, 10, 50200, 51200, 50200, 51200 } },
		{ "shop.maths.fib", { 9, 3, 3100, 3920, 60003100, 60003920 } },
		{ "shop.tools.timed.<locals>.wrapper \xe2\x86\x92 Shop.checkout",
		  { 10, 10, 3000, 4200, 53200, 55400 } },
		{ "shop.\xe5\xba\x97.gr\xc3\xbc\xc3\x9f",
		  { 1, 1, 60000000, 60000000, 60000000, 60000000 } },
		{ "<module>", { 1, 1, 480, 600, 57900, 61360 } },
	};
	struct profile *p = new_profile();
	struct computed c;

	CU_ASSERT_FATAL(!sample_shop(&p->sink, METRIC_INSTRUCTIONS));
	c = compute(p, false);
	CU_ASSERT_EQUAL_FATAL(c.functions.row_count, 7);
	for (size_t i = 0; i < 7; i++) {
		CU_ASSERT_STRING_EQUAL(c.functions.rows[i].name, expected[i].name);
		check_costs(&c.functions.rows[i].costs, &expected[i].costs);
	}
	CU_ASSERT(c.costs.clamped == 0 && c.costs.unpaid == 0);
	CU_ASSERT(c.costs.calibrated_calls[1] == 29 && c.costs.calibrated_calls[0] == 3);
	discard(&c);
}

static void test_shop_edges(void)
{
	static const struct call_costs recursive = { 6, 2, 2000, 2680, 2000, 2680 };
	static const struct call_costs outer = { 1, 1, 200, 340, 2200, 3020 };
	static const struct call_costs outside = { 2, 2, 900, 900, 60000900, 60000900 };
	struct profile *p = new_profile();
	struct computed c;

	CU_ASSERT_FATAL(!sample_shop(&p->sink, METRIC_INSTRUCTIONS));
	c = compute(p, false);
	CU_ASSERT_EQUAL(c.functions.edge_count, 8);
	check_costs(&find_edge(&c, "shop.maths.fib", "shop.maths.fib")->costs, &recursive);
	check_costs(&find_edge(&c, "__main__.main", "shop.maths.fib")->costs, &outer);
	check_costs(&find_edge(&c, "<outside Python functions>", "shop.maths.fib")->costs,
		    &outside);
	CU_ASSERT_PTR_NULL(find_edge(&c, "shop.maths.fib", "__main__.main"));
	discard(&c);
}

/*
 * Two functions of which one calls the other four times, whose line numbers took
 * 50 of its own and 8 of its caller's, beyond what is taken out for each call.
 */
static void test_searches(void)
{
	struct sink_meta meta = { METRIC_INSTRUCTIONS, .host = "", .kernel = "", .version = "" };
	struct sink_calibration calibration = { 1, "", "", .entry = 10, .exit = 5,
						.search_error = 0.5 };
	struct sink_process process = { 7, 0, "", "", "", 1 };
	struct sink_function f = { 1, "f", "f", "", "m", "m.py", "", 1 };
	struct sink_function g = { 2, "g", "g", "", "m", "m.py", "", 9 };
	struct sink_node nodes[] = { { 1, 0, 0, 7 }, { 2, 1, 1, 7 }, { 3, 2, 2, 7 } };
	struct sink_cost costs[] = { { 1, 0, 100 }, { 2, 1, 1000 }, { 3, 4, 500, 50, 8 } };
	struct profile *p = new_profile();
	struct sink *to = &p->sink;
	struct computed c;

	CU_ASSERT_FATAL(!to->meta(to, &meta) && !to->calibration(to, &calibration) &&
			!to->process(to, &process) && !to->function(to, &f) &&
			!to->function(to, &g));
	for (int i = 0; i < 3; i++)
		CU_ASSERT_FATAL(!to->node(to, &nodes[i]) && !to->cost(to, &costs[i]));
	CU_ASSERT_FATAL(!to->end(to, 1));
	c = compute(p, false);
	CU_ASSERT_EQUAL(c.costs.self[3], 500 - 40 - 50);
	CU_ASSERT_EQUAL(c.costs.self[2], 1000 - 10 - 20 - 8);
	CU_ASSERT_EQUAL(c.costs.self[1], 100 - 5);
	CU_ASSERT_EQUAL(c.costs.cumulative[1], 1600 - 5 * 15 - 58);
	CU_ASSERT_DOUBLE_EQUAL(c.costs.searched[1], 58, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(c.costs.self_error[3], 25, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(c.costs.self_error[2], 4, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(c.costs.cumulative_error[2], 29, 1e-9);
	discard(&c);
}

static void test_raw(void)
{
	struct profile *p = new_profile();
	struct computed c;

	CU_ASSERT_FATAL(!sample_shop(&p->sink, METRIC_INSTRUCTIONS));
	c = compute(p, true);
	for (size_t i = 0; i < c.functions.row_count; i++) {
		CU_ASSERT_EQUAL(c.functions.rows[i].costs.self,
				c.functions.rows[i].costs.self_raw);
		CU_ASSERT_EQUAL(c.functions.rows[i].costs.cumulative,
				c.functions.rows[i].costs.cumulative_raw);
	}
	discard(&c);
}

/* A root and a chain of calls below it, each of the given function. */
static struct profile *chain_profile(const uint32_t *functions, const uint64_t *self,
				     size_t count, double entry, double exit)
{
	struct profile *p = new_profile();
	struct sink *s = &p->sink;
	struct sink_process process = { .pid = 1, .calibration = 1 };
	struct sink_calibration calibration = { .id = 1, .entry = entry, .exit = exit };
	uint32_t known = 0;

	CU_ASSERT_FATAL(!s->calibration(s, &calibration) && !s->process(s, &process));
	for (uint32_t id = 1; id <= count; id++) {
		struct sink_node node = { id, id - 1, functions[id - 1], 1 };
		struct sink_cost cost = { id, id > 1, self[id - 1] };
		char name[2] = { 'a' + known };
		struct sink_function f = { .id = known + 1, .qualname = name };

		for (; known < node.function; f.id = ++known + 1, name[0] = 'a' + known)
			CU_ASSERT_FATAL(!s->function(s, &f));
		CU_ASSERT_FATAL(!s->node(s, &node) && !s->cost(s, &cost));
	}
	return p;
}

/* a > b > a > b: mutual recursion, and each pair's edge recurs as well. */
static void test_mutual_recursion(void)
{
	static const uint32_t functions[] = { 0, 1, 2, 1, 2 };
	static const uint64_t self[] = { 1, 10, 100, 1000, 10000 };
	static const struct call_costs a = { 2, 1, 1010, 1010, 11110, 11110 };
	static const struct call_costs b = { 2, 1, 10100, 10100, 11100, 11100 };
	static const struct call_costs a_to_b = { 2, 1, 10100, 10100, 11100, 11100 };
	static const struct call_costs b_to_a = { 1, 1, 1000, 1000, 11000, 11000 };
	struct computed c = compute(chain_profile(functions, self, 5, 0, 0), false);

	check_costs(&c.functions.rows[1].costs, &a);
	check_costs(&c.functions.rows[2].costs, &b);
	check_costs(&find_edge(&c, "a", "b")->costs, &a_to_b);
	check_costs(&find_edge(&c, "b", "a")->costs, &b_to_a);
	discard(&c);
}

/* What is below zero is paid by the callers, so the total does not move. */
static void test_debts_move_up(void)
{
	static const uint32_t functions[] = { 0, 1, 2, 3 };
	static const uint64_t self[] = { 1000, 400, 30, 80 };
	struct computed c = compute(chain_profile(functions, self, 4, 90, 10), false);

	CU_ASSERT(c.costs.self[4] == 0);		    /* 80 - 90 = -10 */
	CU_ASSERT(c.costs.self[3] == 0);		    /* 30 - 100 - 10 = -80 */
	CU_ASSERT(c.costs.self[2] == 220);		    /* 400 - 100 - 80 */
	CU_ASSERT(c.costs.self[1] == 990);
	CU_ASSERT(c.costs.clamped == 2 && c.costs.unpaid == 0);
	CU_ASSERT(c.costs.cumulative[0] == 1510 - 3 * 100);
	CU_ASSERT(c.costs.cumulative_raw[0] == 1510);
	discard(&c);
}

static void test_debts_nobody_pays(void)
{
	static const uint32_t functions[] = { 0, 1 };
	static const uint64_t self[] = { 5, 50 };
	struct computed c = compute(chain_profile(functions, self, 2, 90, 10), false);

	CU_ASSERT(c.costs.cumulative[0] == 0);
	CU_ASSERT(c.costs.clamped == 2 && c.costs.unpaid == 45);
	discard(&c);
}

/* A measured overhead may come out below zero where it is next to nothing. */
static void test_negative_overhead(void)
{
	static const uint32_t functions[] = { 0, 1 };
	static const uint64_t self[] = { 5, 50 };
	struct computed c = compute(chain_profile(functions, self, 2, 7, -2), false);

	CU_ASSERT(c.costs.self[1] == 7 && c.costs.self[2] == 43 && !c.costs.clamped);
	discard(&c);
}

/* Without a calibration not one unit may be lost to rounding. */
static void test_large_counts_stay_exact(void)
{
	static const uint32_t functions[] = { 0, 1 };
	static const uint64_t self[] = { 1, (1ull << 60) + 1 };
	struct computed c = compute(chain_profile(functions, self, 2, 0, 0), false);

	CU_ASSERT(c.costs.self[2] == (1ull << 60) + 1);
	CU_ASSERT(c.costs.cumulative[0] == (1ull << 60) + 2);
	discard(&c);
}

static void test_sums_saturate(void)
{
	static const uint32_t functions[] = { 0, 1, 1, 2 };
	static const uint64_t self[] = { UINT64_MAX, UINT64_MAX, UINT64_MAX, 1 };
	struct computed c = compute(chain_profile(functions, self, 4, 1e12, -1e12), false);

	CU_ASSERT(c.costs.cumulative[0] == UINT64_MAX);
	CU_ASSERT(c.functions.rows[1].costs.self == UINT64_MAX);
	discard(&c);
}

/* Merged processes may know one function by two ids. */
static void test_same_function_twice(void)
{
	static const struct sink_function functions[] = {
		{ 1, "f", "C.f", "C", "m", "m.py", "", 1 },
		{ 2, "f", "C.f", "C", "m", "m.py", "", 1 },
		{ 3, "f", "C.f", "C", "m", "m.py", "g", 1 }, /* wraps something */
		{ 4, "f", "C.f", "C", "m", "m.py", "", 2 },  /* another line */
		{ 5, "f", "C.f", "C", "m", "n.py", "", 1 },  /* another file */
	};
	struct profile *p = new_profile();
	struct computed c;

	for (size_t i = 0; i < 5; i++)
		CU_ASSERT_FATAL(!p->sink.function(&p->sink, &functions[i]));
	c = compute(p, false);
	CU_ASSERT_EQUAL(c.functions.row_count, 5);
	CU_ASSERT(c.functions.row_of[1] == 1 && c.functions.row_of[2] == 1);
	CU_ASSERT(c.functions.row_of[3] == 2 && c.functions.row_of[5] == 4);
	CU_ASSERT(c.functions.rows[2].function == 3);
	discard(&c);
}

/* Costs keep coming in while somebody looks. */
static void test_costs_after_a_look(void)
{
	static const uint32_t functions[] = { 0, 1 };
	static const uint64_t self[] = { 5, 50 };
	struct profile *p = chain_profile(functions, self, 2, 0, 0);
	struct sink_node node = { 3, 2, 1, 1 };
	struct sink_cost cost = { 3, 4, 7 };
	struct computed c = compute(p, false);

	forget(&c);
	CU_ASSERT(!p->sink.node(&p->sink, &node) && !p->sink.cost(&p->sink, &cost) &&
		  !p->sink.cost(&p->sink, &cost));
	c = compute(p, false);
	CU_ASSERT(c.functions.rows[1].costs.calls == 9);
	CU_ASSERT(c.functions.rows[1].costs.cumulative == 64);
	discard(&c);
}

/* A hostile or merely proud recursion must not reach the C stack. */
static void test_very_deep(void)
{
	enum { DEPTH = 300000 };
	struct profile *p = new_profile();
	struct sink_process process = { .pid = 1 };
	struct sink_function f = { .id = 1, .qualname = "f" };
	struct computed c;

	CU_ASSERT_FATAL(!p->sink.process(&p->sink, &process) && !p->sink.function(&p->sink, &f));
	for (uint32_t id = 1; id <= DEPTH; id++) {
		struct sink_node node = { id, id - 1, id > 1, 1 };
		struct sink_cost cost = { id, 1, 2 };

		if (p->sink.node(&p->sink, &node) || p->sink.cost(&p->sink, &cost))
			CU_FAIL_FATAL("profile");
	}
	c = compute(p, false);
	CU_ASSERT(c.functions.rows[1].costs.cumulative == 2 * (DEPTH - 1));
	CU_ASSERT(c.functions.rows[1].costs.primitive_calls == 1);
	discard(&c);
}

static void test_empty(void)
{
	struct computed c = compute(new_profile(), false);

	CU_ASSERT(c.functions.row_count == 1 && c.functions.edge_count == 0);
	CU_ASSERT(c.costs.cumulative[0] == 0);
	discard(&c);
}

int suite_costs(void)
{
	CU_TestInfo tests[] = {
		{ "rows of the shop", test_shop_rows },
		{ "edges of the shop", test_shop_edges },
		{ "raw", test_raw },
		{ "mutual recursion", test_mutual_recursion },
		{ "debts move up", test_debts_move_up },
		{ "debts nobody pays", test_debts_nobody_pays },
		{ "searches", test_searches },
		{ "negative overhead", test_negative_overhead },
		{ "large counts stay exact", test_large_counts_stay_exact },
		{ "sums saturate", test_sums_saturate },
		{ "same function twice", test_same_function_twice },
		{ "costs after a look", test_costs_after_a_look },
		{ "very deep", test_very_deep },
		{ "empty", test_empty },
		CU_TEST_INFO_NULL,
	};

	return suite_register("costs", tests);
}
