/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <errno.h>
#include <stdbool.h>

#include "symbolizer/interpreter.h"
#include "tests/unit/suites.h"
#include "tests/unit/tree.h"
#include "userspace/proof_cache.h"

#define NOBODY 65534
#define HEAD PROOF_CACHE_VERSION " 3.11\n"
#define BODY "e 1000 3\ne 2000 100\ne 3000 5\nr 4000 d\n"
#define FILE_NAME "pycost/c0ffee.proof"

static bool was_root;

/* root's directory is the machine's, so the test is somebody else. */
static int set_up(void)
{
	was_root = geteuid() == 0;
	if (tree_make())
		return -1;
	if (was_root && (chown(tree_path, NOBODY, NOBODY) || seteuid(NOBODY)))
		return -1;
	return setenv("XDG_CACHE_HOME", tree_path, 1);
}

static int clean_up(void)
{
	unsetenv("XDG_CACHE_HOME");
	if (was_root && seteuid(0))
		return -1;
	return tree_remove();
}

/* Three entries, the last of which only a proof tells the register of, and a return. */
struct found {
	struct interpreter in;
	struct probe_site entries[3], returns[1];
};

static struct interpreter *found_make(struct found *f)
{
	*f = (struct found){
		.in = {.build_id = "c0ffee", .machine = EM_X86_64, .major = 3, .minor = 11},
		.entries = {{.offset = 0x1000, .frame_reg = 3},
			    {.offset = 0x2000, .frame_reg = 3},
			    {.offset = 0x3000, .frame_reg = PROBE_NO_REG}},
		.returns = {{.offset = 0x4000, .frame_reg = 13}},
	};
	f->in.entries = (struct probe_sites){f->entries, 3};
	f->in.returns = (struct probe_sites){f->returns, 1};
	return &f->in;
}

static void expect_untouched(const struct found *f)
{
	CU_ASSERT_EQUAL(f->in.entries.n, 3);
	CU_ASSERT_EQUAL(f->in.returns.n, 1);
	CU_ASSERT_EQUAL(f->entries[2].frame_reg, PROBE_NO_REG);
}

static void expect_settled(const struct found *f)
{
	CU_ASSERT_EQUAL_FATAL(f->in.entries.n, 2);
	CU_ASSERT_EQUAL(f->entries[0].offset, 0x1000);
	CU_ASSERT_EQUAL(f->entries[1].offset, 0x3000);
	CU_ASSERT_EQUAL(f->entries[1].frame_reg, 5);
	CU_ASSERT_EQUAL_FATAL(f->in.returns.n, 1);
	CU_ASSERT_EQUAL(f->returns[0].frame_reg, 13);
}

static void expect_refused(void)
{
	struct found f;

	CU_ASSERT_EQUAL(proof_cache_get(found_make(&f)), -ENOENT);
	expect_untouched(&f);
}

/* As after a proof in which the second entry was never hit. */
static void put(const char *build_id)
{
	struct found before, after;

	found_make(&before);
	found_make(&after);
	strcpy(after.in.build_id, build_id);
	after.entries[1] = after.entries[2];
	after.entries[1].frame_reg = 5;
	after.in.entries.n = 2;
	proof_cache_put(&after.in, &before.in.entries, &before.in.returns);
}

static void put_anew(void)
{
	struct found f;

	unlink(tree_at(FILE_NAME));
	put("c0ffee");
	CU_ASSERT_EQUAL(proof_cache_get(found_make(&f)), 0);
}

