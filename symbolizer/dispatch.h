/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of opcode handlers of an interpreter, found without symbols:
 * opcode_targets of Python/opcode_targets.h, 256 pointers into .text, with the
 * same one for each number that is no opcode.  Of builds with computed gotos
 * (the default of gcc and clang), and of those with tail calls, where the
 * pointers are to functions.
 */
#ifndef PYCOST_DISPATCH_H
#define PYCOST_DISPATCH_H

#include <stdint.h>

#include "symbolizer/elf_file.h"
#include "symbolizer/eval_opcodes.h"

#define DISPATCH_SIZE 256

struct dispatch {
	uint64_t vaddr;			 /* of the table */
	uint64_t unknown;		 /* the handler of what is no opcode */
	uint64_t targets[DISPATCH_SIZE]; /* vaddrs in .text */
};

/*
 * -ENOENT: no table that fits the opcodes; -EEXIST: more than one.  A second
 * table for the JIT's tracing, as 3.15 has, does not fit.
 */
int dispatch_find(struct elf_file *f, const struct eval_opcodes *ops, struct dispatch *ret);

#endif
