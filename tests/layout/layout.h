/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of this check share. */
#ifndef PYCOST_TESTS_LAYOUT_H
#define PYCOST_TESTS_LAYOUT_H

#include "bpf/cpython.h"

/* A difference is printed and fails the check. */
void compare(const char *what, unsigned long ours, unsigned long theirs);

/* runtime.c: threads, interpreters, generators, asyncio */
void compare_runtime(const struct cpython_runtime *r);

/* debug.c: which word of _Py_DebugOffsets is what; nothing before 3.13 */
void compare_debug_offsets(void);

#endif
