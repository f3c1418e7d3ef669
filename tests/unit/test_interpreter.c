/* SPDX-License-Identifier: GPL-2.0-or-later */
/* With whatever /usr/bin/python3 is; without one, the live tests say so. */
#include <CUnit/CUnit.h>
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "symbolizer/interpreter.h"
#include "tests/unit/tree.h"

#define PYTHON "/usr/bin/python3"

/* A process that runs `file` as python, once it has told that it does; or -1. */
static pid_t start_python(const char *file)
{
	int ready[2];
	char byte;
	pid_t child;

	if (access(file, X_OK)) {
		printf(" (skipped: no %s) ", file);
		return -1;
	}
	CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		dup2(ready[1], 1);
		close(ready[0]);
		execl(file, "python3", "-S", "-c",
		      "import time; print(flush=True); time.sleep(60)", NULL);
		_exit(1);
	}
	close(ready[1]);
	CU_ASSERT_EQUAL(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static void stop(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* The tp_name of the type object at this address in the process. */
static void read_type_name(pid_t pid, uint64_t type, char ret[16])
{
	uint64_t name = 0;
	struct iovec local = { &name, sizeof(name) };
	struct iovec remote = { (void *)(uintptr_t)(type + 24), sizeof(name) };

	CU_ASSERT_EQUAL(process_vm_readv(pid, &local, 1, &remote, 1, 0), sizeof(name));
	local = (struct iovec){ ret, 15 };
	remote = (struct iovec){ (void *)(uintptr_t)name, 15 };
	CU_ASSERT_EQUAL(process_vm_readv(pid, &local, 1, &remote, 1, 0), 15);
	ret[15] = 0;
}

static void check_live(pid_t child)
{
	struct interpreter in = { 0 };
	char name[16] = "";

	CU_ASSERT_EQUAL_FATAL(interpreter_find(child, &in), 0);
	CU_ASSERT_EQUAL(in.major, 3);
	CU_ASSERT(in.minor >= 6);
	CU_ASSERT_EQUAL(access(in.path, R_OK), 0);
	CU_ASSERT(in.inode != 0);
	read_type_name(child, in.function_type, name);
	CU_ASSERT_STRING_EQUAL(name, "function");
	CU_ASSERT_EQUAL(in.probes != PROBES_ABSENT, in.sites_reason == NULL);
	if (in.probes != PROBES_ABSENT)
		CU_ASSERT(in.entries.n && in.returns.n);
	for (size_t i = 0; i < in.entries.n; i++) {
		if (in.entries.v[i].kind != SITE_NOTE)
			continue;
		CU_ASSERT_STRING_EQUAL(in.entries.v[i].name, "function__entry");
		CU_ASSERT_EQUAL(in.entries.v[i].n_args, 3);
		CU_ASSERT(in.entries.v[i].offset != 0);
	}
	interpreter_clear(&in);
}

static void test_live(void)
{
	pid_t child = start_python(PYTHON);

	if (child < 0)
		return;
	check_live(child);
	stop(child);
}

static int copy_file(const char *from, const char *to)
{
	char command[1024];

	snprintf(command, sizeof(command), "cp -L '%s' '%s'", from, to);
	return system(command);
}

/* Deleted under the process, and then another file of that name. */
static void test_replaced(void)
{
	struct interpreter in = { 0 };
	pid_t child;
	int err;

	if (access(PYTHON, X_OK))
		return;
	CU_ASSERT_EQUAL_FATAL(copy_file(PYTHON, tree_at("python3")), 0);
	child = start_python(tree_at("python3"));
	CU_ASSERT_EQUAL(unlink(tree_at("python3")), 0);
	CU_ASSERT_EQUAL(tree_write("python3", "another"), 0);
	err = interpreter_find(child, &in);
	/* /proc/PID/map_files takes a capability. */
	CU_ASSERT(err == 0 || err == -ESTALE || err == -EPERM || err == -EACCES);
	if (!err) {
		interpreter_clear(&in);
		check_live(child);
	}
	stop(child);
}

static void test_not_python(void)
{
	struct interpreter in = { .major = 42 };
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	CU_ASSERT_EQUAL(interpreter_find(child, &in), -ENOENT);
	stop(child);
	CU_ASSERT_EQUAL(interpreter_find(child, &in), -ESRCH);
	CU_ASSERT_EQUAL(in.major, 42);
}

static void test_commands(void)
{
	struct interpreter in = { 0 };

	CU_ASSERT_EQUAL(tree_write("sh-script", "#!/bin/sh\nexec python3\n"), 0);
	CU_ASSERT_EQUAL(chmod(tree_at("sh-script"), 0755), 0);
	CU_ASSERT_EQUAL(interpreter_open_path(tree_at("sh-script"), NULL, &in), -ENOENT);
	CU_ASSERT_EQUAL(interpreter_open_path("python3", "/nowhere", &in), -ENOENT);
	if (access(PYTHON, X_OK))
		return;
	CU_ASSERT_EQUAL(tree_write("script", "#!/usr/bin/env -S python3 -E\n"), 0);
	CU_ASSERT_EQUAL(chmod(tree_at("script"), 0755), 0);
	CU_ASSERT_EQUAL_FATAL(interpreter_open_path(tree_at("script"), "/usr/bin", &in), 0);
	CU_ASSERT_EQUAL(in.bias, 0);
	CU_ASSERT(in.function_type != 0);
	interpreter_clear(&in);
}

static void test_exact_reason(void)
{
	struct interpreter in = { .machine = EM_X86_64, .major = 3, .probes = PROBES_NOTED };

	for (in.minor = 0; in.minor <= 17; in.minor++) {
		bool possible = in.minor >= 6 && in.minor <= 15;

		in.probes = PROBES_NOTED;
		CU_ASSERT_EQUAL(interpreter_exact_reason(&in) == NULL, possible);
		in.probes = PROBES_SITES;
		CU_ASSERT_EQUAL(interpreter_exact_reason(&in) == NULL, possible);
	}
	in.minor = 15;
	in.free_threaded = true;
	CU_ASSERT_PTR_NOT_NULL_FATAL(interpreter_exact_reason(&in));
	CU_ASSERT_PTR_NOT_NULL(strstr(interpreter_exact_reason(&in), "--mode sample"));
	in.free_threaded = false;
	in.probes = PROBES_ABSENT;
	CU_ASSERT_PTR_NOT_NULL(interpreter_exact_reason(&in));
	in.sites_reason = "a reason";
	CU_ASSERT_STRING_EQUAL(interpreter_exact_reason(&in), "a reason");
	in.probes = PROBES_NOTED;
	in.machine = EM_S390;
	CU_ASSERT_PTR_NOT_NULL(interpreter_exact_reason(&in));
	in = (struct interpreter){ .machine = EM_AARCH64, .major = 2, .minor = 7 };
	CU_ASSERT_PTR_NOT_NULL(interpreter_exact_reason(&in));
}

int suite_interpreter(void)
{
	CU_pSuite s = CU_add_suite("interpreter", tree_make, tree_remove);

	return !s || !CU_ADD_TEST(s, test_live) || !CU_ADD_TEST(s, test_replaced) ||
	       !CU_ADD_TEST(s, test_not_python) || !CU_ADD_TEST(s, test_commands) ||
	       !CU_ADD_TEST(s, test_exact_reason);
}
