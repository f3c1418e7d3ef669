/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "tests/unit/suites.h"
#include "userspace/tally.h"

struct item {
	uint32_t key[2];
	uint64_t value;
};

static const struct tally empty = { .item_size = sizeof(struct item), .key_size = 8 };

static void test_each_once(void)
{
	struct tally t = empty;
	struct item *item;

	for (uint32_t round = 0; round < 3; round++)
		for (uint32_t i = 0; i < 5000; i++) {
			uint32_t key[2] = { i * 2654435761u, i / 7 };

			CU_ASSERT_FATAL(!tally_at(&t, key, &item));
			CU_ASSERT(item->value == round * i && item->key[1] == i / 7);
			item->value += i;
		}
	CU_ASSERT_EQUAL(t.count, 5000);
	CU_ASSERT(((struct item *)t.items)[17].key[1] == 2); /* in the order of coming */
	tally_clear(&t);
}

static void test_find(void)
{
	uint32_t there[2] = { 1, 2 }, absent[2] = { 2, 1 };
	struct tally t = empty;
	struct item *item;

	CU_ASSERT_PTR_NULL(tally_find(&t, there));
	CU_ASSERT_FATAL(!tally_at(&t, there, &item));
	CU_ASSERT_PTR_EQUAL(tally_find(&t, there), item);
	CU_ASSERT_PTR_NULL(tally_find(&t, absent));
	tally_empty(&t);
	CU_ASSERT_PTR_NULL(tally_find(&t, there));
	tally_clear(&t);
	tally_clear(&t);
}

static void test_full(void)
{
	uint32_t keys[3][2] = { { 1 }, { 2 }, { 3 } };
	struct tally t = empty;
	struct item *item;

	t.max = 2;
	CU_ASSERT(!tally_at(&t, keys[0], &item) && !tally_at(&t, keys[1], &item));
	CU_ASSERT(tally_at(&t, keys[2], &item) == -ENOSPC && t.count == 2);
	CU_ASSERT(!tally_at(&t, keys[0], &item) && item->key[0] == 1);
	tally_clear(&t);
}

int suite_tally(void)
{
	CU_TestInfo tests[] = {
		{ "each once", test_each_once },
		{ "find", test_find },
		{ "full", test_full },
		CU_TEST_INFO_NULL,
	};

	return suite_register("tally", tests);
}
