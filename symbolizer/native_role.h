/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the interpreter does in one of its own C functions, from the function's
 * name.  Names are those of CPython 3.6 to 3.15: Modules/gcmodule.c (to 3.12),
 * Python/gc.c and Python/gc_free_threading.c (from 3.13), Python/ceval_gil.h (to
 * 3.11) and Python/ceval_gil.c, Python/ceval.c, Python/pystate.c.
 */
#ifndef PYCOST_NATIVE_ROLE_H
#define PYCOST_NATIVE_ROLE_H

enum native_role {
	ROLE_NONE,
	ROLE_GIL,  /* takes, gives or waits for the GIL or the right to run */
	ROLE_GC,   /* a collection of cycles */
	ROLE_EVAL, /* the loop that runs bytecode */
};

/*
 * A symbol of the interpreter's executable or libpython, as its file spells it;
 * compilers' suffixes (".cold", ".constprop.0") do not matter.  Ask of no other
 * object: names such as "collect" or "drop_gil" are free for all.  Most of them
 * are static, so a stripped interpreter has but few.
 */
enum native_role native_role(const char *symbol);

#endif
