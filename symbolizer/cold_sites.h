/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions of an ELF file that run once in the life of a program, and that a probe
 * may be put on without being met: those that start it, up to the call that never comes
 * back, and those of the file's own beginning and end.
 *
 * They are where the file's header and its dynamic section say, stripped or not:
 * e_entry, DT_INIT and DT_FINI (System V ABI, "Dynamic Linking").
 */
#ifndef PYCOST_COLD_SITES_H
#define PYCOST_COLD_SITES_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/elf_file.h"

#define COLD_SITES_MAX 32

struct cold_sites {
	uint64_t offsets[COLD_SITES_MAX]; /* in the file, each of a whole instruction */
	size_t n;
};

/*
 * None is no error.  Whether a kernel takes an instruction for a uprobe is found out by
 * trying: not all that there are will do.
 */
void cold_sites_find(struct elf_file *f, struct cold_sites *ret);

#endif
