/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <CUnit/CUnit.h>

#include "symbolizer/layout.h"

static void test_known_minors(void)
{
	for (int minor = 6; minor <= 15; minor++) {
		const struct cpython_layout *l = layout_for(minor);

		CU_ASSERT_PTR_NOT_NULL_FATAL(l);
		CU_ASSERT_EQUAL(l->minor, minor);
		/* A row left half empty would read the object's head. */
		CU_ASSERT(l->code_name >= 16 && l->code_filename >= 16 && l->code_flags >= 16);
		CU_ASSERT(l->frame_locals >= 16 && l->tuple_items >= 16 && l->cell_ref >= 16);
		CU_ASSERT_EQUAL(l->code_qualname == PY_NONE, minor < 11);
		CU_ASSERT_EQUAL(l->frame_func == PY_NONE, minor < 11);
		CU_ASSERT_EQUAL(l->code_cellvars == PY_NONE, minor >= 11);
	}
}

static void test_unknown_minors(void)
{
	CU_ASSERT_PTR_NULL(layout_for(5));
	CU_ASSERT_PTR_NULL(layout_for(16));
	CU_ASSERT_PTR_NULL(layout_for(-1));
}

int suite_layout(void)
{
	CU_pSuite s = CU_add_suite("layout", NULL, NULL);

	return !s || !CU_ADD_TEST(s, test_known_minors) || !CU_ADD_TEST(s, test_unknown_minors);
}
