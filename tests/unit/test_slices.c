/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/suites.h"
#include "userspace/fleet/slices.h"

static const struct slices_limits limits = { .slices = 20, .values = 5, .endpoints = 10 };

static uint32_t slice_of(struct slices *s, const char *endpoint, const char *tenant)
{
	struct slice_tags t = { .count = 0 };
	uint32_t slice = UINT32_MAX;

	slice_tags_set(&t, "tenant", tenant);
	slice_tags_set(&t, "service", "shop");
	slice_tags_set(&t, "metric", "task-clock");
	slice_tags_set(&t, "endpoint", endpoint);
	CU_ASSERT(!slices_at(s, &t, &slice));
	return slice;
}

static const char *tag_of(const struct slices *s, uint32_t slice, const char *key)
{
	return batch_slice_tag(slices_get(s, slice), key);
}

static void test_order(void)
{
	struct slice_tags t = { .count = 0 };

	slice_tags_set(&t, "b", "1");
	slice_tags_set(&t, "c", "2");
	slice_tags_set(&t, "a", "3");
	slice_tags_set(&t, "b", "4");
	slice_tags_default(&t, "a", "5");
	slice_tags_default(&t, "d", "6");
	slice_tags_set(&t, "", "7");
	CU_ASSERT_FATAL(t.count == 4 && t.beyond == 1);
	for (int i = 0; i < 4; i++)
		CU_ASSERT(t.tags[i].key[0] == 'a' + i && t.tags[i].value[0] == "3426"[i]);
	CU_ASSERT_PTR_NULL(slice_tags_get(&t, "e"));
}

static void test_values(void)
{
	struct slices *s;
	char tenant[16];
	uint32_t slice;

	CU_ASSERT_FATAL(!slices_new(&limits, &s));
	for (int i = 0; i < 100; i++) {
		snprintf(tenant, sizeof(tenant), "t%d", i);
		slice = slice_of(s, "/", tenant);
		CU_ASSERT_STRING_EQUAL(tag_of(s, slice, "tenant"), i < 5 ? tenant : SLICE_OTHER);
		CU_ASSERT(slices_is_cut(s, slice, 3) == (i >= 5) && !slices_is_cut(s, slice, 0));
	}
	CU_ASSERT_EQUAL(slices_count(s), 6);
	CU_ASSERT_STRING_EQUAL(tag_of(s, slice_of(s, "/", "t3"), "tenant"), "t3");
	CU_ASSERT_STRING_EQUAL(tag_of(s, slice_of(s, "/", ""), "tenant"), "");
	slices_free(s);
}

static void test_slices(void)
{
	struct slices *s;
	char endpoint[16], tenant[16];
	uint32_t slice = 0;

	CU_ASSERT_FATAL(!slices_new(&limits, &s));
	for (int i = 0; i < 100; i++) {
		snprintf(endpoint, sizeof(endpoint), "/%d", i / 10);
		snprintf(tenant, sizeof(tenant), "t%d", i % 10 / 2);
		slice = slice_of(s, endpoint, tenant);
		CU_ASSERT_STRING_EQUAL(tag_of(s, slice, "service"), "shop");
	}
	CU_ASSERT_EQUAL(slices_count(s), 21);
	CU_ASSERT_STRING_EQUAL(tag_of(s, slice, "endpoint"), SLICE_OTHER);
	CU_ASSERT_STRING_EQUAL(tag_of(s, slice, "tenant"), SLICE_OTHER);
	CU_ASSERT_STRING_EQUAL(tag_of(s, slice_of(s, "/0", "t1"), "endpoint"), "/0");
	slices_free(s);
}

/* Texts that are no names, and keys that they make alike. */
static void test_texts(void)
{
	char longer[3000];
	struct slice_tags t = { .count = 0 };
	const struct batch_slice *made;
	struct slices *s;
	uint32_t slice;

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	CU_ASSERT_FATAL(!slices_new(&limits, &s));
	slice_tags_set(&t, "metric", "task-clock");
	CU_ASSERT(slices_at(s, &t, &slice) == -ENODATA);
	slice_tags_set(&t, "service", longer);
	slice_tags_set(&t, "a\x01", "1");
	slice_tags_set(&t, "a\x02", "2");
	CU_ASSERT_FATAL(!slices_at(s, &t, &slice));
	made = slices_get(s, slice);
	CU_ASSERT(made->tag_count == 3 && strlen(made->tags[2].value) == BATCH_TEXT_MAX);
	CU_ASSERT(made->id == batch_slice_id(made->tags, 3, NULL));
	slices_free(s);
}

int suite_slices(void)
{
	static CU_TestInfo tests[] = {
		{ "tags in order", test_order },
		{ "too many values", test_values },
		{ "too many slices", test_slices },
		{ "texts", test_texts },
		CU_TEST_INFO_NULL,
	};

	return suite_register("slices", tests);
}
