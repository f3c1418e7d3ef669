/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "symbolizer/rootfs.h"
#include "tests/unit/tree.h"

static struct rootfs fs;

static int make_root(void)
{
	if (tree_make() || tree_directory("outside") || tree_directory("root") ||
	    tree_directory("root/dir") || tree_directory("root/dir/sub") ||
	    tree_write("secret", "secret") || tree_write("root/dir/file", "content"))
		return -1;
	if (symlink(tree_at("secret"), tree_at("root/absolute")) ||
	    symlink("../../../secret", tree_at("root/dir/upward")) ||
	    symlink("/dir/file", tree_at("root/inside")) ||
	    symlink("../dir/./sub/..//file", tree_at("root/dir/winding")) ||
	    symlink("loop", tree_at("root/loop")) || symlink("dir", tree_at("root/alias")) ||
	    mkfifo(tree_at("root/fifo"), 0600))
		return -1;
	fs.root_fd = tree_open("root");
	fs.cwd_fd = tree_open("root/dir");
	return fs.root_fd < 0 || fs.cwd_fd < 0;
}

static int remove_root(void)
{
	close(fs.root_fd);
	close(fs.cwd_fd);
	return tree_remove();
}

static int open_error(const char *path)
{
	int fd = rootfs_open(&fs, path, O_RDONLY);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* Each path with what opening it must give; in both ways of walking. */
static int count_differences(void)
{
	static const struct {
		const char *path;
		int expected;
	} cases[] = {
		{ "/dir/file", 0 },
		{ "/dir//./file", 0 },
		{ "/inside", 0 },
		{ "/alias/file", 0 },
		{ "/alias/sub/../file", 0 },
		{ "/dir/winding", 0 },
		{ "/../../dir/file", 0 }, /* ".." at the root stays there */
		{ "/", 0 },
		{ "/absolute", -ENOENT },
		{ "/dir/upward", -ENOENT },
		{ "/loop", -ELOOP },
		{ "/dir/file/x", -ENOTDIR },
		{ "/missing", -ENOENT },
		{ "file", 0 },
		{ "sub/../file", 0 },
		{ "winding", -EXDEV },
		{ "../dir/file", -EXDEV },
		{ "upward", -EXDEV },
		{ "", -ENOENT },
	};
	int differences = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		differences += open_error(cases[i].path) != cases[i].expected;
	return differences;
}

static void test_confined(void)
{
	CU_ASSERT_EQUAL(count_differences(), 0);
}

/* From here on, this process's kernel is one without openat2(). */
static int forbid_openat2(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void test_confined_without_openat2(void)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(forbid_openat2() ? 100 : count_differences());
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_TRUE(WIFEXITED(status));
	CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
}

static void test_read(void)
{
	char *text = NULL;
	size_t len = 0;

	CU_ASSERT_EQUAL_FATAL(rootfs_read(&fs, "/inside", 7, &text, &len), 0);
	CU_ASSERT_EQUAL(len, 7);
	CU_ASSERT_EQUAL(memcmp(text, "content", 7), 0);
	free(text);
	CU_ASSERT_EQUAL(rootfs_read(&fs, "/inside", 6, &text, &len), -EFBIG);
	CU_ASSERT_EQUAL(rootfs_read(&fs, "/dir", 100, &text, &len), -EINVAL);
	CU_ASSERT_EQUAL(rootfs_read(&fs, "/fifo", 100, &text, &len), -EINVAL);
}

int suite_rootfs(void)
{
	CU_pSuite s = CU_add_suite("rootfs", make_root, remove_root);

	return !s || !CU_ADD_TEST(s, test_confined) ||
	       !CU_ADD_TEST(s, test_confined_without_openat2) || !CU_ADD_TEST(s, test_read);
}
