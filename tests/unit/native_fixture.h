/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared objects made by the C compiler for a test, in the tree of tree.h. */
#ifndef PYCOST_TEST_NATIVE_FIXTURE_H
#define PYCOST_TEST_NATIVE_FIXTURE_H

#include <stdarg.h>

#include "tests/unit/tree.h"

static const char fixture_source[] =
	"#include <unistd.h>\n"
	"__attribute__((noinline, used)) static int hidden(int a) { return a * 7 + 1; }\n"
	"int shown(int a) { return hidden(a) + (int)getppid(); }\n"
	"int __shown(int a) __attribute__((alias(\"shown\")));\n"
	"int __pyx_f_3mod_3Cls_run(int a) { return a + 2; }\n"
	"int _ZN3one3twoEi(int a) { return a + 3; }\n";

/* A shell command; whether it succeeded. */
static inline int fixture_run(const char *format, ...)
{
	char command[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command) == 0;
}

/*
 * In the tree: full.so, full.debug (what objcopy --only-keep-debug leaves of it)
 * and stripped.so.  0 when there is no compiler here.
 */
static inline int fixture_make(void)
{
	if (!fixture_run("command -v gcc objcopy strip >/dev/null 2>&1"))
		return 0;
	return !tree_write("full.c", fixture_source) &&
	       fixture_run("cd %s && gcc -O1 -shared -fPIC -Wl,--build-id=sha1 -o full.so full.c &&"
			   " objcopy --only-keep-debug full.so full.debug &&"
			   " strip -o stripped.so full.so",
			   tree_path);
}

#endif
