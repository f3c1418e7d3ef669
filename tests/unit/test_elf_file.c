/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <CUnit/CUnit.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/elf_file.h"

__attribute__((used)) const char pycost_test_constant[8] = "pycost!";
__attribute__((used)) int suite_elf_file(void);

static struct elf_file *open_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_file *f = NULL;

	CU_ASSERT_EQUAL_FATAL(elf_file_open(fd, &f), 0);
	close(fd);
	return f;
}

/* The main program's load bias, as its own dynamic linker tells it. */
static int first_bias(struct dl_phdr_info *info, size_t size, void *ret)
{
	*(uint64_t *)ret = info->dlpi_addr;
	return 1;
}

static void test_symbols(void)
{
	struct elf_file *f = open_path("/proc/self/exe");
	uint64_t bias = 0, vaddr = 0, offset = 0, code = 0;
	char bytes[8];

	dl_iterate_phdr(first_bias, &bias);
	CU_ASSERT_EQUAL_FATAL(elf_file_symbol(f, "pycost_test_constant", &vaddr), 0);
	CU_ASSERT_EQUAL(vaddr + bias, (uint64_t)(uintptr_t)pycost_test_constant);
	CU_ASSERT_EQUAL(elf_file_read(f, vaddr, bytes, sizeof(bytes)), 0);
	CU_ASSERT_STRING_EQUAL(bytes, "pycost!");
	CU_ASSERT_EQUAL_FATAL(elf_file_symbol(f, "suite_elf_file", &vaddr), 0);
	CU_ASSERT_EQUAL(elf_file_vaddr_to_offset(f, vaddr, &offset), 0);
	CU_ASSERT_EQUAL(elf_file_code_vaddr(f, offset, &code), 0);
	CU_ASSERT_EQUAL(code, vaddr);
	CU_ASSERT_EQUAL(elf_file_symbol(f, "pycost_no_such_symbol", &vaddr), -ENOENT);
	CU_ASSERT_EQUAL(elf_file_symbol(f, "elf_begin", &vaddr), -ENOENT); /* not its own */
	CU_ASSERT_EQUAL(elf_file_vaddr_to_offset(f, UINT64_MAX, &offset), -ENOENT);
	elf_file_free(f);
}

static void test_dynamic(void)
{
	struct elf_file *f = open_path("/proc/self/exe");
	const char *name;
	size_t n = 0;
	bool found = false;

	while ((name = elf_file_dynamic(f, DT_NEEDED, n++)))
		found |= !strncmp(name, "libc.so", 7);
	CU_ASSERT_TRUE(found);
	CU_ASSERT_PTR_NULL(elf_file_dynamic(f, DT_SONAME, 0));
	elf_file_free(f);
}

static void test_build_id(void)
{
	struct elf_file *f = open_path("/proc/self/exe");
	char hex[ELF_BUILD_ID_SIZE];

	CU_ASSERT_EQUAL(elf_file_build_id(f, hex), 0);
	CU_ASSERT(strlen(hex) == 0 || strlen(hex) == 40 || strlen(hex) == 32);
	CU_ASSERT_EQUAL(strspn(hex, "0123456789abcdef"), strlen(hex));
	elf_file_free(f);
}

static void test_refused(void)
{
	struct elf_file *f = NULL;
	Elf64_Ehdr header = { .e_ident = ELFMAG "\1\1\1", .e_type = ET_EXEC }; /* 32 bits */
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	CU_ASSERT_EQUAL(elf_file_open(fd, &f), -ENOEXEC);
	close(fd);
	CU_ASSERT_EQUAL(elf_file_open(-1, &f), -EBADF);
	CU_ASSERT_EQUAL(elf_file_open_memory("#!/bin/sh\n", 10, &f), -ENOEXEC);
	CU_ASSERT_EQUAL(elf_file_open_memory("", 0, &f), -ENOEXEC);
	CU_ASSERT_EQUAL(elf_file_open_memory(&header, sizeof(header), &f), -ENOEXEC);
	CU_ASSERT_PTR_NULL(f);
}

int suite_elf_file(void)
{
	CU_pSuite s = CU_add_suite("elf_file", NULL, NULL);

	return !s || !CU_ADD_TEST(s, test_symbols) || !CU_ADD_TEST(s, test_dynamic) ||
	       !CU_ADD_TEST(s, test_build_id) || !CU_ADD_TEST(s, test_refused);
}
