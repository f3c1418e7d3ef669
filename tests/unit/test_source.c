/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which tables a stretch of time is read from; and the sets that the store is helped by. */
#include <errno.h>
#include <string.h>

#include "tests/unit/suites.h"
#include "userspace/store/id_set.h"
#include "userspace/store/ledger_filter.h"
#include "userspace/store/source.h"

#define HOUR 3600ull
#define DAY 86400ull

static bool is(const struct store_piece *p, uint32_t step, uint64_t since, uint64_t until)
{
	return p->step_s == step && p->since == since && p->until == until;
}

/* Days 1 to 4; the last hour of day 3 and day 3 itself have something new. */
static void test_pieces(void)
{
	uint64_t hours[] = { 3 * DAY + 23 * HOUR }, days[] = { 3 * DAY };
	const struct store_buckets b = { .hours = hours, .hour_count = 1, .days = days, .day_count = 1 };
	struct store_source s;

	CU_ASSERT(!source_choose(&b, DAY - 90, 4 * DAY + HOUR + 61, 86400, false, &s));
	CU_ASSERT(s.step_s == 86400 && s.since == DAY - 120 && s.until == 4 * DAY + HOUR + 120);
	CU_ASSERT_FATAL(!source_cut(&b, &s) && s.piece_count == 6);
	CU_ASSERT(is(&s.pieces[0], 60, DAY - 120, DAY));
	CU_ASSERT(is(&s.pieces[1], 86400, DAY, 3 * DAY));
	CU_ASSERT(is(&s.pieces[2], 3600, 3 * DAY, 3 * DAY + 23 * HOUR));
	CU_ASSERT(is(&s.pieces[3], 60, 3 * DAY + 23 * HOUR, 4 * DAY));
	CU_ASSERT(is(&s.pieces[4], 3600, 4 * DAY, 4 * DAY + HOUR));
	CU_ASSERT(is(&s.pieces[5], 60, 4 * DAY + HOUR, s.until));
	CU_ASSERT(!source_choose(&b, DAY, 2 * DAY, 300, false, &s) && s.step_s == 60);
	CU_ASSERT(!source_cut(&b, &s) && s.piece_count == 1 && is(&s.pieces[0], 60, DAY, 2 * DAY));
}

static void test_steps(void)
{
	const struct store_buckets b = { .minutes_from = 10 * DAY, .hours_from = 5 * DAY };
	struct store_source s;

	CU_ASSERT(!source_choose(&b, 11 * DAY, 11 * DAY + HOUR, 0, false, &s) && s.step_s == 60);
	CU_ASSERT(!source_choose(&b, 11 * DAY, 12 * DAY, 0, false, &s) && s.step_s == 3600);
	CU_ASSERT(!source_choose(&b, 11 * DAY, 31 * DAY, 0, false, &s) && s.step_s == 86400);
	CU_ASSERT(!source_choose(&b, 11 * DAY, 31 * DAY, 7200, false, &s) && s.step_s == 3600);
	CU_ASSERT(!source_choose(&b, 11 * DAY, 31 * DAY, 7 * 86400, false, &s) && s.step_s == 86400);
	CU_ASSERT(!source_choose(&b, 11 * DAY, 31 * DAY, 0, true, &s) && s.step_s == 60);
	/* Where less is kept: longer steps, or none. */
	CU_ASSERT(!source_choose(&b, 7 * DAY + 60, 7 * DAY + 120, 0, false, &s));
	CU_ASSERT(s.step_s == 3600 && s.since == 7 * DAY && s.until == 7 * DAY + HOUR);
	CU_ASSERT(!source_choose(&b, DAY + 60, DAY + 120, 0, false, &s));
	CU_ASSERT(s.step_s == 86400 && s.since == DAY && s.until == 2 * DAY);
	CU_ASSERT(source_choose(&b, 7 * DAY, 8 * DAY, 60, false, &s) == -ERANGE);
	CU_ASSERT(source_choose(&b, 7 * DAY, 8 * DAY, 86400, true, &s) == -ERANGE);
	CU_ASSERT(source_choose(&b, DAY, 8 * DAY, 3600, false, &s) == -ERANGE && s.step_s == 3600);
}

static void test_too_many_pieces(void)
{
	uint64_t hours[STORE_PIECES_MAX];
	struct store_buckets b = { .hours = hours, .hour_count = STORE_PIECES_MAX };
	struct store_source s;

	for (uint64_t i = 0; i < STORE_PIECES_MAX; i++)
		hours[i] = 2 * i * HOUR;
	CU_ASSERT(!source_choose(&b, 0, 2 * STORE_PIECES_MAX * HOUR, 3600, false, &s));
	CU_ASSERT(source_cut(&b, &s) == -EAGAIN);
	CU_ASSERT(!source_choose(&b, 50, 50, 3600, false, &s) && !source_cut(&b, &s));
}

static void test_id_set(void)
{
	struct id_set s = { 0 }, other = { 0 };

	for (uint64_t i = 1; i <= 5000; i++)
		CU_ASSERT(id_set_add(&s, i << (i % 50)) >= 0);
	CU_ASSERT(id_set_add(&s, 0) == 0 && !id_set_has(&s, 0));
	id_set_empty(&s);
	for (uint64_t i = 1; i <= 5000; i++)
		CU_ASSERT(id_set_add(&s, i * 1024) == 1 && id_set_add(&s, i * 1024) == 0);
	for (uint64_t i = 1; i <= 5000; i += 2)
		id_set_remove(&s, i * 1024);
	id_set_remove(&s, 77);
	CU_ASSERT(s.count == 2500);
	for (uint64_t i = 1; i <= 5000; i++)
		CU_ASSERT(id_set_has(&s, i * 1024) == (i % 2 == 0));
	CU_ASSERT(id_set_add(&other, 3) == 1 && !id_set_join(&other, &s) && other.count == 2501);
	id_set_free(&s);
	id_set_free(&other);
}

/* None that was added is denied, and few others are taken for one: even of poor ids. */
static void test_ledger_filter(void)
{
	for (int poor = 0; poor < 2; poor++) {
		struct ledger_filter f = { 0 };
		unsigned int wrong = 0;

		CU_ASSERT_FATAL(!ledger_filter_make(&f, 20000));
		for (uint64_t i = 0; i < 40000; i++) {
			struct batch_halves id = { i << 32, i % 1440 };

			if (!poor)
				id = (struct batch_halves){ i * 0x9e3779b97f4a7c15ull,
							    i * 0xd1b54a32d192ed03ull };
			if (i < 20000)
				ledger_filter_add(&f, id);
			if (i < 20000)
				CU_ASSERT(ledger_filter_may_have(&f, id));
			wrong += i >= 20000 && ledger_filter_may_have(&f, id);
		}
		CU_ASSERT(wrong < 400);
		ledger_filter_free(&f);
	}
}

int suite_source(void)
{
	CU_TestInfo tests[] = {
		{ "days, hours and minutes of a stretch", test_pieces },
		{ "which steps there are", test_steps },
		{ "more pieces than are wanted", test_too_many_pieces },
		{ "sets of ids", test_id_set },
		{ "batches that are surely new", test_ledger_filter },
		CU_TEST_INFO_NULL,
	};

	return suite_register("source", tests);
}
