/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of processes: mostly this one, whose own loader knows the answers. */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "symbolizer/elf_file.h"
#include "symbolizer/native.h"
#include "tests/unit/native_fixture.h"
#include "tests/unit/suites.h"

static bool have_fixture;

static int set_up(void)
{
	if (tree_make())
		return -1;
	have_fixture = fixture_make();
	if (!have_fixture)
		printf("(no compiler: in parts skipped) ");
	return 0;
}

static struct natives *make(size_t max_bytes)
{
	struct natives_options options = { .max_bytes = max_bytes };
	struct natives *n = NULL;

	CU_ASSERT_EQUAL_FATAL(natives_new(&options, &n), 0);
	return n;
}

static struct native_name resolve(struct natives *n, const void *address)
{
	struct native_name name;

	natives_resolve(n, getpid(), (uintptr_t)address, &name);
	return name;
}

static uint64_t map_reads(const struct natives *n)
{
	struct natives_stats s;

	natives_stats(n, &s);
	return s.map_reads;
}

__attribute__((noinline)) static int a_static_function(int a)
{
	return a + (int)getpid();
}

static void test_own(void)
{
	struct natives *n = make(0);
	struct native_name name = resolve(n, (const char *)a_static_function + 1);
	void *libc = dlsym(RTLD_DEFAULT, "getppid");

	CU_ASSERT_EQUAL(strncmp(name.symbol, "a_static_function", 17), 0);
	CU_ASSERT_EQUAL(name.offset, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(name.object, "unit"));
	name = resolve(n, libc);
	CU_ASSERT_STRING_EQUAL(name.symbol, "getppid");
	CU_ASSERT_PTR_NOT_NULL(strstr(name.object, "libc.so"));
	CU_ASSERT_PTR_EQUAL(resolve(n, libc).symbol, name.symbol);
	CU_ASSERT_EQUAL(map_reads(n), 1);
	natives_free(n);
}

static void test_vdso(void)
{
	void *vdso = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
	const char *address = vdso ? dlsym(vdso, "__vdso_clock_gettime") : NULL;
	struct natives *n = make(0);
	struct native_name name;

	if (vdso && !address)
		address = dlsym(vdso, "__kernel_clock_gettime");
	if (address) {
		name = resolve(n, address);
		CU_ASSERT_STRING_EQUAL(name.object, "[vdso]");
		CU_ASSERT_PTR_NOT_NULL(strstr(name.symbol, "clock_gettime"));
		CU_ASSERT_EQUAL(name.offset, 0);
	} else
		printf("(no vdso) ");
	natives_free(n);
}

static void test_nowhere(void)
{
	struct natives *n = make(0);
	struct native_name name;

	CU_ASSERT_EQUAL(natives_resolve(n, getpid(), 16, &name), -ENOENT);
	CU_ASSERT_STRING_EQUAL(name.object, "");
	for (uint64_t i = 0; i < 20000; i++)
		CU_ASSERT_EQUAL_FATAL(natives_resolve(n, getpid(), 16 + i, &name), -ENOENT);
	CU_ASSERT_TRUE(map_reads(n) <= 2);
	CU_ASSERT_EQUAL(natives_resolve(n, 0x3fffffff, 0x1000, &name), -ESRCH);
	CU_ASSERT_STRING_EQUAL(name.symbol, "");
	natives_free(n);
}

static void *load(const char *name, const char *symbol)
{
	void *library = dlopen(tree_at(name), RTLD_NOW | RTLD_LOCAL);
	void *address = library ? dlsym(library, symbol) : NULL;

	CU_ASSERT_PTR_NOT_NULL_FATAL(address);
	return address;
}

/* Loaded after the mappings were read; names of other languages. */
static void test_loaded_later(void)
{
	struct natives *n = make(0);
	struct native_name name;
	const char *address;

	if (have_fixture) {
		resolve(n, a_static_function);
		address = load("full.so", "shown");
		usleep(250000);
		name = resolve(n, address);
		CU_ASSERT_STRING_EQUAL(name.symbol, "shown");
		CU_ASSERT_STRING_EQUAL(name.object, tree_at("full.so"));
		CU_ASSERT_EQUAL(map_reads(n), 2);
		name = resolve(n, load("full.so", "__pyx_f_3mod_3Cls_run"));
		CU_ASSERT_STRING_EQUAL(name.symbol, "__pyx_f_3mod_3Cls_run");
		CU_ASSERT_STRING_EQUAL(name.name, "mod.Cls.run");
		name = resolve(n, load("full.so", "_ZN3one3twoEi"));
		CU_ASSERT_STRING_EQUAL(name.name, "one::two");
		name = resolve(n, load("full.so", "_ZN3one3twoEi"));
		CU_ASSERT_STRING_EQUAL(name.name, "one::two");
	}
	natives_free(n);
}