static void test_kept(void)
{
	struct found f;
	char text[256] = "";
	FILE *in;

	expect_refused();
	put("c0ffee");
	CU_ASSERT_EQUAL(proof_cache_get(found_make(&f)), 0);
	expect_settled(&f);
	in = fopen(tree_at(FILE_NAME), "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(in);
	CU_ASSERT_TRUE(fread(text, 1, sizeof(text) - 1, in) > 0);
	fclose(in);
	CU_ASSERT_STRING_EQUAL(text, HEAD BODY "end\n");
}

static void test_malformed(void)
{
	static const char *const bad[] = {
		"", "\n", "end\n", HEAD, HEAD "end\n", HEAD BODY, HEAD BODY "end", HEAD BODY "end\n\n",
		HEAD BODY "end\nend\n", " " HEAD BODY "end\n",
		"pycost proof 0 " PYCOST_VERSION " 3.11\n" BODY "end\n",
		"pycost proof 1 0.0.0 3.11\n" BODY "end\n",
		PROOF_CACHE_VERSION " 3.1\n" BODY "end\n", PROOF_CACHE_VERSION " 3.12\n" BODY "end\n",
		/* other sites, fewer, more, in another order, of another kind */
		HEAD "e 1000 3\ne 2000 100\ne 3008 5\nr 4000 d\nend\n",
		HEAD "e 1000 3\ne 3000 5\nr 4000 d\nend\n", HEAD BODY "r 5000 d\nend\n",
		HEAD "e 2000 100\ne 1000 3\ne 3000 5\nr 4000 d\nend\n",
		HEAD "e 1000 3\ne 2000 100\ne 3000 5\ne 4000 d\nend\n",
		/* not the register that the code tells; none; none there is */
		HEAD "e 1000 4\ne 2000 100\ne 3000 5\nr 4000 d\nend\n",
		HEAD "e 1000 3\ne 2000 100\ne 3000 ff\nr 4000 d\nend\n",
		HEAD "e 1000 3\ne 2000 100\ne 3000 20\nr 4000 d\nend\n",
		HEAD "e 1000 3\ne 2000 100\ne 3000 13\nr 4000 d\nend\n",
		HEAD "e 1000 3\ne 2000 100\ne 3000 101\nr 4000 d\nend\n",
		HEAD "e 1000 3\ne 2000 100\ne 3000 100000005\nr 4000 d\nend\n",
		HEAD "e 1000 3\ne 2000 100\ne 3000 -5\nr 4000 d\nend\n",
		HEAD "e 1000 3\ne 2000 100\ne 3000 \nr 4000 d\nend\n",
		/* not as we write it */
		HEAD "e  1000 3\ne 2000 100\ne 3000 5\nr 4000 d\nend\n",
		HEAD "e 0x1000 3\ne 2000 100\ne 3000 5\nr 4000 d\nend\n",
		HEAD "e 1000 3 e 2000 100 e 3000 5 r 4000 d end\n",
		/* nothing would be left */
		HEAD "e 1000 100\ne 2000 100\ne 3000 100\nr 4000 d\nend\n",
		HEAD "e 1000 3\ne 2000 100\ne 3000 5\nr 4000 100\nend\n",
	};
	struct found f;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CU_ASSERT_EQUAL(proof_cache_parse(bad[i], found_make(&f)), -ENOENT);
		expect_untouched(&f);
		put_anew();
		CU_ASSERT_EQUAL(tree_write(FILE_NAME, bad[i]), 0);
		expect_refused();
	}
	CU_ASSERT_EQUAL(proof_cache_parse(HEAD BODY "end\n", found_make(&f)), 0);
	expect_settled(&f);
}

/* Cut anywhere, filled up with zeros, or too long. */
static void test_length(void)
{
	static const char whole[] = HEAD BODY "end\n";
	static char large[16384];
	struct found f;
	FILE *out;

	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		memcpy(large, whole, n);
		large[n] = 0;
		CU_ASSERT_EQUAL(proof_cache_parse(large, found_make(&f)), -ENOENT);
		put_anew();
		CU_ASSERT_EQUAL(truncate(tree_at(FILE_NAME), n), 0);
		expect_refused();
	}
	put_anew();
	CU_ASSERT_EQUAL(truncate(tree_at(FILE_NAME), sizeof(whole)), 0);
	expect_refused();
	memset(large, '\n', sizeof(large));
	memcpy(large, whole, sizeof(whole) - 1);
	out = fopen(tree_at(FILE_NAME), "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	fwrite(large, 1, sizeof(large), out);
	fclose(out);
	expect_refused();
}

