/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PYCOST_TESTS_SUITES_H
#define PYCOST_TESTS_SUITES_H

#define SUITE(name) int suite_##name(void);
#include "tests/unit/suites.list"
#undef SUITE

#endif
