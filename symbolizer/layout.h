/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layout of each CPython minor's structs: 64-bit little-endian builds
 * without Py_DEBUG.  tests/layout/check.sh compares every number
 * with offsetof() compiled against that minor's own headers.
 */
#ifndef PYCOST_LAYOUT_H
#define PYCOST_LAYOUT_H

#include <stdbool.h>

#include "bpf/cpython.h"

/* The layout of Python 3.MINOR, static; NULL when it is not known.  Free-threaded from 3.13. */
const struct cpython_layout *layout_for_build(int minor, bool free_threaded);
/* The same of a build with the GIL. */
const struct cpython_layout *layout_for(int minor);

/* How its threads' states are found, likewise. */
const struct cpython_runtime *runtime_for(int minor, bool free_threaded);

#endif
