/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From 3.11 on a generator that goes on because of throw() or close() runs no
 * RESUME: _PyEval_EvalFrameDefault(tstate, frame, throwflag) goes straight to
 * its exception handling (start_frame of Python/ceval.c).  The branch on
 * throwflag is near the function's start.
 */
#include "symbolizer/eval_finder.h"

#include <string.h>

#define PROLOGUE_MAX 800
#define SLOTS_MAX 4

/* Where throwflag and the frame are, on the way through the prologue. */
struct prologue {
	uint32_t flags;	 /* registers that hold throwflag */
	uint32_t frames; /* and the frame */
	struct slot {
		uint8_t base;
		int64_t at;
	} slots[SLOTS_MAX]; /* where throwflag was saved */
	unsigned n_slots;
	bool tested; /* the condition codes tell whether throwflag is set */
};

static bool is_slot(const struct prologue *p, uint8_t base, int64_t at)
{
	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slots[i].base == base && p->slots[i].at == at)
			return true;
	return false;
}

static bool tests_flag(const struct prologue *p, const struct insn *insn)
{
	if (insn->test_reg != INSN_NO_REG)
		return p->flags & 1u << insn->test_reg;
	return insn->test_base != INSN_NO_REG && insn->test_size == 4 &&
	       is_slot(p, insn->test_base, insn->test_at);
}

static void prologue_step(struct prologue *p, const struct insn *insn)
{
	bool copied = insn->copy_to != INSN_NO_REG && insn->copy_from != INSN_NO_REG &&
		      p->flags & 1u << insn->copy_from;

	if (tests_flag(p, insn))
		p->tested = true;
	else if (insn->sets_flags)
		p->tested = false;
	if (insn->store_base != INSN_NO_REG && insn->store_reg != INSN_NO_REG &&
	    insn->store_size == 4 && p->flags & 1u << insn->store_reg && p->n_slots < SLOTS_MAX)
		p->slots[p->n_slots++] = (struct slot){ insn->store_base, insn->store_at };
	p->flags = eval_frames_after(p->flags, insn);
	if (copied)
		p->flags |= 1u << insn->copy_to;
	p->frames = eval_frames_after(p->frames, insn);
}

/*
 * The code that runs only for a throw, 0: not found; and what is where then.
 * Both ways of each other branch are looked at, while the budget of
 * instructions lasts.
 */
static uint64_t find_block(struct finder *s, uint64_t start, struct prologue *p, unsigned *budget)
{
	uint64_t at = start;
	struct insn insn;

	while (*budget && disassembler_at(s->d, at, &insn)) {
		uint64_t next = at + insn.size, found;
		bool branches = insn.kind == INSN_BRANCH;

		--*budget;
		if (p->tested && branches && !strcmp(insn.name, "jne"))
			return insn.target;
		if (p->tested && branches && !strcmp(insn.name, "je"))
			return next;
		if (insn.kind == INSN_INDIRECT || insn.kind == INSN_RETURN ||
		    insn.kind == INSN_STOP || !(p->flags || p->n_slots || p->tested))
			return 0;
		prologue_step(p, &insn);
		if (branches) {
			struct prologue here = *p;

			found = find_block(s, next, p, budget);
			if (found)
				return found;
			*p = here;
		}
		at = insn.kind == INSN_JUMP || branches ? insn.target : next;
	}
	return 0;
}

bool eval_throw(struct finder *s)
{
	struct prologue p = { .flags = 1u << USDT_X86_RDX, .frames = 1u << USDT_X86_RSI };
	struct place emulated, stepped;
	unsigned budget = PROLOGUE_MAX;
	uint64_t start, size, block;

	if (elf_file_function(s->f, EVAL_FUNCTION, &start, &size))
		return true;
	block = find_block(s, start, &p, &budget);
	if (!block)
		return true;
	eval_walk(s->d, block, p.frames, &emulated, &stepped);
	if (!emulated.insn.size || emulated.frame == INSN_NO_REG)
		emulated = stepped;
	if (!emulated.insn.size || emulated.frame == INSN_NO_REG ||
	    finder_is_entered(s, block + 1, emulated.insn.vaddr))
		return s->err == 0;
	return finder_add(s, &s->entries, SITE_FUNCTION, "throw", &emulated);
}
