/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What CPython's opcodes are called, of 3.6 to 3.15, as they lie in memory:
 * specialised, instrumented and internal forms too.
 *
 * The numbers are those of Include/opcode.h (3.6 to 3.12) and Include/opcode_ids.h
 * (from 3.13), the families those of _PyOpcode_Deopt in
 * Include/internal/pycore_opcode.h (3.11, 3.12) and pycore_opcode_metadata.h (from
 * 3.13).  Read from 3.6.15, 3.7.16, 3.8.18, 3.9.18, 3.10.13, 3.11.7, 3.12.1, 3.13.5,
 * 3.14.10 and 3.15.2.  The same are 3.9.2, 3.11.2 and 3.13.0: between the patch
 * releases that were compared no number has changed, though of the specialised ones
 * nothing promises it.  Alphas and betas do differ.  Compared by
 * tests/opcodes/check.sh.
 */
#ifndef PYCOST_OPCODES_H
#define PYCOST_OPCODES_H

/* "LOAD_ATTR_INSTANCE_VALUE"; NULL when 3.minor has no such opcode. */
const char *opcode_name(int minor, unsigned int opcode);

/*
 * The opcode that the compiler wrote, where the interpreter has put a form of its
 * own: "LOAD_ATTR", of INSTRUMENTED_CALL "CALL".  Its own name when it has no
 * other; so also of INSTRUMENTED_LINE, INSTRUMENTED_INSTRUCTION and
 * ENTER_EXECUTOR, which stand for any.  NULL as above.
 */
const char *opcode_family(int minor, unsigned int opcode);

#endif
