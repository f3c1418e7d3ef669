/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PYCOST_JIT_H
#define PYCOST_JIT_H

#include <stdbool.h>
#include <sys/types.h>

struct interpreter;

/*
 * Whether a process's interpreter compiles hot code, which passes no probe then: one
 * that has a JIT (3.13 on, Python/pylifecycle.c), switched on by PYTHON_JIT.  pid 0:
 * of a command that we start.  Builds that have it on by default are not told.
 */
bool jit_is_on(const struct interpreter *in, pid_t pid);

#endif
