/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/landing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LANDINGS_MAX 4096
#define FAR_JUMP_MAX 6	  /* bytes of jmp and jcc with 32 bits of distance */
#define NEAR_JUMP_REACH 130 /* how far one with 8 bits reaches, and its own size */
#define STEP_MARGIN 64
#define NEAR_WINDOW_MAX 65536
#define LONGEST 15 /* bytes of an instruction */

static bool ranges_have(const struct code_range *ranges, size_t n, uint64_t vaddr)
{
	for (size_t i = 0; i < n; i++)
		if (vaddr >= ranges[i].first && vaddr <= ranges[i].last)
			return true;
	return false;
}

static int landing_add(struct landings *l, uint64_t source, uint64_t target)
{
	struct landing *v;

	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].source == source)
			return 0;
	if (l->n == LANDINGS_MAX)
		return -E2BIG;
	if (l->n % 64 == 0) {
		v = realloc(l->v, (l->n + 64) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		l->v = v;
	}
	l->v[l->n++] = (struct landing){ source, target };
	return 0;
}

/* The instruction at source, if it is a jump into the ranges. */
static int try_source(struct disassembler *d, uint64_t source, const struct code_range *ranges,
		      size_t n, struct landings *ret)
{
	struct insn insn;

	if (!disassembler_at(d, source, &insn))
		return 0;
	if (insn.kind != INSN_JUMP && insn.kind != INSN_BRANCH)
		return 0;
	return ranges_have(ranges, n, insn.target) ? landing_add(ret, source, insn.target) : 0;
}

/*
 * Where the distance to a range is found in four bytes, a jump may end: to
 * decode all of .text would take long, and most of its bytes are no such number.
 */
static int find_far(struct disassembler *d, const struct code_range *ranges, size_t n,
		    struct landings *ret)
{
	const struct elf_section *text = disassembler_text(d);
	uint64_t low = UINT64_MAX, high = 0;
	int err = 0;

	for (size_t i = 0; i < n; i++) {
		low = ranges[i].first < low ? ranges[i].first : low;
		high = ranges[i].last > high ? ranges[i].last : high;
	}
	for (size_t i = 1; !err && i + 4 <= text->size; i++) {
		uint64_t end = text->vaddr + i + 4, target;
		int32_t distance;

		memcpy(&distance, text->data + i, sizeof(distance));
		target = end + (uint64_t)(int64_t)distance;
		if (target < low || target > high || !ranges_have(ranges, n, target))
			continue;
		for (unsigned size = FAR_JUMP_MAX - 1; !err && size <= FAR_JUMP_MAX; size++)
			err = try_source(d, end - size, ranges, n, ret);
	}
	return err;
}

/*
 * Where instructions begin is not known before a range: all that may be are
 * decoded, which costs little, as x86 code falls into step after a few.
 */
static int find_near(struct disassembler *d, const struct code_range *range, struct landings *ret)
{
	uint64_t before = NEAR_JUMP_REACH + STEP_MARGIN;
	uint64_t start = range->first > before ? range->first - before : 0;
	uint64_t end = range->last + NEAR_JUMP_REACH;
	bool *seen;
	int err = 0;

	if (end < start || end - start > NEAR_WINDOW_MAX)
		return -E2BIG;
	seen = calloc(end - start + 1, sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	for (uint64_t phase = start; phase < start + LONGEST && !err; phase++) {
		struct insn insn;

		for (uint64_t at = phase; at <= end && !seen[at - start] && !err; at += insn.size) {
			seen[at - start] = true;
			if (!disassembler_at(d, at, &insn))
				insn.size = 1;
			else
				err = try_source(d, at, range, 1, ret);
		}
	}
	free(seen);
	return err;
}

int landings_find(struct disassembler *d, const struct code_range *ranges, size_t n,
		  struct landings *ret)
{
	struct landings l = { 0 };
	int err = find_far(d, ranges, n, &l);

	for (size_t i = 0; !err && i < n; i++)
		err = find_near(d, &ranges[i], &l);
	if (err)
		landings_free(&l);
	else
		*ret = l;
	return err;
}

void landings_free(struct landings *l)
{
	free(l->v);
	*l = (struct landings){ 0 };
}

bool reach_has(const struct reach *r, uint64_t vaddr)
{
	uint64_t at = vaddr - r->text;

	return at < r->size && r->seen[at / 8] & 1u << at % 8;
}

static void reach_add(struct reach *r, uint64_t vaddr, size_t max)
{
	uint64_t at = vaddr - r->text;

	if (r->n == max || at >= r->size || reach_has(r, vaddr))
		return;
	r->seen[at / 8] |= (uint8_t)(1u << at % 8);
	r->v[r->n++] = vaddr;
}

int reach_find(struct disassembler *d, const uint64_t *starts, size_t n, size_t max,
	       struct reach *ret)
{
	const struct elf_section *text = disassembler_text(d);
	struct reach r = { .text = text->vaddr, .size = text->size };

	r.v = malloc(max * sizeof(*r.v));
	r.seen = calloc(1, text->size / 8 + 1);
	if (!r.v || !r.seen) {
		reach_free(&r);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		reach_add(&r, starts[i], max);
	/* Those found on the way are looked at in turn. */
	for (size_t i = 0; i < r.n; i++) {
		struct insn insn;

		if (!disassembler_at(d, r.v[i], &insn))
			continue;
		if (insn.kind == INSN_JUMP || insn.kind == INSN_BRANCH)
			reach_add(&r, insn.target, max);
		if (insn.kind == INSN_PLAIN || insn.kind == INSN_BRANCH || insn.kind == INSN_CALL)
			reach_add(&r, insn.vaddr + insn.size, max);
	}
	*ret = r;
	return 0;
}

void reach_free(struct reach *r)
{
	free(r->v);
	free(r->seen);
	*r = (struct reach){ 0 };
}
