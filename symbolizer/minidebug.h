/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MiniDebugInfo: the section .gnu_debugdata of a stripped file is an ELF file of
 * its own, packed with xz, with the names that .dynsym has not.
 */
#ifndef PYCOST_MINIDEBUG_H
#define PYCOST_MINIDEBUG_H

#include "symbolizer/elf_file.h"

/*
 * Unpacks it; free(*ret).  -ENOENT when the file has none, -EINVAL when it is
 * damaged, -EFBIG when it is larger than any real one, -ENOMEM.
 */
int minidebug_read(struct elf_file *f, void **ret, size_t *ret_size);

#endif
