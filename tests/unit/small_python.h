/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As much of an interpreter 3.12 as it takes to find where functions begin and end. */
#ifndef PYCOST_TEST_SMALL_PYTHON_H
#define PYCOST_TEST_SMALL_PYTHON_H

#include <stdbool.h>
#include <stddef.h>

#include "symbolizer/eval_opcodes.h"
#include "tests/unit/small_elf.h"

#define OPCODES 256
#define ROOM 20 /* bytes of a handler */
#define UNKNOWN (SMALL_TEXT + OPCODES * ROOM)
#define POP (UNKNOWN + ROOM)
#define EVAL (POP + ROOM)
#define TABLE_AT 7 /* words before the table: it may begin anywhere */

_Static_assert(offsetof(struct small_elf, text) == SMALL_TEXT, "small_elf: text");
_Static_assert(offsetof(struct small_elf, table) == SMALL_TABLE, "small_elf: table");

enum { RETURN_VALUE = 83, RETURN_CONST = 121, YIELD_VALUE = 150, RESUME = 151 };

#define STORE 0x4c, 0x89, 0x53, 0x38 /* mov %r10,0x38(%rbx): to frame->prev_instr */
#define DISPATCH 0xff, 0xe0	     /* jmp *%rax */

static inline uint64_t handler(unsigned opcode)
{
	return SMALL_TEXT + opcode * ROOM;
}

static inline void code(struct small_elf *e, uint64_t vaddr, const void *bytes, size_t size)
{
	memcpy((char *)e + vaddr, bytes, size);
}
#define CODE(e, vaddr, ...)                                        \
	do {                                                       \
		static const unsigned char bytes_[] = { __VA_ARGS__ }; \
		code(e, vaddr, bytes_, sizeof(bytes_));            \
	} while (0)

/* A call or jump with 32 bits of distance. */
static inline void far_jump(struct small_elf *e, uint64_t vaddr, unsigned char opcode, uint64_t target)
{
	int32_t distance = (int32_t)(target - vaddr - 5);

	code(e, vaddr, &opcode, 1);
	code(e, vaddr + 1, &distance, 4);
}

static inline void add_return(struct small_elf *e, unsigned opcode)
{
	CODE(e, handler(opcode), STORE, 0x48, 0x89, 0xde /* mov %rbx,%rsi */);
	far_jump(e, handler(opcode) + 7, 0xe8, POP);
	CODE(e, handler(opcode) + 12, DISPATCH);
}

static inline bool is_opcode(unsigned n)
{
	const struct eval_opcodes *ops = eval_opcodes_for(12);

	for (size_t i = 0; i < EVAL_GAPS_MAX && ops->gaps[i].first; i++)
		if (n >= ops->gaps[i].first && n <= ops->gaps[i].last)
			return false;
	return true;
}

static inline void make_python(struct small_elf *e)
{
	small_start(e);
	for (unsigned n = 0; n < OPCODES; n++) {
		CODE(e, handler(n), STORE, DISPATCH);
		small_pointer(e, TABLE_AT + n, is_opcode(n) ? handler(n) : UNKNOWN);
	}
	/* cmp %rax,0xa0(%rdi); je */
	CODE(e, handler(RESUME), STORE, 0x48, 0x39, 0x87, 0xa0, 0, 0, 0, 0x74, 0x02, 0x90, 0x90,
	     DISPATCH);
	CODE(e, handler(240), STORE, 0x85, 0xc0, 0x75, 0x00, DISPATCH);
	CODE(e, handler(243), STORE, 0x53, 0x5b, DISPATCH); /* push %rbx; pop %rbx */
	add_return(e, RETURN_VALUE);
	add_return(e, RETURN_CONST);
	CODE(e, UNKNOWN, 0x0f, 0x0b);
	CODE(e, POP, 0xf3, 0x0f, 0x1e, 0xfa, 0x41, 0x56, 0x41, 0x5e, 0xc3); /* endbr64; push %r14 */
	/* mov %rsi,%rbx; test %edx,%edx; lea -1(%rax),%edx; jne 2f; jmp *%rax; 2: test; jle */
	CODE(e, EVAL, 0x48, 0x89, 0xf3, 0x85, 0xd2, 0x8d, 0x50, 0xff, 0x75, 0x02, DISPATCH, 0x85,
	     0xc0, 0x7e, 0x00, DISPATCH);
	small_function(e, "_PyEval_EvalFrameDefault", EVAL, 20);
}

#endif