static void test_foreign(void)
{
	put_anew();
	CU_ASSERT_EQUAL(chmod(tree_at(FILE_NAME), 0646), 0);
	expect_refused();
	CU_ASSERT_EQUAL(chmod(tree_at(FILE_NAME), 0664), 0);
	expect_refused();
	/* A directory in which others could replace it. */
	put_anew();
	CU_ASSERT_EQUAL(chmod(tree_at("pycost"), 0777), 0);
	expect_refused();
	put("beef");
	CU_ASSERT_NOT_EQUAL(access(tree_at("pycost/beef.proof"), F_OK), 0);
	CU_ASSERT_EQUAL(chmod(tree_at("pycost"), 0755), 0);
	if (!was_root)
		return;
	CU_ASSERT_EQUAL_FATAL(seteuid(0), 0);
	CU_ASSERT_EQUAL(chown(tree_at(FILE_NAME), NOBODY - 1, NOBODY), 0);
	CU_ASSERT_EQUAL(seteuid(NOBODY), 0);
	expect_refused();
	put_anew();
	CU_ASSERT_EQUAL_FATAL(seteuid(0), 0);
	CU_ASSERT_EQUAL(chown(tree_at("pycost"), NOBODY - 1, NOBODY), 0);
	CU_ASSERT_EQUAL(seteuid(NOBODY), 0);
	expect_refused();
	CU_ASSERT_EQUAL_FATAL(seteuid(0), 0);
	CU_ASSERT_EQUAL(chown(tree_at("pycost"), NOBODY, NOBODY), 0);
	CU_ASSERT_EQUAL(seteuid(NOBODY), 0);
}

/* Also a FIFO, which is not waited for. */
static void test_no_file(void)
{
	struct stat st;

	put_anew();
	CU_ASSERT_EQUAL(rename(tree_at(FILE_NAME), tree_at("elsewhere")), 0);
	CU_ASSERT_EQUAL(symlink(tree_at("elsewhere"), tree_at(FILE_NAME)), 0);
	expect_refused();
	/* What is put replaces the link and not what it leads to. */
	CU_ASSERT_EQUAL(tree_write("elsewhere", "kept"), 0);
	put("c0ffee");
	CU_ASSERT_EQUAL(stat(tree_at("elsewhere"), &st), 0);
	CU_ASSERT_EQUAL(st.st_size, 4);
	CU_ASSERT_EQUAL(lstat(tree_at(FILE_NAME), &st), 0);
	CU_ASSERT_TRUE(S_ISREG(st.st_mode));
	unlink(tree_at(FILE_NAME));
	CU_ASSERT_EQUAL(mkfifo(tree_at(FILE_NAME), 0600), 0);
	expect_refused();
	unlink(tree_at(FILE_NAME));
	CU_ASSERT_EQUAL(mkdir(tree_at(FILE_NAME), 0700), 0);
	expect_refused();
	CU_ASSERT_EQUAL(rmdir(tree_at(FILE_NAME)), 0);
	/* The directory itself. */
	put_anew();
	CU_ASSERT_EQUAL(rename(tree_at("pycost"), tree_at("theirs")), 0);
	CU_ASSERT_EQUAL(symlink(tree_at("theirs"), tree_at("pycost")), 0);
	expect_refused();
	unlink(tree_at("pycost"));
	CU_ASSERT_EQUAL(rename(tree_at("theirs"), tree_at("pycost")), 0);
}

static void test_no_build_id(void)
{
	struct found f;

	put("");
	CU_ASSERT_NOT_EQUAL(access(tree_at("pycost/.proof"), F_OK), 0);
	found_make(&f);
	f.in.build_id[0] = 0;
	CU_ASSERT_EQUAL(tree_write("pycost/.proof", HEAD BODY "end\n"), 0);
	CU_ASSERT_EQUAL(proof_cache_get(&f.in), -ENOENT);
	expect_untouched(&f);
}

int suite_proof_cache(void)
{
	CU_pSuite s = CU_add_suite("proof_cache", set_up, clean_up);

	return !s || !CU_ADD_TEST(s, test_kept) || !CU_ADD_TEST(s, test_malformed) ||
	       !CU_ADD_TEST(s, test_length) || !CU_ADD_TEST(s, test_foreign) ||
	       !CU_ADD_TEST(s, test_no_file) || !CU_ADD_TEST(s, test_no_build_id);
}
