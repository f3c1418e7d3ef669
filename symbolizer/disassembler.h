/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instructions of an ELF file's .text, one at a time, decoded by capstone:
 * what it takes to find a place for a probe, and no more.
 */
#ifndef PYCOST_DISASSEMBLER_H
#define PYCOST_DISASSEMBLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/elf_file.h"

enum insn_kind {
	INSN_PLAIN = 0, /* goes on with the next one; a push and a nop too */
	INSN_JUMP,	/* direct, always taken */
	INSN_BRANCH,	/* direct, taken or not */
	INSN_CALL,	/* direct */
	INSN_INDIRECT,	/* jump through a register or memory */
	INSN_RETURN,
	INSN_STOP, /* does not go on: ud2, hlt, int3 */
};

#define INSN_NO_REG 0xff
#define INSN_NAME_SIZE 24

struct insn {
	uint64_t vaddr;
	unsigned size;
	enum insn_kind kind;
	char name[INSN_NAME_SIZE]; /* "jne" */
	/*
	 * The kernel does what it does instead of stepping over a copy of it:
	 * branch_setup_xol_ops() and push_setup_xol_ops() of
	 * arch/x86/kernel/uprobes.c, as of Linux 5.10.  Later kernels know more
	 * (longer nops); none knows less.
	 */
	bool emulated;
	bool landing_pad;   /* endbr64 */
	uint64_t target;    /* of a direct jump, branch or call */
	bool sets_flags;    /* changes the condition codes */
	uint32_t writes;    /* registers that it changes: 1 << enum usdt_reg */
	bool calls;	    /* through a register or memory */
	/* A register is copied from another, 4 or 8 bytes of it; or INSN_NO_REG. */
	uint8_t copy_to, copy_from, copy_size;
	/* A whole register is loaded from load_base + load_at; or INSN_NO_REG. */
	uint8_t load_to;
	uint8_t load_base;
	int64_t load_at;
	/* What is at test_base + test_at is compared with 0; or INSN_NO_REG. */
	uint8_t test_base, test_size;
	int64_t test_at;
	uint8_t test_reg; /* a register is compared with 0; or INSN_NO_REG */
	/* What it stores at store_base + store_at; INSN_NO_REG: it does not store like this. */
	uint8_t store_base;
	uint8_t store_reg; /* INSN_NO_REG: no register */
	uint8_t store_size;
	int64_t store_at;
};

struct disassembler;

/*
 * Of the file's .text, which must stay open.  -ENOENT: it has none;
 * -EOPNOTSUPP: of a machine whose instructions are not looked at here.
 */
int disassembler_open(struct elf_file *f, struct disassembler **ret);
void disassembler_close(struct disassembler *d);

/* False outside of .text, and for bytes that are no instruction. */
bool disassembler_at(struct disassembler *d, uint64_t vaddr, struct insn *ret);
/* .text itself; its data is the elf_file's. */
const struct elf_section *disassembler_text(const struct disassembler *d);

#endif
