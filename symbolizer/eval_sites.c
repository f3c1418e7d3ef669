/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/eval_sites.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/disassembler.h"
#include "symbolizer/dispatch.h"
#include "symbolizer/eval_opcodes.h"
#include "symbolizer/landing.h"
#include "symbolizer/layout.h"

/* How far into a handler a site may be. */
#define WALK_MAX 48

struct finder {
	struct elf_file *f;
	struct disassembler *d;
	const struct eval_opcodes *ops;
	const struct cpython_layout *layout;
	struct dispatch table;
	uint8_t frame; /* the register that holds it where a handler begins */
	struct probe_sites entries, returns;
	int err;
	const char *why;
};

/* A place for a probe; insn.size 0: none. */
struct place {
	struct insn insn;
	uint8_t frame;
};

static bool fail(struct finder *s, int err, const char *why)
{
	s->err = err;
	s->why = why;
	return false;
}

/* Which registers hold the frame after an instruction, as bits. */
static uint32_t frame_after(uint32_t frames, const struct insn *insn)
{
	bool copied = insn->copy_to != INSN_NO_REG && insn->copy_from != INSN_NO_REG &&
		      frames & 1u << insn->copy_from;

	frames &= ~insn->writes;
	if (copied)
		frames |= 1u << insn->copy_to;
	return frames;
}

/*
 * The first straight line of code from start on, where all that begins is done
 * once: its first instruction that the kernel emulates, and its first of all
 * that is more than a landing pad.
 */
static void walk(struct disassembler *d, uint64_t start, uint8_t frame, struct place *emulated,
		 struct place *stepped)
{
	uint32_t frames = 1u << frame;
	uint64_t at = start;
	struct insn insn;

	*emulated = *stepped = (struct place){ 0 };
	for (unsigned i = 0; i < WALK_MAX && frames && disassembler_at(d, at, &insn); i++) {
		struct place here = { insn, (uint8_t)__builtin_ctz(frames) };

		if (!stepped->insn.size && insn.kind == INSN_PLAIN && !insn.landing_pad)
			*stepped = here;
		if (insn.emulated) {
			*emulated = here;
			return;
		}
		if (insn.kind != INSN_PLAIN)
			return;
		frames = frame_after(frames, &insn);
		at += insn.size;
	}
}

/* The register of a handler's first store to frame->instr_ptr; or INSN_NO_REG. */
static uint8_t stored_frame(struct finder *s, uint64_t start)
{
	uint64_t at = start;
	struct insn insn;

	for (unsigned i = 0; i < WALK_MAX && disassembler_at(s->d, at, &insn); i++) {
		if (insn.store_base != INSN_NO_REG && insn.store_reg != INSN_NO_REG &&
		    insn.store_size == 8 && insn.store_at == s->layout->frame_instr)
			return insn.store_base;
		if (insn.kind != INSN_PLAIN)
			break;
		at += insn.size;
	}
	return INSN_NO_REG;
}

/*
 * Handlers are reached from each other, so all of them expect the frame in one
 * register; nearly all begin by storing next_instr to it (DISPATCH of
 * Python/ceval_macros.h, Tools/cases_generator).
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
	if (all >= DISPATCH_SIZE / 4 && votes[best] > all * 3 / 4)
		return true;
	return fail(s, 0, "the opcode handlers of this build do not say where they keep the frame");
}

static bool site_add(struct finder *s, struct probe_sites *sites, enum site_kind kind,
		     const char *name, const struct place *p)
{
	struct probe_site *v = realloc(sites->v, (sites->n + 1) * sizeof(*v));
	struct probe_site site = {
		.kind = kind, .emulated = p->insn.emulated, .frame_reg = p->frame
	};
	int err;

	if (!v)
		return fail(s, -ENOMEM, NULL);
	sites->v = v;
	err = elf_file_vaddr_to_offset(s->f, p->insn.vaddr, &site.offset);
	if (err)
		return fail(s, err, NULL);
	memcpy(site.name, name, strnlen(name, sizeof(site.name) - 1));
	memcpy(site.insn, p->insn.name, strnlen(p->insn.name, sizeof(site.insn) - 1));
	v[sites->n++] = site;
	return true;
}

static bool is_role(const struct finder *s, unsigned opcode, enum eval_role role)
{
	for (size_t i = 0; i < EVAL_OPCODES_MAX && s->ops->ops[i].role; i++)
		if (s->ops->ops[i].number == opcode)
			return s->ops->ops[i].role == role;
	return false;
}

/* Other opcodes may share a handler: then it does not tell them apart. */
static bool is_shared(const struct finder *s, uint64_t start, enum eval_role role)
{
	for (unsigned i = 0; i < DISPATCH_SIZE; i++)
		if (s->table.targets[i] == start && !is_role(s, i, role))
			return true;
	return false;
}