static void test_deleted(void)
{
	struct natives *n = make(0);
	struct native_name name;
	void *address;

	/* map_files asks for rights over all of the machine. */
	if (have_fixture && geteuid() == 0) {
		CU_ASSERT_TRUE(fixture_run("cp %s/full.so %s/gone.so", tree_path, tree_path));
		address = load("gone.so", "shown");
		/* Another file takes its name: its names would be wrong. */
		CU_ASSERT_EQUAL(rename(tree_at("stripped.so"), tree_at("gone.so")), 0);
		name = resolve(n, address);
		CU_ASSERT_STRING_EQUAL(name.symbol, "shown");
		CU_ASSERT_STRING_EQUAL(name.object, tree_at("gone.so"));
	}
	natives_free(n);
}

static void test_perf_map(void)
{
	char *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct natives *n = make(0);
	struct native_name name;
	char path[64];
	FILE *f;

	CU_ASSERT_PTR_NOT_EQUAL_FATAL(code, MAP_FAILED);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	f = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fprintf(f, "%lx 40 py::work:/a/b.py\n", (unsigned long)code);
	fclose(f);
	name = resolve(n, code + 4);
	CU_ASSERT_STRING_EQUAL(name.symbol, "py::work:/a/b.py");
	CU_ASSERT_STRING_EQUAL(name.object, "[jit]");
	CU_ASSERT_EQUAL(name.offset, 4);
	name = resolve(n, code + 0x40);
	CU_ASSERT_STRING_EQUAL(name.symbol, "");
	CU_ASSERT_STRING_EQUAL(name.object, "[jit]");
	remove(path);
	munmap(code, 4096);
	natives_free(n);
}

