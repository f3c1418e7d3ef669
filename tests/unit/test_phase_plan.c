/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>

#include "tests/unit/suites.h"
#include "userspace/phase_plan.h"

#define MS 1000000ull
#define HALF (1u << 31)

static uint64_t noise(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 32;
}

/*
 * Phases of half a second of what costs `share` of one CPU's time, on `cpus` that are
 * taken by so much of the time: what all of it costs of what it may be a share of.
 */
static double watched(unsigned budget, double share, double cpus, double *ret_watched)
{
	struct phase_plan p;
	uint64_t state = 7, all = 0, watched_ns = 0, gap;
	double cost = 0;

	phase_plan_init(&p, budget);
	while (all < 2000000 * MS) {
		phase_plan_earn(&p, 500 * MS, 500 * MS * cpus);
		phase_plan_spend(&p, share * 500 * MS);
		cost += share * 500 * MS;
		watched_ns += 500 * MS;
		gap = phase_plan_gap(&p, noise(&state));
		phase_plan_earn(&p, gap, gap * cpus);
		all += 500 * MS + gap;
	}
	*ret_watched = (double)watched_ns / all;
	return cost / (all * fmax(cpus, 0.5));
}

static void test_budget(void)
{
	double part, cost = watched(100, 0.07, 1, &part);

	/* A saturated worker of short requests: a seventh of the time. */
	CU_ASSERT(fabs(cost - 0.01) < 0.0005 && fabs(part - 1.0 / 7) < 0.007);
	/* Eight of them, which cost eight times as much, are watched as often. */
	cost = watched(100, 8 * 0.07, 8, &part);
	CU_ASSERT(fabs(cost - 0.01) < 0.0005 && fabs(part - 1.0 / 7) < 0.007);
	/* Ten times the budget: always, and for less. */
	cost = watched(1000, 0.07, 1, &part);
	CU_ASSERT(part == 1 && fabs(cost - 0.07) < 0.0001);
	/* One that waits for a third of the time: it is of what it takes. */
	cost = watched(100, 0.67 * 0.07, 0.67, &part);
	CU_ASSERT(fabs(cost - 0.01) < 0.0005 && fabs(part - 1.0 / 7) < 0.007);
	/* One that is mostly idle: always, as it is of half a CPU's that it may be 1 %. */
	cost = watched(100, 0.05 * 0.07, 0.05, &part);
	CU_ASSERT(part == 1 && fabs(cost - 0.007) < 0.0001);
	/* Dear beyond all measure: rarely, but yet. */
	cost = watched(1, 2, 0.5, &part);
	CU_ASSERT(part > 0 && part < 0.01);
}

static void test_gap(void)
{
	struct phase_plan p;

	phase_plan_init(&p, 100);
	CU_ASSERT(!phase_plan_gap(&p, HALF));
	phase_plan_spend(&p, 10 * MS);
	/* Two hundred times what is owed, more or less. */
	CU_ASSERT(phase_plan_gap(&p, HALF) == 2000 * MS);
	CU_ASSERT(phase_plan_gap(&p, 0) == 1000 * MS);
	CU_ASSERT(phase_plan_gap(&p, UINT32_MAX) > 2999 * MS);
	phase_plan_earn(&p, 2000 * MS, 0);
	CU_ASSERT(!phase_plan_gap(&p, HALF));
	/* So little that it is not worth to let go. */
	phase_plan_spend(&p, 1 * MS);
	CU_ASSERT(!phase_plan_gap(&p, HALF));
	phase_plan_earn(&p, 0, 5000 * MS); /* no time, no rate */
	CU_ASSERT(p.rate == 0.5);
}

/* Who was idle for a day has no more to spend then than after ten seconds. */
static void test_savings(void)
{
	struct phase_plan p;

	phase_plan_init(&p, 100);
	phase_plan_earn(&p, 86400000 * MS, 0);
	phase_plan_spend(&p, 50 * MS);
	CU_ASSERT(!phase_plan_gap(&p, HALF));
	phase_plan_spend(&p, 10 * MS);
	CU_ASSERT(phase_plan_gap(&p, HALF) == 2000 * MS);
}

static void test_option(void)
{
	CU_ASSERT(budget_parse("1") == 100 && budget_parse("0.01") == 1);
	CU_ASSERT(budget_parse("0.29") == 29 && budget_parse("100") == BUDGET_UNIT);
	CU_ASSERT(!budget_parse("0") && !budget_parse("100.1") && !budget_parse("-1"));
	CU_ASSERT(!budget_parse("") && !budget_parse("1%") && !budget_parse("nan"));
}

int suite_phase_plan(void)
{
	CU_TestInfo tests[] = {
		{ "what is spent is the budget", test_budget },
		{ "what is owed is waited for", test_gap },
		{ "savings", test_savings },
		{ "the option", test_option },
		CU_TEST_INFO_NULL,
	};

	return suite_register("phase plan", tests);
}
