/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/eval_sites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/eval_finder.h"

/* How far into a handler its first store is looked for. */
#define STORE_MAX 48

/* How many of them must have one. */
#define VOTES_MIN 24

/* The register of a handler's first store to frame->instr_ptr; or INSN_NO_REG. */
static uint8_t stored_frame(struct finder *s, uint64_t start)
{
	uint32_t written = 0;
	uint64_t at = start;
	struct insn insn;

	for (unsigned i = 0; i < STORE_MAX && disassembler_at(s->d, at, &insn); i++) {
		if (insn.store_base != INSN_NO_REG && insn.store_reg != INSN_NO_REG &&
		    insn.store_size == 8 && insn.store_at == s->layout->frame_instr)
			return written & 1u << insn.store_base ? INSN_NO_REG : insn.store_base;
		if (insn.kind != INSN_PLAIN)
			break;
		written |= insn.writes;
		at += insn.size;
	}
	return INSN_NO_REG;
}

/*
 * Handlers are reached from each other, so all of them expect the frame in one
 * register; many begin by storing next_instr to it (3.11: prev_instr, in
 * INSTRUCTION_START of Python/ceval.c; later Tools/cases_generator).
 */
static bool find_frame_register(struct finder *s)
{
	unsigned votes[32] = { 0 }, all = 0, best = 0;

	for (unsigned i = 0; i < DISPATCH_SIZE; i++) {
		uint8_t reg;

		if (s->table.targets[i] == s->table.unknown)
			continue;
		reg = stored_frame(s, s->table.targets[i]);
		if (reg == INSN_NO_REG)
			continue;
		all++;
		if (++votes[reg] > votes[best])
			best = reg;
	}
	s->frame = (uint8_t)best;
	if (all >= VOTES_MIN && votes[best] > all * 3 / 4)
		return true;
	return finder_fail(s, 0, "the opcode handlers of this build do not say where they keep "
				 "the frame");
}

static bool find_sites(struct finder *s)
{
	s->layout = layout_for(s->minor);
	s->ops = eval_opcodes_for(s->minor);
	if (!s->layout)
		return finder_fail(s, 0, "its structures are not known here");
	if (s->minor <= 10)
		return eval_frame_function(s);
	if (!s->ops)
		return finder_fail(s, 0, "its opcodes are not known here");
	s->err = dispatch_find(s->f, s->ops, &s->table);
	if (s->err == -ENOENT || s->err == -EEXIST)
		return finder_fail(s, 0, "the table of its opcode handlers was not found");
	return !s->err && find_frame_register(s) && eval_handlers(s, &s->entries, EVAL_ENTRY) &&
	       eval_handlers(s, &s->returns, EVAL_YIELD) &&
	       (s->minor == 11 ? eval_unwind(s) : eval_pop_function(s)) && eval_throw(s);
}

const char *eval_sites_find(struct elf_file *f, struct interpreter *in, int *ret_err)
{
	struct finder s = { .f = f, .minor = in->minor };
	bool found = false;

	s.err = disassembler_open(f, &s.d);
	if (s.err == -EOPNOTSUPP)
		finder_fail(&s, 0, "on this machine exact measurement needs live function probes");
	else if (s.err == -ENOENT)
		finder_fail(&s, 0, "its file has no code section");
	else if (!s.err)
		found = find_sites(&s);
	if (found) {
		free(in->entries.v);
		free(in->returns.v);
		in->entries = s.entries;
		in->returns = s.returns;
	} else {
		free(s.entries.v);
		free(s.returns.v);
	}
	disassembler_close(s.d);
	if (s.err && s.err != -ENOMEM)
		finder_fail(&s, 0, "its file is not formed as an interpreter's");
	*ret_err = s.err;
	return s.why;
}
