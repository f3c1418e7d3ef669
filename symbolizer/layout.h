/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layout of each CPython minor's structs: 64-bit little-endian builds with
 * the GIL and without Py_DEBUG.  tests/layout/check.sh compares every number
 * with offsetof() compiled against that minor's own headers.
 */
#ifndef PYCOST_LAYOUT_H
#define PYCOST_LAYOUT_H

#include "bpf/cpython.h"

/* The layout of Python 3.MINOR, static; NULL when it is not known. */
const struct cpython_layout *layout_for(int minor);

#endif
