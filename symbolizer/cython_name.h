/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Python names from the C functions that Cython makes of them.  Checked against
 * Cython 0.29.32's output and Cython/Compiler/Naming.py, Symtab.py (Scope,
 * mangle(), next_id()) and Nodes.py of 3.x: a prefix, a scope for each package,
 * module, class or enclosing function ("3Cls_": length, name, underscore), then
 * for Python functions a counter that tells equal names of one scope apart, then
 * the name:
 *
 *   __pyx_pw_5mypkg_3mod_3Cls_1run   mypkg.mod.Cls.run
 *
 * "f" (cdef functions and cpdef's C side), "api_f", "pw" (the wrapper that Python
 * calls), "pf" (its body), "gb" (a generator's body: Cython does not write the
 * generator's name into it, so it is called <generatorN>; but see below), "getprop", "setprop",
 * "tp_SLOT" (Cls.tp_SLOT), and "fuse_N" before any of them.
 *
 * Nothing tells a class from an enclosing function, so there is no "<locals>".
 * A body's counter followed by a name such as "abc_x" can read as a scope; where
 * both readings fit, it is taken as the scope, but in "pw", where a counter must
 * follow, as the counter.
 */
#ifndef PYCOST_CYTHON_NAME_H
#define PYCOST_CYTHON_NAME_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes the dotted name, terminated.  -ENOENT when Cython made no such symbol
 * of a Python name (or of one that is not ASCII); -ENAMETOOLONG when out is too
 * small.  out is untouched then.
 */
int cython_name(const char *symbol, char *out, size_t len);

/*
 * Whether symbol is the function that makes the generators which run in body
 * ("gb"): in its scope, the wrapper that was counted just before it, or the body
 * of that.
 */
bool cython_makes_generator(const char *symbol, const char *body);

#endif
