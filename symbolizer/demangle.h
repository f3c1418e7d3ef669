/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of C++, Rust and Cython functions as their authors wrote them. */
#ifndef PYCOST_DEMANGLE_H
#define PYCOST_DEMANGLE_H

#include <stddef.h>

/*
 * Writes the readable name, without parameters, terminated.  -ENOENT when the
 * symbol is no mangled name, or one that is damaged or would not fit: then the
 * symbol itself is the best there is.
 */
int demangle(const char *symbol, char *out, size_t len);

#endif
