/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The separate file with what was stripped from another. */
#ifndef PYCOST_DEBUG_FILE_H
#define PYCOST_DEBUG_FILE_H

#include "symbolizer/elf_file.h"
#include "symbolizer/rootfs.h"

/*
 * Looks where distributions put them, in one root: by the build-id, then by the
 * name in .gnu_debuglink, beside the file (path, as that root calls it), below
 * it in .debug and below /usr/lib/debug.  Only a file that has the same build-id,
 * or, where there is none, the checksum that the link wants, is taken.
 * *ret belongs to the caller.  -ENOENT: none found.
 */
int debug_file_find(const struct rootfs *fs, struct elf_file *f, const char *path,
		    struct elf_file **ret);

/* One that somebody else found; -ESTALE when it is not f's. */
int debug_file_open(int fd, struct elf_file *f, struct elf_file **ret);

#endif
