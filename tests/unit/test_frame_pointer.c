/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <string.h>

#include "symbolizer/frame_pointer.h"
#include "tests/unit/suites.h"

static const uint8_t *at_start(const char *bytes, size_t size)
{
	static uint8_t code[FRAME_CODE_SIZE];

	memset(code, 0x90, sizeof(code));
	memcpy(code, bytes, size);
	return code;
}

static const uint8_t *at_end(const char *bytes, size_t size)
{
	static uint8_t code[FRAME_CODE_SIZE];

	memset(code, 0x90, sizeof(code));
	memcpy(code + sizeof(code) - size, bytes, size);
	return code;
}

#define START(s) at_start(s, sizeof(s) - 1)
#define END(s) at_end(s, sizeof(s) - 1)

static void test_x86(void)
{
	CU_ASSERT_EQUAL(frame_prologue(EM_X86_64, START("\x55\x48\x89\xe5")), 4);
	CU_ASSERT_EQUAL(frame_prologue(EM_X86_64, START("\xf3\x0f\x1e\xfa\x55\x48\x89\xe5")), 8);
	/* push %rbp; mov %rdi,%rbp: the register is put to other use. */
	CU_ASSERT_EQUAL(frame_prologue(EM_X86_64, START("\x55\x48\x89\xfd")), 0);
	CU_ASSERT_EQUAL(frame_prologue(EM_X86_64, START("\x85\xff\x7e\x19")), 0);
	CU_ASSERT(frame_is_over(EM_X86_64, START("\xc3")) && frame_is_over(EM_X86_64, START("\xe9")));
	CU_ASSERT(!frame_is_over(EM_X86_64, START("\xc9\xc3")) && !frame_is_over(EM_X86_64, START("\x5d\xc3")));
	CU_ASSERT(frame_follows_call(EM_X86_64, END("\xe8\x01\x02\x03\x04")));
	CU_ASSERT(frame_follows_call(EM_X86_64, END("\xff\xd0"))); /* *%rax */
	CU_ASSERT(frame_follows_call(EM_X86_64, END("\x41\xff\xd4"))); /* *%r12 */
	CU_ASSERT(frame_follows_call(EM_X86_64, END("\xff\x50\x18"))); /* *0x18(%rax) */
	CU_ASSERT(frame_follows_call(EM_X86_64, END("\xff\x54\x24\x08"))); /* *8(%rsp) */
	CU_ASSERT(frame_follows_call(EM_X86_64, END("\xff\x15\x01\x02\x03\x04"))); /* *x(%rip) */
	CU_ASSERT(frame_follows_call(EM_X86_64, END("\xff\x94\xc7\x01\x02\x03\x04")));
	CU_ASSERT(!frame_follows_call(EM_X86_64, END("\xff\xe0"))); /* jmp *%rax */
	CU_ASSERT(!frame_follows_call(EM_X86_64, END("\xe9\x01\x02\x03\x04")));
	CU_ASSERT(!frame_follows_call(EM_X86_64, END("\x90")));
}

static void test_arm64(void)
{
	/* stp x29, x30, [sp, #-32]!; mov x29, sp */
	CU_ASSERT_EQUAL(frame_prologue(EM_AARCH64, START("\xfd\x7b\xbe\xa9\xfd\x03\x00\x91")), 8);
	CU_ASSERT_EQUAL(frame_prologue(EM_AARCH64, START("\x3f\x23\x03\xd5\xfd\x7b\xbe\xa9\xfd\x03\x00\x91")),
			12);
	/* stp x19, x20, [sp, #-32]! */
	CU_ASSERT_EQUAL(frame_prologue(EM_AARCH64, START("\xf3\x53\xbe\xa9\xfd\x03\x00\x91")), 0);
	CU_ASSERT(frame_is_over(EM_AARCH64, START("\xc0\x03\x5f\xd6"))); /* ret */
	CU_ASSERT(frame_is_over(EM_AARCH64, START("\x01\x00\x00\x14"))); /* b */
	CU_ASSERT(!frame_is_over(EM_AARCH64, START("\xfd\x7b\xc2\xa8"))); /* ldp */
	CU_ASSERT(frame_follows_call(EM_AARCH64, END("\x01\x00\x00\x94"))); /* bl */
	CU_ASSERT(frame_follows_call(EM_AARCH64, END("\x60\x02\x3f\xd6"))); /* blr x19 */
	CU_ASSERT(!frame_follows_call(EM_AARCH64, END("\x60\x02\x1f\xd6"))); /* br x19 */
}

static void test_others(void)
{
	CU_ASSERT(!frame_prologue(EM_386, START("\x55\x48\x89\xe5")));
	CU_ASSERT(!frame_follows_call(EM_386, END("\xe8\x01\x02\x03\x04")));
}

int suite_frame_pointer(void)
{
	CU_TestInfo tests[] = {
		{ "x86-64", test_x86 },
		{ "arm64", test_arm64 },
		{ "others", test_others },
		CU_TEST_INFO_NULL,
	};

	return suite_register("frame_pointer", tests);
}
