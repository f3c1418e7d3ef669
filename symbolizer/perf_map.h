/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /tmp/perf-PID.map, in which compilers that run in a process (JITs, CPython's
 * perf trampoline since 3.12) name the code they made: "START SIZE NAME" a line,
 * both numbers in hex; tools/perf/Documentation/jit-interface.txt of Linux.
 */
#ifndef PYCOST_PERF_MAP_H
#define PYCOST_PERF_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/rootfs.h"

struct native_table;

/* A line without its newline.  -EINVAL when it is not of that form. */
struct perf_map_line {
	uint64_t start, size;
	const char *name; /* in the line, not terminated */
	size_t name_len;
};
int perf_map_parse(const char *line, size_t len, struct perf_map_line *ret);

/* One process's file, as far as it has been read. */
struct perf_map {
	struct native_table *table; /* NULL: nothing was read yet */
	uint64_t inode, read;	    /* bytes, whole lines */
	uint64_t skipped;	    /* lines that are no such lines */
};

/*
 * Reads what the file has got since last time.  The name of a process is its pid
 * in its own namespace, and the file must be the user's own or root's: nobody
 * else names their code.  0 also when nothing is new.  -ENOENT no such file,
 * -EPERM another's file, -EINVAL no regular file, -ENOSPC the table is full.
 */
int perf_map_update(struct perf_map *m, const struct rootfs *fs, int namespace_pid, uint32_t uid);
void perf_map_free(struct perf_map *m);

#endif
