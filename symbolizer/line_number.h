/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The line of an instruction, from its code object's line table.
 *
 * co_lnotab to 3.9: pairs of how far on in the code, and how many lines (signed); the
 * last pair that does not begin beyond the instruction (Objects/lnotab_notes.txt,
 * PyCode_Addr2Line() in Objects/codeobject.c).  co_linetable of 3.10: likewise pairs,
 * but each is a range, and -128 is a range without a line.  From 3.11 on: an entry for
 * each instruction, which begins with a byte of its form and length
 * (InternalDocs/code_objects.md; get_line_delta() in Objects/codeobject.c).
 */
#ifndef PYCOST_LINE_NUMBER_H
#define PYCOST_LINE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/*
 * table: the first `size` bytes of `whole` of Python 3.MINOR's; instr: bytes into the
 * bytecode.  Returns the line, 0 when the instruction belongs to none, or
 * -ENODATA: it is beyond what there is of the table; -EINVAL: it is no such table, or
 * its lines are no numbers.
 */
int64_t line_number(int minor, uint32_t firstlineno, const uint8_t *table, size_t size,
		    size_t whole, uint32_t instr);

#endif
