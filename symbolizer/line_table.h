/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What CPython's search of a code object's line table for a line number costs.
 *
 * PyCode_Addr2Line() reads the table from its start, entry by entry, until it has
 * passed the address it looks for.  co_lnotab up to 3.9 and co_linetable of 3.10
 * (Objects/lnotab_notes.txt) have an entry of two bytes for about each line;
 * co_linetable from 3.11 on (InternalDocs/code_objects.md) has one for each
 * instruction, in forms of one to a dozen bytes that take different ways through
 * the search (Objects/codeobject.c, advance() and get_line_delta()).
 */
#ifndef PYCOST_LINE_TABLE_H
#define PYCOST_LINE_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum line_form {
	/* Up to 3.10: an entry passed over, and the first byte of the one too far. */
	LINE_PAIR,
	LINE_TOO_FAR,
	/* From 3.11 on, by the code in the first byte; of long ones also by length. */
	LINE_NONE,
	LINE_SHORT,
	LINE_SAME, /* "one line" forms: this line, the next, the one after */
	LINE_NEXT,
	LINE_SECOND,
	LINE_NO_COLUMNS,
	LINE_LONG_5, /* of 5 bytes */
	LINE_LONG_6,
	LINE_LONG_7,
	LINE_LONG_8, /* longer ones: as much more as an 8th byte is */
	LINE_FORMS,
};

/* What passing an entry of each form costs, in any unit. */
struct line_costs {
	double of[LINE_FORMS];
};

struct line_table;

/*
 * data: the table's first `size` bytes of `whole`.  -ENOMEM; -EINVAL when it is no
 * such table.  Free with free(): it is one block.
 */
int line_table_read(int minor, uint32_t firstlineno, const uint8_t *data, size_t size,
		    size_t whole, const struct line_costs *costs, struct line_table **ret);

/*
 * position: up to 3.10 the line number that was found, since a line is an entry
 * there; from 3.11 on the address that is looked for, in bytes into the code.
 * A position beyond what was captured is estimated by proportion.
 */
double line_table_search(const struct line_table *t, double position);

/* The search of a call's entry probe, before its first instruction. */
double line_table_start(const struct line_table *t);

#endif
