/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line of /proc/PID/maps, as fs/proc/task_mmu.c of Linux writes it:
 *
 *   559fc0a00000-559fc0e61000 r-xp 00023000 fe:01 1234   /usr/bin/python3.11
 */
#ifndef PYCOST_PROCMAP_H
#define PYCOST_PROCMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct procmap {
	uint64_t start, end; /* addresses; end is exclusive */
	uint64_t offset;     /* in the file, bytes */
	uint64_t inode;	     /* 0: no file */
	uint32_t dev_major, dev_minor;
	bool executable;
	bool deleted;	     /* the path ended in " (deleted)", which is taken off */
	const char *path;    /* in the line, not terminated; also "[heap]" or "" */
	size_t path_len;     /* the kernel writes a newline in it as \012 */
};

/* A line without its newline.  -EINVAL when the kernel cannot have written it. */
int procmap_parse(const char *line, size_t len, struct procmap *ret);

/*
 * The path with "\012" turned back into newlines, terminated.
 * -ENAMETOOLONG when it does not fit into size bytes.
 */
int procmap_path(const struct procmap *map, char *ret, size_t size);

#endif
