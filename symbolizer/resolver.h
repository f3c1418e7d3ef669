/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a code object is called: its module, class and qualified name, from the
 * facts that the kernel side could read of it and, for Python before 3.11, from
 * its source file.
 *
 * One resolver serves all processes with the same root and working directory.
 * Bounded: 256 files' scopes or 4 MiB of them, and 8 MiB of strings.
 */
#ifndef PYCOST_RESOLVER_H
#define PYCOST_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

struct resolver;

/* All text is UTF-8; NULL is the same as "". */
struct code_facts {
	const char *filename;	      /* co_filename */
	const char *name;	      /* co_name */
	const char *qualname;	      /* co_qualname; NULL before 3.11 */
	const char *wrapped_qualname; /* __qualname__ of the function it wraps; NULL: none */
	uint32_t firstlineno;	      /* co_firstlineno; 0: unknown */
	int minor;		      /* of Python 3 */
};

/* Strings are never NULL and are the resolver's, until it is freed. */
struct code_name {
	const char *module;
	const char *class_name; /* "" when it is no class's function */
	const char *qualname;
	const char *name;
	const char *file;
	const char *wraps; /* "" when it wraps nothing */
	uint32_t line;	   /* 0: unknown */
	bool unresolved;   /* qualname is only the bare name */
};

/*
 * root_fd and cwd_fd (of /proc/PID/root and /proc/PID/cwd, O_PATH is enough; -1:
 * none) are duplicated.  NULL: no memory or descriptors.
 */
struct resolver *resolver_new(int root_fd, int cwd_fd);
void resolver_free(struct resolver *r);

/*
 * Source that is not there, or too large, is no error: see unresolved.
 * -ENOSPC when the room for strings, or the memory, is used up.
 */
int resolver_resolve(struct resolver *r, const struct code_facts *in, struct code_name *ret);

#endif
