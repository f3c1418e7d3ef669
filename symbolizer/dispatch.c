/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/dispatch.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Where compilers put constants, and those that are relocated. */
static const char *const places[] = { ".rodata", ".data.rel.ro", ".data.rel.ro.local", ".data",
				      ".data.rel.local" };

/* A section's words as they are once the file is loaded at its own addresses. */
struct words {
	uint64_t *v;
	size_t n;
	uint64_t vaddr;
};

static uint64_t word_at(const unsigned char *bytes)
{
	uint64_t v;

	memcpy(&v, bytes, sizeof(v));
	return v;
}

/*
 * The addends of relative relocations; those of RELR (.relr.dyn) are in the
 * words already.
 */
static void words_relocate(struct words *w, struct elf_file *f)
{
	unsigned relative = elf_file_machine(f) == EM_X86_64 ? R_X86_64_RELATIVE :
							       R_AARCH64_RELATIVE;
	struct elf_section s;

	if (elf_file_section(f, ".rela.dyn", &s))
		return;
	for (size_t i = 0; i + sizeof(Elf64_Rela) <= s.size; i += sizeof(Elf64_Rela)) {
		Elf64_Rela r;
		uint64_t at;

		memcpy(&r, s.data + i, sizeof(r));
		at = r.r_offset - w->vaddr;
		if (ELF64_R_TYPE(r.r_info) == relative && at % 8 == 0 && at / 8 < w->n)
			w->v[at / 8] = (uint64_t)r.r_addend;
	}
}

static int words_read(struct words *w, struct elf_file *f, const char *name)
{
	struct elf_section s;
	int err = elf_file_section(f, name, &s);
	uint64_t skip;

	if (err)
		return err;
	skip = -s.vaddr % 8;
	if (s.size < skip + 8 * DISPATCH_SIZE)
		return -ENOENT;
	*w = (struct words){ .n = (s.size - skip) / 8, .vaddr = s.vaddr + skip };
	w->v = malloc(w->n * sizeof(*w->v));
	if (!w->v)
		return -ENOMEM;
	for (size_t i = 0; i < w->n; i++)
		w->v[i] = word_at(s.data + skip + 8 * i);
	words_relocate(w, f);
	return 0;
}

/* How many opcodes a compiler may let fall together, with others or with what is none. */
#define SHARED_MAX 24

/* Whether another entry before this one has the same handler. */
static bool is_repeated(const uint64_t *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (v[i] == v[n])
			return true;
	return false;
}

/* All gaps have one handler, and nearly each opcode has one of its own. */
static bool table_fits(const uint64_t *v, const struct eval_opcodes *ops)
{
	uint64_t unknown = v[ops->gaps[0].first];
	unsigned repeated = 0, gaps = 0;

	for (size_t i = 0; i < EVAL_GAPS_MAX && ops->gaps[i].first; i++)
		for (unsigned n = ops->gaps[i].first; n <= ops->gaps[i].last; n++, gaps++)
			if (v[n] != unknown)
				return false;
	for (size_t i = 0; i < EVAL_OPCODES_MAX && ops->ops[i].role; i++)
		if (v[ops->ops[i].number] == unknown)
			return false;
	for (unsigned i = 0; i < DISPATCH_SIZE && repeated < gaps + SHARED_MAX; i++)
		repeated += is_repeated(v, i);
	return repeated < gaps + SHARED_MAX;
}

static bool all_in(const uint64_t *v, const struct elf_section *text)
{
	for (size_t i = 0; i < DISPATCH_SIZE; i++)
		if (v[i] - text->vaddr >= text->size)
			return false;
	return true;
}

/* Adds to *found the tables among these words. */
static void words_search(const struct words *w, const struct elf_section *text,
			 const struct eval_opcodes *ops, struct dispatch *ret, unsigned *found)
{
	for (size_t i = 0; i + DISPATCH_SIZE <= w->n; i++) {
		const uint64_t *v = w->v + i;

		if (v[0] - text->vaddr >= text->size || !table_fits(v, ops) || !all_in(v, text))
			continue;
		if ((*found)++)
			continue;
		ret->vaddr = w->vaddr + 8 * i;
		ret->unknown = v[ops->gaps[0].first];
		memcpy(ret->targets, v, sizeof(ret->targets));
	}
}

int dispatch_find(struct elf_file *f, const struct eval_opcodes *ops, struct dispatch *ret)
{
	struct elf_section text;
	unsigned found = 0;
	int err = elf_file_section(f, ".text", &text);

	for (size_t i = 0; !err && i < sizeof(places) / sizeof(places[0]); i++) {
		struct words w;

		err = words_read(&w, f, places[i]);
		if (err == -ENOENT) {
			err = 0;
			continue;
		}
		if (err)
			break;
		words_search(&w, &text, ops, ret, &found);
		free(w.v);
	}
	if (err)
		return err;
	return found == 0 ? -ENOENT : found > 1 ? -EEXIST : 0;
}
