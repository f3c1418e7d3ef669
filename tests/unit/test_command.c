/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <limits.h>

#include "symbolizer/command.h"
#include "tests/unit/tree.h"

/* What it leads to, or NULL. */
static const char *resolve(const char *command)
{
	static char path[PATH_MAX];
	char *found;

	if (command_executable(command, tree_at("bin"), &found))
		return NULL;
	snprintf(path, sizeof(path), "%s", found);
	free(found);
	return path;
}

static int error_of(const char *command)
{
	char *found = NULL;
	int err = command_executable(command, tree_at("bin"), &found);

	free(found);
	return err;
}

static void write_script(const char *name, const char *first_line)
{
	CU_ASSERT_EQUAL(tree_write(name, first_line), 0);
	CU_ASSERT_EQUAL(chmod(tree_at(name), 0755), 0);
}

static int make_commands(void)
{
	char self[PATH_MAX];

	if (tree_make() || tree_directory("bin") || !realpath("/proc/self/exe", self))
		return -1;
	return symlink(self, tree_at("bin/python3.15")) || symlink("python3.15", tree_at("bin/python"));
}

static void test_executables(void)
{
	char self[PATH_MAX];

	CU_ASSERT_PTR_NOT_NULL_FATAL(realpath("/proc/self/exe", self));
	CU_ASSERT_STRING_EQUAL(resolve("python"), self);
	CU_ASSERT_STRING_EQUAL(resolve(self), self);
	CU_ASSERT_STRING_EQUAL(resolve(tree_at("bin/python")), self);
	CU_ASSERT_EQUAL(error_of("no-such-command"), -ENOENT);
	CU_ASSERT_EQUAL(error_of("/no/such/command"), -ENOENT);
	CU_ASSERT_EQUAL(error_of(tree_path), -EACCES);
	CU_ASSERT_EQUAL(error_of(""), -ENOENT);
}

static void test_scripts(void)
{
	char line[256], self[PATH_MAX];

	CU_ASSERT_PTR_NOT_NULL_FATAL(realpath("/proc/self/exe", self));
	write_script("bin/env-script", "#!/usr/bin/env python3.15\n");
	CU_ASSERT_STRING_EQUAL(resolve("env-script"), self);
	write_script("bin/env-options", "#!/usr/bin/env -S A=1 -u B -i python3.15 -X dev\n");
	CU_ASSERT_STRING_EQUAL(resolve("env-options"), self);
	snprintf(line, sizeof(line), "#! %s -E", tree_at("bin/python"));
	write_script("bin/direct", line);
	CU_ASSERT_STRING_EQUAL(resolve("direct"), self);
	snprintf(line, sizeof(line), "#!%s\n", tree_at("bin/direct"));
	write_script("bin/indirect", line);
	CU_ASSERT_STRING_EQUAL(resolve("indirect"), self);
}

static void test_bad_scripts(void)
{
	char line[256];

	snprintf(line, sizeof(line), "#!%s\n", tree_at("bin/loop"));
	write_script("bin/loop", line);
	CU_ASSERT_EQUAL(error_of("loop"), -ELOOP);
	write_script("bin/empty", "");
	CU_ASSERT_EQUAL(error_of("empty"), -ENOEXEC);
	write_script("bin/nothing", "#!  \n");
	CU_ASSERT_EQUAL(error_of("nothing"), -ENOEXEC);
	write_script("bin/only-env", "#!/usr/bin/env -i A=1\n");
	CU_ASSERT_EQUAL(error_of("only-env"), -ENOEXEC);
	write_script("bin/dangling", "#!/no/such/python\n");
	CU_ASSERT_EQUAL(error_of("dangling"), -ENOENT);
}

static void test_library(void)
{
	char *found;

	CU_ASSERT_EQUAL_FATAL(command_library("/proc/self/exe", "libelf", &found), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(found, "/libelf"));
	free(found);
	CU_ASSERT_EQUAL(command_library("/proc/self/exe", "libpython", &found), -ENOENT);
}

int suite_command(void)
{
	CU_pSuite s = CU_add_suite("command", make_commands, tree_remove);

	return !s || !CU_ADD_TEST(s, test_executables) || !CU_ADD_TEST(s, test_scripts) ||
	       !CU_ADD_TEST(s, test_bad_scripts) || !CU_ADD_TEST(s, test_library);
}
