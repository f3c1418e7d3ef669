/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Line tables, each kept once, in however many processes and code objects it is met.
 * Bounded: 8 MiB of them.
 */
#ifndef PYCOST_LINE_STORE_H
#define PYCOST_LINE_STORE_H

#include <stddef.h>
#include <stdint.h>

struct line_store;

int line_store_new(struct line_store **ret);
void line_store_free(struct line_store *s);

/*
 * The number, from 1, of a table as line_number() takes it, which is copied.
 * -ENOSPC, -ENOMEM.
 */
int line_store_add(struct line_store *s, int minor, uint32_t firstlineno, const uint8_t *table,
		   size_t size, size_t whole, uint32_t *ret);

/* The line of an instruction; 0 when that is not known, or table is 0. */
uint32_t line_store_line(struct line_store *s, uint32_t table, uint32_t instr);

#endif
