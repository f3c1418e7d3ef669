/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "tests/unit/suites.h"
#include "userspace/store/rows.h"

/* Two hosts of one service, and what both tell of one function. */
static const struct batch_tag tags[2][3] = {
	{ { "host", "a" }, { "metric", "task-clock" }, { "service", "s" } },
	{ { "host", "b" }, { "metric", "task-clock" }, { "service", "s" } },
};

struct host {
	struct batch_slice slice;
	struct batch_cost costs[2];
	struct batch_register registers[1];
	struct batch_users users;
	struct batch_counter counter;
	struct batch batch;
};

static void host_init(struct host *h, int number, uint64_t begin_s)
{
	h->slice = (struct batch_slice){ .id = 10 + number, .fleet = 5, .tags = tags[number],
					 .tag_count = 3 };
	h->costs[0] = (struct batch_cost){ .function = 77, .samples = 1 + number, .self = 10,
					   .cumulative = 100 };
	h->costs[1] = (struct batch_cost){ .function = 70 + number, .samples = 4 };
	h->registers[0] = (struct batch_register){ 9, 3 + number };
	h->users = (struct batch_users){ .registers = h->registers, .register_count = 1 };
	h->counter = (struct batch_counter){ .name = "loss.nodes", .value = 1 };
	h->batch = (struct batch){ .begin_s = begin_s, .slices = &h->slice, .slice_count = 1,
				   .costs = h->costs, .cost_count = 2, .users = &h->users,
				   .user_count = 1, .counters = &h->counter, .counter_count = 1 };
}

struct seen {
	struct store_value rows[16][16];
	size_t count;
};

static int see(void *arg, const struct store_value *values, size_t count)
{
	struct seen *s = arg;

	CU_ASSERT_FATAL(s->count < 16 && count <= 16);
	memcpy(s->rows[s->count++], values, count * sizeof(*values));
	return 0;
}

static struct seen group(enum store_fact fact, uint64_t second_begin_s)
{
	struct host a, b;
	const struct batch *const both[] = { &a.batch, &b.batch };
	struct seen s = { .count = 0 };

	host_init(&a, 0, 600);
	host_init(&b, 1, second_begin_s);
	CU_ASSERT_FATAL(!rows_of_group(both, 2, 42, fact, see, &s));
	return s;
}

static void test_costs_are_added_over_hosts(void)
{
	struct seen s = group(FACT_COSTS, 600);
	const struct store_value *first = s.rows[0];

	CU_ASSERT_EQUAL(s.count, 3);
	CU_ASSERT(first[0].u64 == 42 && first[1].u64 == 600 && first[2].u64 == 5 &&
		  first[3].u64 == 5 && first[4].u64 == 77);
	/* minutes, calls, samples, self, cumulative, their squares */
	CU_ASSERT(first[5].u64 == 2 && first[6].u64 == 0 && first[7].u64 == 3);
	CU_ASSERT(first[8].f64 == 20 && first[9].f64 == 200 && first[10].f64 == 200 &&
		  first[11].f64 == 20000);
}

static void test_minutes_stay_apart(void)
{
	struct seen s = group(FACT_COSTS, 660);

	CU_ASSERT_EQUAL(s.count, 4);
	CU_ASSERT(s.rows[2][1].u64 == 660 && s.rows[2][5].u64 == 1);
}

static void test_registers_are_the_greatest(void)
{
	struct seen s = group(FACT_USERS, 600);

	CU_ASSERT_EQUAL(s.count, 1);
	CU_ASSERT(s.rows[0][4].u64 == 9 && s.rows[0][5].u64 == 4);
}

static void test_counters_keep_their_host(void)
{
	struct seen s = group(FACT_COUNTERS, 600);

	CU_ASSERT_EQUAL(s.count, 2);
	CU_ASSERT(s.rows[0][2].u64 == 10 && s.rows[1][2].u64 == 11 && s.rows[1][3].u64 == 5);
}

int suite_rows_group(void)
{
	CU_TestInfo tests[] = {
		{ "costs of a function are added up over hosts", test_costs_are_added_over_hosts },
		{ "minutes stay apart", test_minutes_stay_apart },
		{ "of users' registers the greatest", test_registers_are_the_greatest },
		{ "counters keep their host", test_counters_keep_their_host },
		CU_TEST_INFO_NULL,
	};

	return suite_register("rows_group", tests);
}
