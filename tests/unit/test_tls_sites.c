/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls of libssl in files: this machine's own, and what has none. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <unistd.h>

#include "symbolizer/elf_file.h"
#include "symbolizer/tls_sites.h"
#include "tests/unit/suites.h"

static int find(const char *path, struct tls_sites *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	CU_ASSERT_FATAL(fd >= 0);
	err = tls_sites_find(fd, ret);
	close(fd);
	return err;
}

/* A site of this kind is the first instruction of the function. */
static void entry_check(const char *path, const struct tls_site *site, const char *name)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t vaddr, size, offset;
	struct elf_file *f;

	CU_ASSERT_EQUAL_FATAL(elf_file_open(fd, &f), 0);
	CU_ASSERT_EQUAL(elf_file_function(f, name, &vaddr, &size), 0);
	CU_ASSERT_EQUAL(elf_file_vaddr_to_offset(f, vaddr, &offset), 0);
	CU_ASSERT_EQUAL(site->offset, offset);
	elf_file_free(f);
	close(fd);
}

static void return_check(const char *path, const struct tls_site *site)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char code[4];

	CU_ASSERT_EQUAL(pread(fd, code, 4, site->offset), 4);
	close(fd);
#ifdef __x86_64__
	CU_ASSERT(code[0] == 0xc3 || code[0] == 0xc2 || code[0] == 0xf3);
#elif defined(__aarch64__)
	CU_ASSERT_EQUAL(code[3], 0xd6);
#endif
}

static void library_check(const char *path)
{
	static const char *const names[] = { "SSL_read", "SSL_read_ex", "SSL_write",
					     "SSL_write_ex", "SSL_write_ex2" };
	unsigned count[TLS_KINDS] = { 0 };
	struct tls_sites sites;

	CU_ASSERT_EQUAL_FATAL(find(path, &sites), 0);
	for (size_t i = 0; i < sites.n; i++) {
		count[sites.v[i].kind]++;
		if (sites.v[i].kind == TLS_RETURN)
			return_check(path, &sites.v[i]);
		else
			entry_check(path, &sites.v[i], names[sites.v[i].kind]);
	}
	CU_ASSERT(count[TLS_READ] == 1 && count[TLS_WRITE] == 1);
	CU_ASSERT(count[TLS_READ_EX] == 1 && count[TLS_WRITE_EX] == 1);
	CU_ASSERT(count[TLS_RETURN] >= 3);
}

/* OpenSSL's, which Python itself has. */
static void test_library(void)
{
	glob_t found;

	if (glob("/usr/lib/*-linux-gnu/libssl.so.[13]*", 0, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		library_check(found.gl_pathv[i]);
	globfree(&found);
}

static void test_others(void)
{
	struct tls_sites sites;

	CU_ASSERT_EQUAL(find("/proc/self/exe", &sites), -ENOENT);
	CU_ASSERT_EQUAL(find("tests/unit/test_tls_sites.c", &sites), -ENOEXEC);
}

int suite_tls_sites(void)
{
	static CU_TestInfo tests[] = {
		{ "libssl", test_library },
		{ "other files", test_others },
		CU_TEST_INFO_NULL,
	};

	return suite_register("tls_sites", tests);
}
