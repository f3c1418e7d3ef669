/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The argument specifications of a USDT probe, such as "8@%r13 -4@112(%rsp)":
 * where each argument is at the probe's instruction.  Written by <sys/sdt.h>
 * in the assembler's own syntax, so there is one grammar a machine.
 */
#ifndef PYCOST_USDT_ARG_H
#define PYCOST_USDT_ARG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Registers are numbered as 64-bit words of the kernel's register frame, so a
 * kernel program finds one at 8 * number: struct pt_regs of
 * arch/x86/include/uapi/asm/ptrace.h, struct user_pt_regs of
 * arch/arm64/include/uapi/asm/ptrace.h (x0 to x30 are 0 to 30).
 */
enum usdt_reg {
	USDT_X86_R15 = 0,
	USDT_X86_R14,
	USDT_X86_R13,
	USDT_X86_R12,
	USDT_X86_RBP,
	USDT_X86_RBX,
	USDT_X86_R11,
	USDT_X86_R10,
	USDT_X86_R9,
	USDT_X86_R8,
	USDT_X86_RAX,
	USDT_X86_RCX,
	USDT_X86_RDX,
	USDT_X86_RSI,
	USDT_X86_RDI,
	USDT_X86_RIP = 16,
	USDT_X86_RSP = 19,
	USDT_ARM64_SP = 31,
	USDT_ARM64_PC = 32,
};

enum usdt_arg_kind {
	USDT_ARG_UNKNOWN = 0, /* well formed, but of no form that is listed here */
	USDT_ARG_CONST,	      /* offset is the value */
	USDT_ARG_REG,	      /* in the register */
	USDT_ARG_MEM,	      /* in memory at register + offset */
};

struct usdt_arg {
	uint8_t kind; /* enum usdt_arg_kind */
	uint8_t reg;  /* enum usdt_reg */
	uint8_t size; /* 1, 2, 4 or 8 bytes */
	bool is_signed;
	int64_t offset;
};

/*
 * Parses at most max arguments of a machine (EM_X86_64 or EM_AARCH64).
 * Returns their number; -EINVAL when malformed, -E2BIG when there are more,
 * -EOPNOTSUPP for another machine.
 */
int usdt_args_parse(const char *spec, unsigned machine, struct usdt_arg *ret, size_t max);

#endif
