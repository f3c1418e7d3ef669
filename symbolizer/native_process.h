/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a process has code, and from which files. */
#ifndef PYCOST_NATIVE_PROCESS_H
#define PYCOST_NATIVE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/perf_map.h"

struct strpool;

enum native_kind {
	KIND_FILE,
	KIND_VDSO,
	KIND_MADE,  /* by the process, at run time */
	KIND_OTHER, /* [vsyscall], [uprobes] … */
};

struct native_mapping {
	uint64_t start, end, offset;
	dev_t dev; /* with inode: as /proc/PID/maps tells */
	ino_t inode;
	const char *path;   /* in the strpool */
	const char *object; /* the same, as the process calls it, once asked; or NULL */
	enum native_kind kind;
	bool deleted;
	bool checked; /* whether the file cached under dev and inode is this one */
	bool foreign; /* it is not */
	bool is_elf;  /* it was read as one */
};

struct native_process {
	pid_t pid;
	struct native_mapping *v; /* executable ones, by address */
	size_t n;
	uint64_t lost;	     /* mappings beyond the limit */
	uint64_t read_at;    /* CLOCK_MONOTONIC, ns; 0: never */
	uint64_t wait;	     /* ns until they may be read again */
	struct perf_map map; /* names of code made at run time */
	uint64_t map_read_at;
};

/* Reads /proc/PID/maps anew.  -ESRCH no such process, -EACCES, -EPERM, -ENOMEM. */
int native_process_read(struct native_process *p, struct strpool *strings);
void native_process_clear(struct native_process *p);

/* NULL: the address is in none of its mappings. */
struct native_mapping *native_process_find(const struct native_process *p, uint64_t ip);

/* Reads what the process's perf map has got; as perf_map_update(). */
int native_process_read_map(struct native_process *p);

/* /proc/PID/root; close fs->root_fd.  -errno of open(2). */
int native_process_root(pid_t pid, struct rootfs *ret);

#endif
