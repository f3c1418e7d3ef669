/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All of them are compared with CPython's own by tests/opcodes/check.sh. */
#include "symbolizer/opcodes.h"
#include "tests/unit/suites.h"

static void check(int minor, unsigned int opcode, const char *name, const char *family)
{
	CU_ASSERT_STRING_EQUAL(opcode_name(minor, opcode), name);
	CU_ASSERT_STRING_EQUAL(opcode_family(minor, opcode), family);
}

static void test_forms(void)
{
	check(6, 80, "BREAK_LOOP", "BREAK_LOOP");
	check(10, 129, "GEN_START", "GEN_START");
	check(11, 44, "LOAD_CONST__LOAD_FAST", "LOAD_CONST");
	check(12, 73, "LOAD_ATTR_INSTANCE_VALUE", "LOAD_ATTR");
	check(12, 254, "INSTRUMENTED_LINE", "INSTRUMENTED_LINE");
	check(15, 249, "INSTRUMENTED_CALL", "CALL");
}

/* What no minor has, and that nothing has but half an entry. */
static void test_bounds(void)
{
	CU_ASSERT_PTR_NULL(opcode_name(5, 1));
	CU_ASSERT_PTR_NULL(opcode_name(16, 1));
	CU_ASSERT_PTR_NULL(opcode_name(-1, 1));
	CU_ASSERT_PTR_NULL(opcode_family(15, 256));
	CU_ASSERT_PTR_NULL(opcode_family(15, 0xffff));
	CU_ASSERT_PTR_NULL(opcode_name(6, 0));
	for (int minor = 6; minor <= 15; minor++)
		for (unsigned int i = 0; i < 256; i++)
			CU_ASSERT(!opcode_name(minor, i) == !opcode_family(minor, i));
}

int suite_opcodes(void)
{
	CU_TestInfo tests[] = {
		{ "forms and families", test_forms },
		{ "bounds", test_bounds },
		CU_TEST_INFO_NULL,
	};

	return suite_register("opcodes", tests);
}