/* What was read of a process serves when it has ended, until it is forgotten. */
static void test_ended(void)
{
	struct natives *n = make(0);
	struct native_name name;
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	CU_ASSERT_EQUAL(natives_resolve(n, pid, (uintptr_t)a_static_function, &name), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CU_ASSERT_EQUAL(natives_resolve(n, pid, (uintptr_t)a_static_function, &name), 0);
	CU_ASSERT_EQUAL(strncmp(name.symbol, "a_static_function", 17), 0);
	natives_forget(n, pid);
	CU_ASSERT_EQUAL(natives_resolve(n, pid, (uintptr_t)a_static_function, &name), -ESRCH);
	natives_free(n);
}

/* Two files with too little room for both. */
static void test_evicted(void)
{
	struct natives *n = make(64 << 10);
	void *libc = dlsym(RTLD_DEFAULT, "getppid");
	struct natives_stats s;

	for (int i = 0; i < 3; i++) {
		resolve(n, libc);
		CU_ASSERT_EQUAL(*resolve(n, dlsym(RTLD_DEFAULT, "elf_begin")).object, '/');
		CU_ASSERT_EQUAL(*resolve(n, a_static_function).object, '/');
	}
	natives_stats(n, &s);
	CU_ASSERT_TRUE(s.evicted_tables > 0);
	CU_ASSERT_TRUE(s.lost_symbols > 0);
	CU_ASSERT_TRUE(s.table_bytes <= 64 << 10);
	natives_free(n);
}

/* From shown() to hidden(), as another reader finds them. */
static int64_t distance(void)
{
	int fd = open(tree_at("full.so"), O_RDONLY | O_CLOEXEC);
	uint64_t shown = 0, hidden = 0;
	struct elf_file *f;

	CU_ASSERT_EQUAL_FATAL(elf_file_open(fd, &f), 0);
	close(fd);
	CU_ASSERT_EQUAL(elf_file_symbol(f, "shown", &shown), 0);
	CU_ASSERT_EQUAL(elf_file_symbol(f, "hidden", &hidden), 0);
	elf_file_free(f);
	return (int64_t)(hidden - shown);
}

/* A library of two containers: two files, one table. */
static void test_shared(void)
{
	struct natives *n = make(0);
	struct natives_stats s;

	if (have_fixture) {
		CU_ASSERT_TRUE(fixture_run("cd %s && cp full.so one.so && cp full.so two.so",
					   tree_path));
		CU_ASSERT_STRING_EQUAL(resolve(n, load("one.so", "shown")).symbol, "shown");
		usleep(250000);
		CU_ASSERT_STRING_EQUAL(resolve(n, load("two.so", "shown")).symbol, "shown");
		natives_stats(n, &s);
		CU_ASSERT_EQUAL(s.file_reads, 2);
		CU_ASSERT_EQUAL(s.tables, 1);
	}
	natives_free(n);
}

static void fake_client(const char *script)
{
	tree_write("debuginfod-find", script);
	CU_ASSERT_EQUAL(chmod(tree_at("debuginfod-find"), 0755), 0);
}

static void fetched(const struct natives_options *options, char *address, char *hidden)
{
	struct natives *n = NULL;
	char script[256];
	int tries = 100;

	snprintf(script, sizeof(script),
		 "#!/bin/sh\n[ $1 = debuginfo ] && [ ${#2} = 40 ] && echo %s/full.debug\n",
		 tree_path);
	fake_client(script);
	CU_ASSERT_EQUAL_FATAL(natives_new(options, &n), 0);
	CU_ASSERT_STRING_EQUAL(resolve(n, address).symbol, "shown");
	CU_ASSERT_STRING_EQUAL(resolve(n, hidden).symbol, "");
	CU_ASSERT_TRUE(natives_pending(n));
	while (!natives_poll(n) && tries--)
		usleep(50000);
	CU_ASSERT_FALSE(natives_pending(n));
	CU_ASSERT_STRING_EQUAL(resolve(n, hidden).symbol, "hidden");
	CU_ASSERT_STRING_EQUAL(resolve(n, address).symbol, "shown");
	natives_free(n);
}

/* One that brings another file's: not believed, and not asked for twice. */
static void another(const struct natives_options *options, char *hidden)
{
	struct natives *n = NULL;
	char script[256];
	int tries;

	snprintf(script, sizeof(script), "#!/bin/sh\necho >>%s/asked\necho %s/other.debug\n",
		 tree_path, tree_path);
	fake_client(script);
	CU_ASSERT_TRUE(fixture_run("cd %s && gcc -O0 -g -shared -fPIC -Wl,--build-id=sha1 -o"
				   " other.debug full.c",
				   tree_path));
	CU_ASSERT_EQUAL_FATAL(natives_new(options, &n), 0);
	CU_ASSERT_STRING_EQUAL(resolve(n, hidden).symbol, "");
	for (tries = 200; natives_pending(n) && tries; tries--) {
		usleep(50000);
		natives_poll(n);
	}
	for (tries = 0; tries < 5; tries++) {
		CU_ASSERT_STRING_EQUAL(resolve(n, hidden).symbol, "");
		CU_ASSERT_FALSE(natives_pending(n));
	}
	CU_ASSERT_TRUE(fixture_run("[ $(wc -l <%s/asked) = 1 ]", tree_path));
	natives_free(n);
}

/* One that never answers is ended with us. */
static void never(const struct natives_options *options, char *address)
{
	struct natives *n = NULL;

	fake_client("#!/bin/sh\nexec sleep 1000\n");
	CU_ASSERT_EQUAL_FATAL(natives_new(options, &n), 0);
	resolve(n, address);
	CU_ASSERT_TRUE(natives_pending(n));
	CU_ASSERT_FALSE(natives_poll(n));
	natives_free(n);
}

/* The client is replaced: what it prints is the path of the file that it brought. */
static void test_debuginfod(void)
{
	struct natives_options options = { .debuginfod = true };
	char *old = strdup(getenv("PATH")), path[4096];
	struct natives *n = NULL;
	char *address;

	if (!have_fixture)
		goto done;
	unsetenv("DEBUGINFOD_URLS");
	CU_ASSERT_EQUAL(natives_new(&options, &n), -EDESTADDRREQ);
	setenv("DEBUGINFOD_URLS", "http://127.0.0.1:1/", 1);
	setenv("PATH", tree_path, 1);
	CU_ASSERT_EQUAL(natives_new(&options, &n), -ENOENT);
	snprintf(path, sizeof(path), "%s:%s", tree_path, old);
	setenv("PATH", path, 1);
	CU_ASSERT_TRUE(fixture_run("cd %s && strip -o fetched.so full.so", tree_path));
	address = load("fetched.so", "shown");
	fetched(&options, address, address + distance());
	another(&options, address + distance());
	never(&options, address);
	unsetenv("DEBUGINFOD_URLS");
done:
	setenv("PATH", old, 1);
	free(old);
}

int suite_native(void)
{
	CU_pSuite s = CU_add_suite("native", set_up, tree_remove);

	return !s || !CU_ADD_TEST(s, test_own) || !CU_ADD_TEST(s, test_vdso) ||
	       !CU_ADD_TEST(s, test_nowhere) || !CU_ADD_TEST(s, test_loaded_later) ||
	       !CU_ADD_TEST(s, test_deleted) || !CU_ADD_TEST(s, test_perf_map) ||
	       !CU_ADD_TEST(s, test_ended) || !CU_ADD_TEST(s, test_evicted) ||
	       !CU_ADD_TEST(s, test_shared) || !CU_ADD_TEST(s, test_debuginfod);
}
