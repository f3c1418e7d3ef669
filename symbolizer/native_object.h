/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one mapped file says of its functions. */
#ifndef PYCOST_NATIVE_OBJECT_H
#define PYCOST_NATIVE_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/elf_file.h"
#include "symbolizer/rootfs.h"

struct native_table;

#define OBJECT_SEGMENTS 8

struct native_object {
	struct native_table *table; /* functions by vaddr; NULL: none */
	struct {
		uint64_t vaddr, offset, size;
	} code[OBJECT_SEGMENTS];
	unsigned n_code;
	bool whole; /* the names of static functions were found too */
	char build_id[ELF_BUILD_ID_SIZE];
};

struct native_object_source {
	const struct rootfs *target; /* NULL: no debug files of its own */
	const struct rootfs *own;    /* ours; NULL: not looked at */
	const char *path;	     /* as target calls it */
	int debug_fd;		     /* a debug file found elsewhere; -1: none */
	size_t max_bytes;	     /* for the table */
};

/*
 * Reads the file's .symtab, or else that of its debug file or .gnu_debugdata;
 * .dynsym and the PLT's stubs in any case.  What is damaged is left out.
 * -ENOEXEC: no ELF file that we read; -ENOMEM.  *ret is untouched then.
 */
int native_object_read(struct elf_file *f, const struct native_object_source *source,
		       struct native_object *ret);
void native_object_clear(struct native_object *o);

/* The address, as the file counts, of what is mapped from this offset. */
bool native_object_vaddr(const struct native_object *o, uint64_t offset, uint64_t *ret);

#endif
