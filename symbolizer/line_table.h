/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far CPython has to search a code object's line table for a line number.
 *
 * PyCode_Addr2Line() reads the table from its start, entry by entry and byte by
 * byte, until it has passed the address it looks for.  co_lnotab up to 3.9 and
 * co_linetable of 3.10 (Objects/lnotab_notes.txt) have two bytes an entry, one
 * entry for about each line; co_linetable from 3.11 on (InternalDocs/code_objects.md)
 * has an entry for each instruction, of two to a dozen bytes.
 */
#ifndef PYCOST_LINE_TABLE_H
#define PYCOST_LINE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct line_table;

/* What is read before the search ends. */
struct line_search {
	double entries; /* passed over or found: not whole where it was estimated */
	double bytes;
};

/*
 * data: the table's first `size` bytes of `whole`.  -ENOMEM; -EINVAL when it is no
 * such table.  Free with free(): it is one block.
 */
int line_table_read(int minor, uint32_t firstlineno, const uint8_t *data, size_t size,
		    size_t whole, struct line_table **ret);

/*
 * position: up to 3.10 the line number that was found, since a line is an entry
 * there; from 3.11 on the address that is looked for, in bytes into the code.
 * A position beyond what was captured is estimated by proportion.
 */
struct line_search line_table_search(const struct line_table *t, double position);

#endif
