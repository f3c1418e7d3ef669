/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <CUnit/CUnit.h>
#include <elf.h>
#include <errno.h>

#include "symbolizer/usdt_arg.h"

static struct usdt_arg args[4];

static void check(const struct usdt_arg *a, int kind, int reg, int size, int is_signed, long offset)
{
	CU_ASSERT_EQUAL(a->kind, kind);
	CU_ASSERT_EQUAL(a->reg, reg);
	CU_ASSERT_EQUAL(a->size, size);
	CU_ASSERT_EQUAL(a->is_signed, is_signed);
	CU_ASSERT_EQUAL(a->offset, offset);
}

static void test_x86(void)
{
	/* Debian 3.15.2's function__entry, and its gc__start. */
	CU_ASSERT_EQUAL(usdt_args_parse("8@%rbx 8@%r12 -4@%eax", EM_X86_64, args, 4), 3);
	check(&args[0], USDT_ARG_REG, USDT_X86_RBX, 8, 0, 0);
	check(&args[1], USDT_ARG_REG, USDT_X86_R12, 8, 0, 0);
	check(&args[2], USDT_ARG_REG, USDT_X86_RAX, 4, 1, 0);
	CU_ASSERT_EQUAL(usdt_args_parse("-4@-292(%rbp) 2@(%rsp) 1@$-7", EM_X86_64, args, 4), 3);
	check(&args[0], USDT_ARG_MEM, USDT_X86_RBP, 4, 1, -292);
	check(&args[1], USDT_ARG_MEM, USDT_X86_RSP, 2, 0, 0);
	check(&args[2], USDT_ARG_CONST, 0, 1, 0, -7);
}

static void test_x86_other_forms(void)
{
	CU_ASSERT_EQUAL(usdt_args_parse("8@x(%rip) 8@(%rax,%rbx,4) 8f@%xmm0 1@%ah", EM_X86_64,
					args, 4), 4);
	for (int i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(args[i].kind, USDT_ARG_UNKNOWN);
}

static void test_arm64(void)
{
	CU_ASSERT_EQUAL(usdt_args_parse("8@x19 -4@w0 8@[sp, 24] 8@[x29]", EM_AARCH64, args, 4), 4);
	check(&args[0], USDT_ARG_REG, 19, 8, 0, 0);
	check(&args[1], USDT_ARG_REG, 0, 4, 1, 0);
	check(&args[2], USDT_ARG_MEM, USDT_ARM64_SP, 8, 0, 24);
	check(&args[3], USDT_ARG_MEM, 29, 8, 0, 0);
	CU_ASSERT_EQUAL(usdt_args_parse("-4@-5 8@[x1, x2] 8@x31 8@[sp,-16]", EM_AARCH64, args, 4), 4);
	check(&args[0], USDT_ARG_CONST, 0, 4, 1, -5);
	CU_ASSERT_EQUAL(args[1].kind, USDT_ARG_UNKNOWN);
	CU_ASSERT_EQUAL(args[2].kind, USDT_ARG_UNKNOWN);
	check(&args[3], USDT_ARG_MEM, USDT_ARM64_SP, 8, 0, -16);
}

static void test_malformed(void)
{
	static const char *const specs[] = {
		"8", "@%rax", "x@%rax", "3@%rax", "16@%rax", "8 @%rax", "99999999999999999999@%rax",
	};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		CU_ASSERT_EQUAL(usdt_args_parse(specs[i], EM_X86_64, args, 4), -EINVAL);
	CU_ASSERT_EQUAL(usdt_args_parse("", EM_X86_64, args, 4), 0);
	CU_ASSERT_EQUAL(usdt_args_parse("  ", EM_X86_64, args, 4), 0);
	CU_ASSERT_EQUAL(usdt_args_parse("8@%rax 8@%rbx", EM_X86_64, args, 1), -E2BIG);
	CU_ASSERT_EQUAL(usdt_args_parse("8@%rax", EM_386, args, 4), -EOPNOTSUPP);
}

int suite_usdt_arg(void)
{
	CU_pSuite s = CU_add_suite("usdt_arg", NULL, NULL);

	return !s || !CU_ADD_TEST(s, test_x86) || !CU_ADD_TEST(s, test_x86_other_forms) ||
	       !CU_ADD_TEST(s, test_arm64) || !CU_ADD_TEST(s, test_malformed);
}
