/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers at a probe, by number, and what a USDT probe hands over in them.
 */
#ifndef PYCOST_REGS_BPF_H
#define PYCOST_REGS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "bpf/wire.h"

/* Indices into pt_regs, in units of 8 bytes. */
#define REG_NONE 0xff

/*
 * A context pointer may only be read at a constant offset, so the choice is a
 * switch that the verifier prunes to one case.  The assembly keeps clang from
 * merging the cases back into an offset.
 */
#define REG_CASE(n)                                                                                \
	case n:                                                                                    \
		asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(v) : "r"(ctx), "i"((n)*8));           \
		break
static __always_inline __u64 reg_read(void *ctx, __u8 reg)
{
	__u64 v = 0;

	switch (reg) {
		REG_CASE(0);
		REG_CASE(1);
		REG_CASE(2);
		REG_CASE(3);
		REG_CASE(4);
		REG_CASE(5);
		REG_CASE(6);
		REG_CASE(7);
		REG_CASE(8);
		REG_CASE(9);
		REG_CASE(10);
		REG_CASE(11);
		REG_CASE(12);
		REG_CASE(13);
		REG_CASE(14);
		REG_CASE(15);
		REG_CASE(16);
		REG_CASE(17);
		REG_CASE(18);
		REG_CASE(19);
#ifdef __TARGET_ARCH_arm64
		REG_CASE(20);
		REG_CASE(21);
		REG_CASE(22);
		REG_CASE(23);
		REG_CASE(24);
		REG_CASE(25);
		REG_CASE(26);
		REG_CASE(27);
		REG_CASE(28);
		REG_CASE(29);
		REG_CASE(30);
		REG_CASE(31);
		REG_CASE(32); /* the program counter */
#endif
	}
	return v;
}

/* An argument's value, by a description that is a constant of the program's. */
static __always_inline __u64 arg_read(void *ctx, const volatile struct wire_arg *arg)
{
	__u64 v = arg->offset;

	if (arg->kind == WIRE_ARG_CONST)
		return v;
	if (arg->kind == WIRE_ARG_NONE)
		return 0;
	v = reg_read(ctx, arg->reg);
	if (arg->kind == WIRE_ARG_MEMORY) {
		__u64 at = v + arg->offset;

		v = 0;
		bpf_probe_read_user(&v, sizeof(v), (void *)at);
	}
	if (arg->size == 4)
		return arg->is_signed ? (__u64)(__s64)(__s32)v : (__u32)v;
	return v;
}

#endif
