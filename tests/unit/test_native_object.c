/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read of one file, in all the ways in which names can be kept apart. */
#include <elf.h>
#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/native_object.h"
#include "symbolizer/native_table.h"
#include "tests/unit/native_fixture.h"
#include "tests/unit/suites.h"

static bool have_fixture;
static uint64_t hidden, shown; /* vaddr, as another reader finds them */
static char build_id[ELF_BUILD_ID_SIZE];

static struct elf_file *open_elf(const char *name)
{
	int fd = open(tree_at(name), O_RDONLY | O_CLOEXEC);
	struct elf_file *f = NULL;

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(elf_file_open(fd, &f), 0);
	close(fd);
	return f;
}

static int set_up(void)
{
	struct elf_file *f;
	int fd;

	if (tree_make())
		return -1;
	have_fixture = fixture_make();
	if (!have_fixture) {
		printf("(no compiler: skipped) ");
		return 0;
	}
	fd = open(tree_at("full.so"), O_RDONLY | O_CLOEXEC);
	if (fd < 0 || elf_file_open(fd, &f))
		return -1;
	close(fd);
	if (elf_file_symbol(f, "hidden", &hidden) || elf_file_symbol(f, "shown", &shown) ||
	    elf_file_build_id(f, build_id))
		return -1;
	elf_file_free(f);
	return 0;
}

static struct native_object read_object(const char *name, const char *root)
{
	struct rootfs fs = { root ? open(root, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1, -1 };
	struct native_object_source source = {
		.target = root ? &fs : NULL,
		.path = "/lib/x/stripped.so",
		.debug_fd = -1,
		.max_bytes = 1 << 20,
	};
	struct native_object o = { 0 };
	struct elf_file *f = open_elf(name);

	CU_ASSERT_EQUAL(native_object_read(f, &source, &o), 0);
	elf_file_free(f);
	if (root)
		close(fs.root_fd);
	return o;
}

static const char *at(const struct native_object *o, uint64_t address)
{
	struct native_function f;

	return o->table && native_table_find(o->table, address, &f) ? f.name : "";
}

static void expect_all(struct native_object *o)
{
	CU_ASSERT_TRUE(o->whole);
	CU_ASSERT_STRING_EQUAL(at(o, hidden), "hidden");
	CU_ASSERT_STRING_EQUAL(at(o, hidden + 1), "hidden");
	CU_ASSERT_STRING_EQUAL(at(o, shown), "shown");
	CU_ASSERT_STRING_EQUAL(o->build_id, build_id);
	native_object_clear(o);
}

static void expect_stripped(struct native_object *o)
{
	CU_ASSERT_FALSE(o->whole);
	CU_ASSERT_STRING_EQUAL(at(o, shown), "shown");
	/* Not the nearest exported function. */
	CU_ASSERT_STRING_EQUAL(at(o, hidden), "");
	native_object_clear(o);
}

static void test_tables(void)
{
	struct native_object o;

	if (!have_fixture)
		return;
	o = read_object("full.so", NULL);
	expect_all(&o);
	o = read_object("stripped.so", NULL);
	expect_stripped(&o);
}

/* Finds the stub by what it jumps through, so only its name can be asked for. */
static void test_plt(void)
{
	struct elf_span plt;
	struct native_object o;
	struct elf_file *f;
	bool found = false;

	if (!have_fixture)
		return;
	o = read_object("stripped.so", NULL);
	f = open_elf("stripped.so");
	for (size_t i = 1; !elf_file_span(f, i, &plt); i++)
		for (uint64_t a = 0; !strncmp(plt.name, ".plt", 4) && a < plt.size; a += 4)
			found |= !strcmp(at(&o, plt.vaddr + a), "getppid@plt");
	CU_ASSERT_TRUE(found);
	elf_file_free(f);
	native_object_clear(&o);
}

static void test_build_id_file(void)
{
	struct native_object o;

	if (!have_fixture)
		return;
	CU_ASSERT_TRUE(fixture_run("cd %s && mkdir -p root/usr/lib/debug/.build-id/%.2s &&"
				   " cp full.debug root/usr/lib/debug/.build-id/%.2s/%s.debug",
				   tree_path, build_id, build_id, build_id + 2));
	o = read_object("stripped.so", tree_at("root"));
	expect_all(&o);
	/* One that is of another file is not believed. */
	CU_ASSERT_TRUE(fixture_run("cd %s && gcc -O0 -shared -fPIC -Wl,--build-id=sha1 -o"
				   " root/usr/lib/debug/.build-id/%.2s/%s.debug full.c",
				   tree_path, build_id, build_id + 2));
	o = read_object("stripped.so", tree_at("root"));
	expect_stripped(&o);
}

static void test_debug_link(void)
{
	struct native_object o;

	if (!have_fixture)
		return;
	CU_ASSERT_TRUE(fixture_run("cd %s && mkdir -p link/usr/lib/debug/lib/x link/lib/x/.debug &&"
				   " gcc -O1 -shared -fPIC -Wl,--build-id=none -o plain.so full.c &&"
				   " objcopy --only-keep-debug plain.so plain.debug &&"
				   " strip -o linked.so plain.so &&"
				   " objcopy --add-gnu-debuglink=plain.debug linked.so &&"
				   " cp plain.debug link/usr/lib/debug/lib/x/plain.debug",
				   tree_path));
	o = read_object("linked.so", tree_at("link"));
	CU_ASSERT_TRUE(o.whole);
	native_object_clear(&o);
	/* Not the file that the checksum is of. */
	CU_ASSERT_TRUE(fixture_run("echo >>%s/link/usr/lib/debug/lib/x/plain.debug", tree_path));
	o = read_object("linked.so", tree_at("link"));
	CU_ASSERT_FALSE(o.whole);
	native_object_clear(&o);
	CU_ASSERT_TRUE(fixture_run("cp %s/plain.debug %s/link/lib/x/.debug", tree_path, tree_path));
	o = read_object("linked.so", tree_at("link"));
	CU_ASSERT_TRUE(o.whole);
	native_object_clear(&o);
}

static int pack(const char *from, const char *to, size_t cut)
{
	static unsigned char in[1 << 20], out[1 << 20];
	FILE *f = fopen(tree_at(from), "r");
	size_t n = fread(in, 1, sizeof(in), f), size = 0;

	fclose(f);
	if (lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, in, n, out, &size, sizeof(out)))
		return -1;
	f = fopen(tree_at(to), "w");
	fwrite(out, 1, size - cut, f);
	return fclose(f);
}

