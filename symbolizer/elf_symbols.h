/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions that an ELF file names, read in small pieces, however large its
 * tables are.
 */
#ifndef PYCOST_ELF_SYMBOLS_H
#define PYCOST_ELF_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/elf_file.h"

struct native_table;

/*
 * Adds the functions of the sections of this type, SHT_SYMTAB or SHT_DYNSYM, to a
 * table; *ret_count is how many were added.  0 also when there is no such
 * section.  -ENOSPC when the table is full, read errors, -ENOMEM.
 */
int elf_symbols_add(struct elf_file *f, uint32_t type, struct native_table *t, size_t *ret_count);

/*
 * Adds foo@plt for each stub through which the file calls a function of another:
 * of x86-64 and arm64, whatever linker laid them out, since the stub's own
 * instructions say which slot it jumps through.
 */
int elf_symbols_add_plt(struct elf_file *f, struct native_table *t);

#endif
