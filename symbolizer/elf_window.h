/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A span of an ELF file, seen through a window that follows what is read. */
#ifndef PYCOST_ELF_WINDOW_H
#define PYCOST_ELF_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/elf_file.h"

#define ELF_WINDOW_SIZE 16384

struct elf_window {
	struct elf_file *file;
	uint64_t offset, size; /* of the span, in the file */
	uint64_t at;	       /* of the window, in the span */
	size_t n;	       /* bytes in the window */
	unsigned moves;
	char bytes[ELF_WINDOW_SIZE];
};

void elf_window_init(struct elf_window *w, struct elf_file *f, const struct elf_span *span);

/*
 * Bytes from this position of the span on, at least min of them: *ret_n says how
 * many there are.  Valid until the next call.  NULL when the span or the file has
 * not so many, or when the window moved so often that only a hostile file can be
 * the cause.
 */
const char *elf_window_at(struct elf_window *w, uint64_t at, size_t min, size_t *ret_n);

/* A string that ends in the span and fits into a window; else NULL. */
const char *elf_window_string(struct elf_window *w, uint64_t at, size_t *ret_len);

#endif
