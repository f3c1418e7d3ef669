/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which Python an interpreter's ELF file is. */
#ifndef PYCOST_PYVERSION_H
#define PYCOST_PYVERSION_H

#include <stdbool.h>

#include "symbolizer/elf_file.h"

struct pyversion {
	int major, minor, micro; /* -1: not found */
	bool free_threaded;
};

/*
 * From, in this order: the data of Py_Version (Include/pylifecycle.h, 3.11+),
 * the file's soname, the name in path; then micro from the version string that
 * Py_GetVersion() prints.  Free-threaded: _Py_DebugOffsets.free_threaded at the
 * head of _PyRuntime (Include/internal/pycore_debug_offsets.h, 3.13+), else the
 * "t" of the name.
 */
struct pyversion pyversion_read(struct elf_file *f, const char *path);

#endif
