/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that processes have mapped, their functions read when first asked
 * for.  A file is known by its device and inode, and equal tables of different
 * files (one library in a hundred containers) are kept once.  It is the content
 * that is compared: a build-id is only what a file says of itself, and a hostile
 * one could give its names to all others.
 */
#ifndef PYCOST_NATIVE_FILES_H
#define PYCOST_NATIVE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct native_files;
struct native_mapping;
struct native_table;

/* What is kept, and what was given up. */
struct native_files_stats {
	uint64_t reads;	  /* of a file's names */
	uint64_t failed;  /* of them: no ELF file, or not to be opened */
	uint64_t evicted; /* tables dropped for others; read again when needed */
	uint64_t lost;	  /* functions that did not fit into their table */
	uint64_t fetched; /* debug files that debuginfod brought */
	size_t files, tables, bytes;
};

/* max_bytes for all tables.  NULL: no memory. */
struct native_files *native_files_new(size_t max_bytes, bool debuginfod);
void native_files_free(struct native_files *f);

struct native_place {
	uint64_t table;	  /* never 0, never used again for another */
	size_t index;	  /* of the function in it */
	const char *name; /* as the file spells it; until the next call */
	uint64_t offset;  /* from the function's start, bytes */
	const struct native_table *functions; /* until the next call */
};

/*
 * The function at this address of a process's mapping of a file, or of its vdso.
 * -ENOENT: none is known there.  -ENOMEM.
 */
int native_files_find(struct native_files *f, pid_t pid, struct native_mapping *m, uint64_t ip,
		      struct native_place *ret);

/* Goes on with what debuginfod has to bring; true when there are new names. */
bool native_files_poll(struct native_files *f);
/* There is something left to come. */
bool native_files_pending(const struct native_files *f);

void native_files_stats(const struct native_files *f, struct native_files_stats *ret);

#endif
