/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sites in opcode handlers, from 3.11 on. */
#include "symbolizer/eval_finder.h"
#include "symbolizer/landing.h"

/* How many instructions of an opcode's handler are its own, at most. */
#define OWN_MAX 256

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

/* What the handlers of entries lead to, the nearest first. */
static int entries_reach(struct finder *s, struct reach *ret)
{
	uint64_t starts[EVAL_OPCODES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < EVAL_OPCODES_MAX && s->ops->ops[i].role; i++)
		if (s->ops->ops[i].role == EVAL_ENTRY)
			starts[n++] = s->table.targets[s->ops->ops[i].number];
	return reach_find(s->d, starts, n, OWN_MAX, ret);
}

/*
 * The least address from start to last that is jumped to from elsewhere;
 * UINT64_MAX: none.  From another handler of an entry it is allowed: that one
 * hands the entry of the same frame on, as RESUME_CHECK does to RESUME.
 */
static uint64_t first_landing(struct finder *s, uint64_t start, uint64_t last, enum eval_role role)
{
	struct code_range range = { start, last };
	uint64_t least = UINT64_MAX;
	struct reach own = { 0 };
	struct landings l;

	s->err = landings_find(s->d, &range, 1, &l);
	if (s->err || l.n == 0)
		return least;
	if (role == EVAL_ENTRY)
		s->err = entries_reach(s, &own);
	for (size_t i = 0; i < l.n && !s->err; i++)
		if (!reach_has(&own, l.v[i].source) && l.v[i].target < least)
			least = l.v[i].target;
	reach_free(&own);
	landings_free(&l);
	return least;
}

/* A place that is passed once for each execution of the handler, with the frame. */
static bool is_sound(const struct place *p, uint64_t landing)
{
	return p->insn.size && p->frame != INSN_NO_REG && p->insn.vaddr < landing;
}

static bool handler_add(struct finder *s, struct probe_sites *sites, const struct eval_opcode *op)
{
	uint64_t start = s->table.targets[op->number], landing, last;
	struct place emulated, stepped;

	if (is_shared(s, start, op->role))
		return finder_fail(s, 0, "opcodes that begin or end a function share their "
					 "handlers with others in this build");
	eval_walk(s->d, start, 1u << s->frame, &emulated, &stepped);
	last = emulated.insn.size ? emulated.insn.vaddr : stepped.insn.vaddr;
	landing = first_landing(s, start, last, op->role);
	if (s->err)
		return false;
	if (is_sound(&emulated, landing))
		return finder_add(s, sites, SITE_HANDLER, op->name, &emulated);
	if (is_sound(&stepped, landing))
		return finder_add(s, sites, SITE_HANDLER, op->name, &stepped);
	return finder_fail(s, 0, "the opcode handlers of this build run into each other");
}

bool eval_handlers(struct finder *s, struct probe_sites *sites, enum eval_role role)
{
	for (size_t i = 0; i < EVAL_OPCODES_MAX && s->ops->ops[i].role; i++)
		if (s->ops->ops[i].role == role && !handler_add(s, sites, &s->ops->ops[i]))
			return false;
	return true;
}