static void test_minidebug(void)
{
	struct native_object o;

	if (!have_fixture)
		return;
	CU_ASSERT_EQUAL(pack("full.debug", "mini.xz", 0), 0);
	CU_ASSERT_TRUE(fixture_run("cd %s && objcopy --add-section .gnu_debugdata=mini.xz"
				   " stripped.so mini.so",
				   tree_path));
	o = read_object("mini.so", NULL);
	expect_all(&o);
	CU_ASSERT_EQUAL(pack("full.debug", "cut.xz", 40), 0);
	CU_ASSERT_TRUE(fixture_run("cd %s && objcopy --add-section .gnu_debugdata=cut.xz"
				   " stripped.so cut.so",
				   tree_path));
	o = read_object("cut.so", NULL);
	expect_stripped(&o);
}

static void test_vaddr(void)
{
	struct native_object o = {
		.code = { { .vaddr = 0x401000, .offset = 0x1000, .size = 0x100 } },
		.n_code = 1,
	};
	uint64_t vaddr;

	CU_ASSERT_TRUE(native_object_vaddr(&o, 0x10ff, &vaddr));
	CU_ASSERT_EQUAL(vaddr, 0x4010ff);
	CU_ASSERT_FALSE(native_object_vaddr(&o, 0x1100, &vaddr));
	CU_ASSERT_FALSE(native_object_vaddr(&o, 0xfff, &vaddr));
}

int suite_native_object(void)
{
	CU_pSuite s = CU_add_suite("native_object", set_up, tree_remove);

	return !s || !CU_ADD_TEST(s, test_tables) || !CU_ADD_TEST(s, test_plt) ||
	       !CU_ADD_TEST(s, test_build_id_file) || !CU_ADD_TEST(s, test_debug_link) ||
	       !CU_ADD_TEST(s, test_minidebug) || !CU_ADD_TEST(s, test_vaddr);
}
