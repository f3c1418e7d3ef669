/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The test program has two probes of its own, written as <sys/sdt.h> does, and
 * finds them in its own file.
 */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/probe_note.h"

#define SEMAPHORE_VALUE 0x5a17

__attribute__((used, section(".probes"))) unsigned short pycost_test_semaphore = SEMAPHORE_VALUE;

#define PROBE(name, semaphore, args)                                                       \
	__asm__ volatile("990: nop\n"                                                      \
			 ".pushsection .note.stapsdt,\"\",\"note\"\n"                      \
			 ".balign 4\n .4byte 992f-991f, 994f-993f, 3\n"                    \
			 "991: .asciz \"stapsdt\"\n"                                       \
			 "992: .balign 4\n"                                                \
			 "993: .8byte 990b, _.stapsdt.base, " semaphore "\n"               \
			 ".asciz \"pycost_test\"\n .asciz \"" name "\"\n .asciz \"" args "\"\n" \
			 "994: .balign 4\n .popsection\n"                                  \
			 ".ifndef _.stapsdt.base\n"                                        \
			 ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n" \
			 ".weak _.stapsdt.base\n .hidden _.stapsdt.base\n"                 \
			 "_.stapsdt.base: .space 1\n"                                      \
			 ".size _.stapsdt.base, 1\n .popsection\n .endif\n")

__attribute__((noinline)) static void probes(void)
{
	PROBE("first", "pycost_test_semaphore", "8@%rax");
	PROBE("second", "0", "");
}

static struct elf_file *open_self(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct elf_file *f = NULL;

	CU_ASSERT_EQUAL_FATAL(elf_file_open(fd, &f), 0);
	close(fd);
	return f;
}

static void read_at(uint64_t offset, void *ret, size_t size)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	CU_ASSERT_EQUAL(pread(fd, ret, size, (off_t)offset), (ssize_t)size);
	close(fd);
}

static void test_own_probes(void)
{
	struct elf_file *f = open_self();
	struct probe_notes notes;
	unsigned char nop[4];
	unsigned short value;

	probes();
	CU_ASSERT_EQUAL_FATAL(probe_notes_read(f, "pycost_test", &notes), 0);
	CU_ASSERT_EQUAL_FATAL(notes.n, 2);
	CU_ASSERT_STRING_EQUAL(notes.v[0].name, "first");
	CU_ASSERT_STRING_EQUAL(notes.v[0].args, "8@%rax");
	read_at(notes.v[0].semaphore, &value, sizeof(value));
	CU_ASSERT_EQUAL(value, SEMAPHORE_VALUE);
	CU_ASSERT_STRING_EQUAL(notes.v[1].name, "second");
	CU_ASSERT_STRING_EQUAL(notes.v[1].args, "");
	CU_ASSERT_EQUAL(notes.v[1].semaphore, 0);
	for (size_t i = 0; i < 2; i++) {
		read_at(notes.v[i].location, nop, sizeof(nop));
#ifdef __x86_64__
		CU_ASSERT_EQUAL(nop[0], 0x90);
#elif defined(__aarch64__)
		CU_ASSERT_EQUAL(memcmp(nop, "\x1f\x20\x03\xd5", 4), 0);
#endif
	}
	probe_notes_free(&notes);
	elf_file_free(f);
}

static void test_other_provider(void)
{
	struct elf_file *f = open_self();
	struct probe_notes notes;

	CU_ASSERT_EQUAL_FATAL(probe_notes_read(f, "pycost", &notes), 0);
	CU_ASSERT_EQUAL(notes.n, 0);
	probe_notes_free(&notes);
	elf_file_free(f);
}

int suite_probe_note(void)
{
	CU_pSuite s = CU_add_suite("probe_note", NULL, NULL);

	return !s || !CU_ADD_TEST(s, test_own_probes) || !CU_ADD_TEST(s, test_other_provider);
}
