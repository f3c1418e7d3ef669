/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PYCOST_PYTHON_PATH_H
#define PYCOST_PYTHON_PATH_H

#include <sys/types.h>

struct interpreter;

/*
 * Path, in the root of pid (0: our own), of a python that runs this interpreter;
 * NULL when none is known (an embedded interpreter).  Caller frees.
 */
char *python_path(const struct interpreter *in, pid_t pid);

#endif
