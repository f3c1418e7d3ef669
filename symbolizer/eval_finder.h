/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of eval_sites share: a search under way, and its steps. */
#ifndef PYCOST_EVAL_FINDER_H
#define PYCOST_EVAL_FINDER_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/disassembler.h"
#include "symbolizer/dispatch.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/eval_opcodes.h"
#include "symbolizer/interpreter.h"
#include "symbolizer/layout.h"
#include "symbolizer/usdt_arg.h"

#define EVAL_FUNCTION "_PyEval_EvalFrameDefault"

/* What a C function may change, System V ABI of x86-64. */
#define EVAL_CALLER_SAVED                                                                 \
	(1u << USDT_X86_RAX | 1u << USDT_X86_RCX | 1u << USDT_X86_RDX | 1u << USDT_X86_RSI | \
	 1u << USDT_X86_RDI | 1u << USDT_X86_R8 | 1u << USDT_X86_R9 | 1u << USDT_X86_R10 |   \
	 1u << USDT_X86_R11)

struct finder {
	struct elf_file *f;
	struct disassembler *d;
	int minor;
	const struct cpython_layout *layout;
	const struct eval_opcodes *ops; /* from 3.11 on, and the rest too */
	struct dispatch table;
	uint8_t frame; /* the register that holds it where a handler begins */
	struct probe_sites entries, returns;
	int err;
	const char *why;
};

/* A place for a probe; insn.size 0: none. */
struct place {
	struct insn insn;
	uint8_t frame; /* INSN_NO_REG: in no register */
};

/* Notes why; always false, so that a step can end with it. */
bool finder_fail(struct finder *s, int err, const char *why);

bool finder_add(struct finder *s, struct probe_sites *sites, enum site_kind kind,
		const char *name, const struct place *p);

/*
 * Whether an instruction from first to last is jumped to from elsewhere; true
 * also when that cannot be told.
 */
bool finder_is_entered(struct finder *s, uint64_t first, uint64_t last);

/* Which of these registers (bits) still hold the frame after an instruction. */
uint32_t eval_frames_after(uint32_t frames, const struct insn *insn);
uint8_t eval_any_register(uint32_t frames);

/*
 * The first straight line of code from start on, where all that begins is done
 * once: its first instruction that the kernel emulates, and its first of all
 * that is more than a landing pad.
 */
void eval_walk(struct disassembler *d, uint64_t start, uint32_t frames, struct place *emulated,
	       struct place *stepped);

/* Each adds to s->entries or s->returns; false when it fails. */
bool eval_handlers(struct finder *s, struct probe_sites *sites, enum eval_role role);
bool eval_frame_function(struct finder *s); /* 3.6 to 3.10: both */
bool eval_unwind(struct finder *s);	    /* 3.11, and where the next is compiled in */
bool eval_pop_function(struct finder *s);   /* from 3.12 on: returns but for yields */
bool eval_throw(struct finder *s);	    /* from 3.11 on: entries by throw(), where it is plain */

#endif
