/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Returns that are compiled into the evaluation function: by what each exit of a
 * frame but a yield asks.  In 3.11 it is "if (frame->is_entry)", in RETURN_VALUE
 * and at exit_unwind of Python/ceval.c; RETURN_GENERATOR asks it too, which makes
 * a generator and ends no call of it.  Later it is "if (frame->owner ==
 * FRAME_OWNED_BY_THREAD)", the first of _PyEval_FrameClearAndPop().
 */
#include "symbolizer/eval_finder.h"

#include "symbolizer/landing.h"

/* More instructions than any evaluation function has. */
#define CODE_MAX (1 << 17)
#define HANDLER_MAX 400

#define RETURN_GENERATOR_311 75 /* Include/opcode.h, 3.11.2 */

static bool asks(const struct finder *s, const struct insn *insn)
{
	/* is_entry is before owner: Include/internal/pycore_frame.h, 3.11.2 */
	int64_t at = s->layout->frame_owner - (s->minor == 11 ? 1 : 0);

	return insn->test_base == s->frame && insn->test_size == 1 && insn->test_at == at;
}

/* The handler of the plain form of a return. */
static unsigned plain_return(const struct finder *s)
{
	for (size_t i = 0; i < EVAL_OPCODES_MAX && s->ops->ops[i].role; i++)
		if (s->ops->ops[i].role == EVAL_RETURN)
			return s->ops->ops[i].number;
	return 0;
}

/* Where a handler asks, on the way that no branch leaves; 0: nowhere. */
static uint64_t handler_asks(struct finder *s, unsigned opcode)
{
	uint64_t at = s->table.targets[opcode];
	struct insn insn;

	for (unsigned i = 0; i < HANDLER_MAX && disassembler_at(s->d, at, &insn); i++) {
		if (asks(s, &insn))
			return at;
		if (insn.kind == INSN_INDIRECT || insn.kind == INSN_RETURN ||
		    insn.kind == INSN_STOP)
			return 0;
		at = insn.kind == INSN_JUMP ? insn.target : at + insn.size;
	}
	return 0;
}

static bool add_question(struct finder *s, uint64_t at, bool is_return)
{
	struct place emulated, stepped;

	eval_walk(s->d, at, 1u << s->frame, &emulated, &stepped);
	if (!emulated.insn.size || emulated.frame == INSN_NO_REG ||
	    finder_is_entered(s, at + 1, emulated.insn.vaddr))
		emulated = stepped;
	if (s->err)
		return false;
	return finder_add(s, &s->returns, is_return ? SITE_HANDLER : SITE_FUNCTION,
			  is_return ? "RETURN_VALUE" : "exit", &emulated);
}

bool eval_unwind(struct finder *s)
{
	uint64_t generator = s->minor == 11 ? handler_asks(s, RETURN_GENERATOR_311) : 0;
	uint64_t plain = handler_asks(s, plain_return(s));
	struct reach all;
	struct insn insn;
	size_t others = 0;
	bool fine = true;

	if ((!generator && s->minor == 11) || !plain || generator == plain)
		return finder_fail(s, 0, "where a function returns was not found");
	s->err = reach_find(s->d, s->table.targets, DISPATCH_SIZE, CODE_MAX, &all);
	if (s->err)
		return false;
	for (size_t i = 0; i < all.n && fine; i++) {
		if (all.v[i] == generator || !disassembler_at(s->d, all.v[i], &insn) ||
		    !asks(s, &insn))
			continue;
		others += all.v[i] != plain;
		fine = add_question(s, all.v[i], all.v[i] == plain);
	}
	reach_free(&all);
	if (fine && !others)
		return finder_fail(s, 0, "where an exception leaves a function was not found");
	return fine;
}
