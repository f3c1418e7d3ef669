/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/cold_sites.h"
#include "tests/unit/small_elf.h"
#include "tests/unit/suites.h"

static struct small_elf elf;
static struct cold_sites cold;

static void find(unsigned machine, unsigned type, const char *code, size_t size)
{
	struct elf_file *f;

	small_start(&elf);
	elf.header.e_machine = machine;
	elf.header.e_type = type;
	elf.header.e_entry = SMALL_TEXT;
	memcpy(elf.text, code, size);
	cold.n = 99;
	CU_ASSERT_EQUAL_FATAL(elf_file_open_memory(&elf, sizeof(elf), &f), 0);
	cold_sites_find(f, &cold);
	elf_file_free(f);
}

#define FIND(machine, type, code) find(machine, type, code, sizeof(code) - 1)

static void test_x86(void)
{
	/* xor %ebp,%ebp; mov %rdx,%r9; pop %rsi; call *0(%rip); hlt; nop */
	FIND(EM_X86_64, ET_EXEC, "\x31\xed\x49\x89\xd1\x5e\xff\x15\0\0\0\0\xf4\x90");
	CU_ASSERT_EQUAL_FATAL(cold.n, 4);
	CU_ASSERT_EQUAL(cold.offsets[0], SMALL_TEXT);
	CU_ASSERT_EQUAL(cold.offsets[1], SMALL_TEXT + 2);
	CU_ASSERT_EQUAL(cold.offsets[3], SMALL_TEXT + 6);
	/* Up to what returns, with it; and no further than the bytes make sense. */
	FIND(EM_X86_64, ET_EXEC, "\x50\x58\xc3\x90\x90");
	CU_ASSERT_EQUAL(cold.n, 3);
	FIND(EM_X86_64, ET_EXEC, "\x50\x06\x50");
	CU_ASSERT_EQUAL(cold.n, 1);
}

static void test_arm64(void)
{
	/* nop; mov x29, #0; bl; brk #0 */
	FIND(EM_AARCH64, ET_EXEC,
	     "\x1f\x20\x03\xd5\x1d\x00\x80\xd2\x00\x00\x00\x94\x00\x00\x20\xd4\x1f\x20\x03\xd5");
	CU_ASSERT_EQUAL_FATAL(cold.n, 3);
	CU_ASSERT_EQUAL(cold.offsets[2], SMALL_TEXT + 8);
	/* nop; ret; nop */
	FIND(EM_AARCH64, ET_EXEC, "\x1f\x20\x03\xd5\xc0\x03\x5f\xd6\x1f\x20\x03\xd5");
	CU_ASSERT_EQUAL(cold.n, 2);
}

/* A library's entry says nothing, and of other machines nothing is known. */
static void test_none(void)
{
	FIND(EM_X86_64, ET_DYN, "\x50\x58\xc3");
	CU_ASSERT_EQUAL(cold.n, 0);
	FIND(EM_386, ET_EXEC, "\x50\x58\xc3");
	CU_ASSERT_EQUAL(cold.n, 0);
}

/* Of this program there are as many as semaphores want: see userspace/semaphore.h. */
static void test_program(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct elf_file *f;

	CU_ASSERT_EQUAL_FATAL(elf_file_open(fd, &f), 0);
	cold_sites_find(f, &cold);
	CU_ASSERT(cold.n >= 7);
	elf_file_free(f);
	close(fd);
}

int suite_cold_sites(void)
{
	CU_TestInfo tests[] = {
		{ "x86-64", test_x86 },
		{ "arm64", test_arm64 },
		{ "none", test_none },
		{ "a program", test_program },
		CU_TEST_INFO_NULL,
	};

	return suite_register("cold_sites", tests);
}
