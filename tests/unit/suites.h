/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PYCOST_TESTS_SUITES_H
#define PYCOST_TESTS_SUITES_H

#include <CUnit/Basic.h>

#define SUITE(name) int suite_##name(void);
#include "tests/unit/suites.list"
#undef SUITE

/* Tests end with CU_TEST_INFO_NULL. */
static inline int suite_register(const char *name, CU_TestInfo *tests)
{
	CU_SuiteInfo suites[] = {
		{ name, NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};

	return CU_register_suites(suites);
}

#endif
