/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layout of each CPython minor's structs: 64-bit little-endian builds without
 * Py_DEBUG, with the GIL and free-threaded.  tests/layout/check.sh compares every
 * number with offsetof() compiled against that minor's own headers.
 */
#ifndef PYCOST_LAYOUT_H
#define PYCOST_LAYOUT_H

#include <stdbool.h>

#include "bpf/cpython.h"

/*
 * The tables of Python 3.MINOR, 6 to 15, free-threaded from 13 on.  Static; NULL
 * when it is not known.  What a file tells of itself is better: layout_read.h.
 */
const struct cpython_layout *layout_of(int minor, bool free_threaded);
const struct cpython_runtime *runtime_of(int minor, bool free_threaded);

/* The same of the build with the GIL. */
const struct cpython_layout *layout_for(int minor);

#endif
