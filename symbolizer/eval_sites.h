/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where uprobes see every entry and return of a Python function, in an
 * interpreter that has no live function probes of its own.
 *
 * From 3.11 on Python calls Python without a C call, so the places are in the
 * handlers of the opcodes that begin and end a function: every function starts
 * with RESUME, and has one after each yield.
 */
#ifndef PYCOST_EVAL_SITES_H
#define PYCOST_EVAL_SITES_H

#include "symbolizer/elf_file.h"
#include "symbolizer/interpreter.h"

/*
 * Puts them into in->entries and in->returns, in place of what was there; the
 * machine and the version must be known.  NULL when both are complete; else one
 * plain sentence that says what was not found (static), and nothing is changed.
 * *ret_err is 0 or -ENOMEM.
 */
const char *eval_sites_find(struct elf_file *f, struct interpreter *in, int *ret_err);

#endif
