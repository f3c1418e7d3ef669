/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/eval_finder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/landing.h"

/* How far from its start a straight line is followed. */
#define WALK_MAX 48

bool finder_fail(struct finder *s, int err, const char *why)
{
	s->err = err;
	s->why = why;
	return false;
}

bool finder_add(struct finder *s, struct probe_sites *sites, enum site_kind kind,
		const char *name, const struct place *p)
{
	struct probe_site site = {
		.kind = kind, .emulated = p->insn.emulated, .frame_reg = p->frame
	};
	struct probe_site *v;
	int err = elf_file_vaddr_to_offset(s->f, p->insn.vaddr, &site.offset);

	if (err)
		return finder_fail(s, err, NULL);
	for (size_t i = 0; i < sites->n; i++)
		if (sites->v[i].offset == site.offset)
			return true;
	v = realloc(sites->v, (sites->n + 1) * sizeof(*v));
	if (!v)
		return finder_fail(s, -ENOMEM, NULL);
	sites->v = v;
	memcpy(site.name, name, strnlen(name, sizeof(site.name) - 1));
	memcpy(site.insn, p->insn.name, strnlen(p->insn.name, sizeof(site.insn) - 1));
	v[sites->n++] = site;
	return true;
}

bool finder_is_entered(struct finder *s, uint64_t first, uint64_t last)
{
	struct code_range range = { first, last };
	struct landings l;
	bool entered;
	int err;

	if (first > last)
		return false;
	err = landings_find(s->d, &range, 1, &l);
	if (err) {
		s->err = err;
		return true;
	}
	entered = l.n > 0;
	landings_free(&l);
	return entered;
}

uint32_t eval_frames_after(uint32_t frames, const struct insn *insn)
{
	bool copied = insn->copy_to != INSN_NO_REG && insn->copy_from != INSN_NO_REG &&
		      insn->copy_size == 8 && frames & 1u << insn->copy_from;

	frames &= ~insn->writes;
	if (insn->kind == INSN_CALL || insn->calls)
		frames &= ~EVAL_CALLER_SAVED;
	if (copied)
		frames |= 1u << insn->copy_to;
	return frames;
}

uint8_t eval_any_register(uint32_t frames)
{
	return frames ? (uint8_t)__builtin_ctz(frames) : INSN_NO_REG;
}

void eval_walk(struct disassembler *d, uint64_t start, uint32_t frames, struct place *emulated,
	       struct place *stepped)
{
	uint64_t at = start;
	struct insn insn;

	*emulated = *stepped = (struct place){ 0 };
	for (unsigned i = 0; i < WALK_MAX && disassembler_at(d, at, &insn); i++) {
		struct place here = { insn, eval_any_register(frames) };

		if (!stepped->insn.size && insn.kind == INSN_PLAIN && !insn.landing_pad)
			*stepped = here;
		if (insn.emulated) {
			*emulated = here;
			return;
		}
		if (insn.kind != INSN_PLAIN)
			return;
		frames = eval_frames_after(frames, &insn);
		at += insn.size;
	}
}
