/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module that a code object's file is. */
#ifndef PYCOST_PYMODULE_H
#define PYCOST_PYMODULE_H

#include <stddef.h>

#include "symbolizer/rootfs.h"

/*
 * The dotted module name for a co_filename: what follows site-packages,
 * dist-packages or a zip file or egg, else the file's stem below all the
 * directories that are packages (have an __init__.py).
 * "<frozen importlib._bootstrap>" is importlib._bootstrap; other names in angle
 * brackets stay as they are.  A script is called by its stem: that it runs as
 * __main__ cannot be told from a path.
 * -ENAMETOOLONG; -EINVAL for an empty name.
 */
int pymodule_name(const struct rootfs *fs, const char *filename, char *ret, size_t size);

#endif
