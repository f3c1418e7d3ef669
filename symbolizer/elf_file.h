/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One ELF file on disk, read through libelf: 64-bit little-endian executables
 * and shared objects.  Nothing is mapped, so a file cut short under us is an
 * error and never a SIGBUS.
 *
 * "vaddr" is an address as the file's own headers count; a process has it at
 * vaddr + load bias.  "Offset" is a position in the file.
 * Errors everywhere: -ENOENT for what the file does not have, -EINVAL for what
 * is malformed, -ENOMEM, and read errors.
 */
#ifndef PYCOST_ELF_FILE_H
#define PYCOST_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct elf_file;

struct elf_section {
	uint64_t vaddr;
	uint64_t offset;
	const unsigned char *data; /* owned by the elf_file */
	size_t size;
};

/* The descriptor is duplicated.  -ENOEXEC: not an ELF file that we read. */
int elf_file_open(int fd, struct elf_file **ret);
/* The bytes are borrowed until elf_file_free(). */
int elf_file_open_memory(const void *bytes, size_t size, struct elf_file **ret);
void elf_file_free(struct elf_file *f);

unsigned elf_file_machine(const struct elf_file *f); /* EM_X86_64, EM_AARCH64… */
bool elf_file_is_pie(const struct elf_file *f);      /* or a shared object */

/* Lower-case hex, "" when there is none.  -ENAMETOOLONG when it does not fit. */
#define ELF_BUILD_ID_SIZE 65
int elf_file_build_id(struct elf_file *f, char ret_hex[ELF_BUILD_ID_SIZE]);

/* A section by name, with its content; -EFBIG above 64 MiB. */
int elf_file_section(struct elf_file *f, const char *name, struct elf_section *ret);

/* What a section's header says, its content unread. */
struct elf_span {
	const char *name; /* owned by the elf_file */
	uint32_t type;	  /* SHT_SYMTAB… */
	uint32_t link;	  /* index of the section it refers to */
	uint64_t vaddr, offset, size;
};

/* By index, from 1 on.  -ENOENT after the last. */
int elf_file_span(struct elf_file *f, size_t index, struct elf_span *ret);
int elf_file_span_named(struct elf_file *f, const char *name, struct elf_span *ret);

/* Up to size bytes of the file, fewer at its end; or -errno. */
ssize_t elf_file_bytes(struct elf_file *f, uint64_t offset, void *ret, size_t size);

/* A defined symbol of .dynsym or .symtab. */
int elf_file_symbol(struct elf_file *f, const char *name, uint64_t *ret_vaddr);
/* A function, and its size as the symbol has it: 0 when it has none. */
int elf_file_function(struct elf_file *f, const char *name, uint64_t *ret_vaddr,
		      uint64_t *ret_size);
/* 0: there is none, or its size is not told. */
uint64_t elf_file_symbol_size(struct elf_file *f, const char *name);

int elf_file_vaddr_to_offset(struct elf_file *f, uint64_t vaddr, uint64_t *ret_offset);

/* vaddr of the first byte of an executable mapping that starts at this offset. */
int elf_file_code_vaddr(struct elf_file *f, uint64_t offset, uint64_t *ret_vaddr);

/*
 * The n-th loadable segment with code: file offsets [*ret_offset, *ret_offset +
 * *ret_size) are at *ret_vaddr on.  Whole pages, as they are mapped.  -ENOENT
 * after the last.
 */
int elf_file_code_segment(struct elf_file *f, size_t n, uint64_t *ret_vaddr, uint64_t *ret_offset,
			  uint64_t *ret_size);

/* The file's bytes at vaddr (for initialised data: before relocation). */
int elf_file_read(struct elf_file *f, uint64_t vaddr, void *ret, size_t size);

/*
 * The n-th string of a dynamic tag, DT_NEEDED, DT_SONAME, DT_RUNPATH or
 * DT_RPATH; owned by the elf_file.  NULL after the last.
 */
const char *elf_file_dynamic(struct elf_file *f, int64_t tag, size_t n);
/* The vaddr that a dynamic tag holds: DT_INIT, DT_FINI. */
int elf_file_dynamic_vaddr(struct elf_file *f, int64_t tag, uint64_t *ret_vaddr);

uint64_t elf_file_entry(const struct elf_file *f); /* vaddr; 0: it has none */

#endif
