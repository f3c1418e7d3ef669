/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/strpool.h"

static void test_same_pointer(void)
{
	struct strpool *p = strpool_new(1 << 20);
	char name[32];
	const char *first = strpool_intern(p, "function 0");

	CU_ASSERT_STRING_EQUAL_FATAL(first, "function 0");
	for (int i = 0; i < 5000; i++) { /* through several growths of the table */
		snprintf(name, sizeof(name), "function %d", i);
		CU_ASSERT_STRING_EQUAL(strpool_intern(p, name), name);
	}
	CU_ASSERT_PTR_EQUAL(strpool_intern(p, "function 0"), first);
	CU_ASSERT_STRING_EQUAL(strpool_intern(p, ""), "");
	strpool_free(p);
}

static void test_bound(void)
{
	struct strpool *p = strpool_new(100 * 1000);
	char *large = malloc(90 * 1000);
	const char *small;

	memset(large, 'x', 90 * 1000 - 1);
	large[90 * 1000 - 1] = 0;
	small = strpool_intern(p, "small");
	CU_ASSERT_STRING_EQUAL(strpool_intern(p, large), large); /* larger than a block */
	large[0] = 'y';
	CU_ASSERT_PTR_NULL(strpool_intern(p, large));
	CU_ASSERT_PTR_EQUAL(strpool_intern(p, "small"), small);
	free(large);
	strpool_free(p);
}

int suite_strpool(void)
{
	CU_pSuite s = CU_add_suite("strpool", NULL, NULL);

	return !s || !CU_ADD_TEST(s, test_same_pointer) || !CU_ADD_TEST(s, test_bound);
}