/*
 * The least address from start to last that is jumped to from elsewhere, which
 * is no fresh start of the handler; UINT64_MAX: none.  From another handler of
 * an entry it is allowed: it hands the same frame's entry on.
 */
static uint64_t first_landing(struct finder *s, uint64_t start, uint64_t last, enum eval_role role)
{
	struct code_range range = { start, last };
	uint64_t starts[EVAL_OPCODES_MAX], least = UINT64_MAX;
	struct reach own = { 0 };
	struct landings l;
	size_t n = 0;

	s->err = landings_find(s->d, &range, 1, &l);
	if (s->err || l.n == 0)
		return least;
	for (size_t i = 0; i < EVAL_OPCODES_MAX && s->ops->ops[i].role; i++)
		if (s->ops->ops[i].role == EVAL_ENTRY)
			starts[n++] = s->table.targets[s->ops->ops[i].number];
	if (role == EVAL_ENTRY)
		s->err = reach_find(s->d, starts, n, &own);
	for (size_t i = 0; i < l.n; i++)
		if (!reach_has(&own, l.v[i].source) && l.v[i].target < least)
			least = l.v[i].target;
	reach_free(&own);
	landings_free(&l);
	return least;
}

static bool handler_add(struct finder *s, struct probe_sites *sites, const struct eval_opcode *op)
{
	uint64_t start = s->table.targets[op->number], landing, last;
	struct place emulated, stepped;

	if (is_shared(s, start, op->role))
		return fail(s, 0, "opcodes that begin or end a function share their handlers with "
				  "others in this build");
	walk(s->d, start, s->frame, &emulated, &stepped);
	last = emulated.insn.size ? emulated.insn.vaddr : stepped.insn.vaddr;
	landing = first_landing(s, start, last, op->role);
	if (s->err)
		return false;
	if (emulated.insn.size && emulated.insn.vaddr < landing)
		return site_add(s, sites, SITE_HANDLER, op->name, &emulated);
	if (stepped.insn.size && stepped.insn.vaddr < landing)
		return site_add(s, sites, SITE_HANDLER, op->name, &stepped);
	return fail(s, 0, "the opcode handlers of this build run into each other");
}

static bool handlers_add(struct finder *s, struct probe_sites *sites, enum eval_role role)
{
	for (size_t i = 0; i < EVAL_OPCODES_MAX && s->ops->ops[i].role; i++)
		if (s->ops->ops[i].role == role && !handler_add(s, sites, &s->ops->ops[i]))
			return false;
	return true;
}

/* From 3.12 on every exit but a yield calls one function with the frame. */
static bool find_returns(struct finder *s, const struct interpreter *in)
{
	if (in->minor == 11)
		return in->returns.n ? true : fail(s, 0, "unfinished");
	return handlers_add(s, &s->returns, EVAL_YIELD);
}

static bool find_sites(struct finder *s, const struct interpreter *in)
{
	s->ops = eval_opcodes_for(in->minor);
	s->layout = layout_for(in->minor);
	if (!s->ops || !s->layout)
		return fail(s, 0, "unfinished");
	s->err = dispatch_find(s->f, s->ops, &s->table);
	if (s->err == -ENOENT || s->err == -EEXIST)
		return fail(s, 0, "the table of its opcode handlers was not found");
	if (s->err)
		return false;
	return find_frame_register(s) && handlers_add(s, &s->entries, EVAL_ENTRY) &&
	       find_returns(s, in);
}

static int sites_join(struct probe_sites *to, const struct probe_sites *from)
{
	struct probe_site *v;

	if (from->n == 0)
		return 0;
	v = realloc(to->v, (to->n + from->n) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	memcpy(v + to->n, from->v, from->n * sizeof(*v));
	to->v = v;
	to->n += from->n;
	return 0;
}

const char *eval_sites_find(struct elf_file *f, struct interpreter *in, int *ret_err)
{
	struct finder s = { .f = f };
	bool found = false;

	s.err = disassembler_open(f, &s.d);
	if (s.err == -EOPNOTSUPP)
		fail(&s, 0, "on arm64 exact measurement needs the function probes");
	else if (s.err == -ENOENT)
		fail(&s, 0, "the file has no code section");
	else if (!s.err)
		found = find_sites(&s, in);
	if (found)
		s.err = sites_join(&in->entries, &s.entries);
	if (found && !s.err)
		s.err = sites_join(&in->returns, &s.returns);
	disassembler_close(s.d);
	free(s.entries.v);
	free(s.returns.v);
	*ret_err = s.err;
	return s.why;
}
