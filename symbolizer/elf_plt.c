/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/elf_symbols.h"
#include "symbolizer/elf_window.h"
#include "symbolizer/native_table.h"

#define SLOTS_MAX 65536

/* A word of the global offset table that will hold a function's address. */
struct slot {
	uint64_t vaddr;
	uint32_t symbol;
};

struct plt {
	struct elf_file *file;
	struct native_table *table;
	struct slot *slots; /* by vaddr */
	size_t n;
	struct elf_window code, symbols, strings;
};

/* One stub: where the bytes after start jump through, and how long it is. */
struct stub {
	uint64_t start, slot, size;
};

static bool is_call_slot(unsigned machine, uint32_t type)
{
	if (machine == EM_X86_64)
		return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
	return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT;
}

static int read_slots(struct plt *p, const struct elf_span *span)
{
	unsigned machine = elf_file_machine(p->file);
	const char *at;
	size_t n;

	elf_window_init(&p->code, p->file, span);
	for (uint64_t i = 0; p->n < SLOTS_MAX; i += sizeof(Elf64_Rela)) {
		Elf64_Rela rela;
		void *grown;

		at = elf_window_at(&p->code, i, sizeof(rela), &n);
		if (!at)
			break;
		memcpy(&rela, at, sizeof(rela));
		if (!is_call_slot(machine, ELF64_R_TYPE(rela.r_info)))
			continue;
		if (!(p->n & (p->n - 1))) {
			grown = realloc(p->slots, (p->n ? 2 * p->n : 1) * sizeof(*p->slots));
			if (!grown)
				return -ENOMEM;
			p->slots = grown;
		}
		p->slots[p->n++] =
			(struct slot){ rela.r_offset, (uint32_t)ELF64_R_SYM(rela.r_info) };
	}
	return 0;
}

static int by_vaddr(const void *va, const void *vb)
{
	const struct slot *a = va, *b = vb;

	return a->vaddr < b->vaddr ? -1 : a->vaddr > b->vaddr;
}

static const struct slot *find_slot(const struct plt *p, uint64_t vaddr)
{
	struct slot key = { .vaddr = vaddr };

	return p->n ? bsearch(&key, p->slots, p->n, sizeof(key), by_vaddr) : NULL;
}

/* [endbr64] [bnd] jmp *slot(%rip) */
static bool decode_x86(const unsigned char *code, uint64_t vaddr, struct stub *ret)
{
	static const unsigned char endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	size_t i = memcmp(code, endbr64, sizeof(endbr64)) ? 0 : sizeof(endbr64);
	int32_t distance;

	if (code[i] == 0xf2)
		i++;
	if (code[i] != 0xff || code[i + 1] != 0x25)
		return false;
	memcpy(&distance, code + i + 2, sizeof(distance));
	*ret = (struct stub){ vaddr, vaddr + i + 6 + (uint64_t)(int64_t)distance, i ? 16 : 8 };
	return true;
}

/* [bti c] adrp x16, page; ldr x17, [x16, slot] */
static bool decode_arm64(const unsigned char *code, uint64_t vaddr, struct stub *ret)
{
	uint32_t insn[3];
	int64_t page;
	int i;

	memcpy(insn, code, sizeof(insn));
	i = insn[0] == 0xd503245f;
	if ((insn[i] & 0x9f00001f) != 0x90000010 || (insn[i + 1] & 0xffc003ff) != 0xf9400211)
		return false;
	page = (int64_t)((insn[i] >> 5 & 0x7ffff) << 2 | (insn[i] >> 29 & 3));
	page = (page ^ 0x100000) - 0x100000;
	*ret = (struct stub){
		.start = vaddr,
		.slot = ((vaddr + 4 * (unsigned)i) & ~UINT64_C(0xfff)) + (uint64_t)(page * 4096) +
			(insn[i + 1] >> 10 & 0xfff) * 8,
		.size = i ? 24 : 16,
	};
	return true;
}

static int add_stub(struct plt *p, const struct stub *stub)
{
	const struct slot *slot = find_slot(p, stub->slot);
	char text[512];
	const char *at;
	Elf64_Sym sym;
	size_t n;

	at = slot ? elf_window_at(&p->symbols, slot->symbol * (uint64_t)sizeof(sym), sizeof(sym),
				  &n) :
		    NULL;
	if (!at)
		return 0;
	memcpy(&sym, at, sizeof(sym));
	at = elf_window_string(&p->strings, sym.st_name, &n);
	if (!at || !n || n + sizeof("@plt") > sizeof(text))
		return 0;
	n = (size_t)snprintf(text, sizeof(text), "%s@plt", at);
	return native_table_add(p->table, stub->start, stub->size, RANK_MADE, text, n);
}

static int read_stubs(struct plt *p, const struct elf_span *span)
{
	bool x86 = elf_file_machine(p->file) == EM_X86_64;
	/* Only .plt.got has stubs of 8 bytes, and those do not begin with endbr64. */
	bool wide = strcmp(span->name, ".plt.got") != 0;
	unsigned step = x86 ? (wide ? 16 : 8) : 4;
	unsigned char code[12];
	int err = 0;

	elf_window_init(&p->code, p->file, span);
	for (uint64_t i = 0; !err; i += step) {
		struct stub stub;
		size_t n;
		const char *at = elf_window_at(&p->code, i, 8, &n);

		if (!at)
			break;
		memset(code, 0, sizeof(code));
		memcpy(code, at, n < sizeof(code) ? n : sizeof(code));
		if (!(x86 ? decode_x86 : decode_arm64)(code, span->vaddr + i, &stub))
			continue;
		if (x86 && wide)
			stub.size = 16;
		err = add_stub(p, &stub);
		if (!x86)
			i += stub.size - step;
	}
	return err;
}

static int read_plt(struct plt *p)
{
	struct elf_span span, dynsym = { 0 }, strings;
	int err = 0;

	for (size_t i = 1; !err && !elf_file_span(p->file, i, &span); i++)
		if (span.type == SHT_DYNSYM)
			dynsym = span;
		else if (span.type == SHT_RELA)
			err = read_slots(p, &span);
	if (err || !p->n || !dynsym.size || elf_file_span(p->file, dynsym.link, &strings))
		return err;
	qsort(p->slots, p->n, sizeof(*p->slots), by_vaddr);
	elf_window_init(&p->symbols, p->file, &dynsym);
	elf_window_init(&p->strings, p->file, &strings);
	for (size_t i = 1; !err && !elf_file_span(p->file, i, &span); i++)
		if (span.type == SHT_PROGBITS && !strncmp(span.name, ".plt", 4))
			err = read_stubs(p, &span);
	return err;
}

int elf_symbols_add_plt(struct elf_file *f, struct native_table *t)
{
	unsigned machine = elf_file_machine(f);
	struct plt *p;
	int err;

	if (machine != EM_X86_64 && machine != EM_AARCH64)
		return 0;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->file = f;
	p->table = t;
	err = read_plt(p);
	free(p->slots);
	free(p);
	return err;
}
