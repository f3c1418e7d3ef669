/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names for addresses in processes: what a sample's instruction pointer was in.
 *
 * Of each process the mappings are read at its first address, and again when an
 * address is in none of them; not often, if that never helps.  Files are read
 * when an address in them is asked for, through the process's own root, and no
 * path that a process gives leads out of it.  Nothing is held open.  A function
 * counts only for the addresses within its size: a stripped file's nearest name
 * would be a wrong one.
 *
 * Not for several threads at once.
 */
#ifndef PYCOST_NATIVE_H
#define PYCOST_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct natives;

struct natives_options {
	bool debuginfod;  /* ask the servers of $DEBUGINFOD_URLS for what is missing */
	size_t max_bytes; /* for all tables of names; 0: 8 MiB */
};

/*
 * -ENOMEM; with debuginfod: -EDESTADDRREQ when $DEBUGINFOD_URLS names no server,
 * -ENOENT when debuginfod-find (Debian's package debuginfod) is not installed.
 */
int natives_new(const struct natives_options *options, struct natives **ret);
void natives_free(struct natives *n);

/* All strings last until natives_free(), the same pointer for equal strings. */
struct native_name {
	const char *symbol; /* as the file spells it, for native_role(); "": unknown */
	const char *name;   /* as its author wrote it: C++, Rust and Cython undone */
	const char *object; /* as the process calls it, "[vdso]", "[jit]"; "": unknown */
	uint64_t offset;    /* bytes from the symbol's start; of an unknown one, in the
			       object's file */
};

/*
 * 0 when at least the object is known.  -ENOENT: the process has nothing mapped
 * there; -ESRCH: it has ended, and was not known before; -EACCES or -EPERM: we may
 * not see its mappings; -ENOMEM.  *ret is always set, then to unknown.
 *
 * A name is never waited for: see natives_poll().
 */
int natives_resolve(struct natives *n, pid_t pid, uint64_t ip, struct native_name *ret);

/* The process has ended, or become another program. */
void natives_forget(struct natives *n, pid_t pid);

/*
 * To be called now and then, when debuginfod is asked, which takes seconds to
 * minutes in the background.  True when something came: addresses that were
 * unknown may be resolved now.  natives_pending(): something may still come.
 */
bool natives_poll(struct natives *n);
bool natives_pending(const struct natives *n);

struct natives_stats {
	uint64_t map_reads;	  /* of a process's mappings */
	uint64_t lost_mappings;	  /* more than one process may have */
	uint64_t lost_strings;	  /* the pool was full: shown as unknown */
	uint64_t dropped_processes; /* more than are kept; read again when needed */
	uint64_t file_reads, failed_files;
	uint64_t evicted_tables; /* for others; read again when needed */
	uint64_t lost_symbols;	 /* did not fit into their file's table */
	uint64_t lost_map_lines; /* of perf maps: malformed, or did not fit */
	uint64_t fetched_files;	 /* by debuginfod */
	size_t files, tables, processes, table_bytes;
};

void natives_stats(const struct natives *n, struct natives_stats *ret);

#endif
