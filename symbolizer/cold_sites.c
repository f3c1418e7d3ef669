/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/cold_sites.h"

#include <capstone/capstone.h>
#include <elf.h>
#include <string.h>

/* Instructions of one piece of code, and their bytes, at most. */
#define PIECE_SITES 12
#define PIECE_BYTES 96

/* What an instruction is for where the code ends. */
enum piece_end {
	PIECE_GOES_ON,
	PIECE_ENDS,	    /* with it */
	PIECE_ENDED_BEFORE, /* it never runs, but the kernel takes no such one either */
};

static void site_add(struct elf_file *f, uint64_t vaddr, struct cold_sites *ret)
{
	uint64_t offset;

	if (ret->n == COLD_SITES_MAX || elf_file_vaddr_to_offset(f, vaddr, &offset))
		return;
	for (size_t i = 0; i < ret->n; i++)
		if (ret->offsets[i] == offset)
			return;
	ret->offsets[ret->n++] = offset;
}

static enum piece_end x86_end(const cs_insn *insn)
{
	switch (insn->id) {
	case X86_INS_RET:
	case X86_INS_JMP:
		return PIECE_ENDS;
	case X86_INS_HLT: /* behind the call that starts the program */
	case X86_INS_UD2:
	case X86_INS_INT3:
		return PIECE_ENDED_BEFORE;
	}
	return PIECE_GOES_ON;
}

static void x86_piece(struct elf_file *f, uint64_t vaddr, const uint8_t *code, size_t size,
		      struct cold_sites *ret)
{
	enum piece_end end = PIECE_GOES_ON;
	cs_insn *insn;
	csh handle;

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle))
		return;
	insn = cs_malloc(handle);
	for (int i = 0; insn && i < PIECE_SITES && end == PIECE_GOES_ON; i++) {
		if (!cs_disasm_iter(handle, &code, &size, &vaddr, insn))
			break;
		end = x86_end(insn);
		if (end != PIECE_ENDED_BEFORE)
			site_add(f, insn->address, ret);
	}
	if (insn)
		cs_free(insn, 1);
	cs_close(&handle);
}

/* Arm Architecture Reference Manual for A-profile, C6.2: RET; B; BRK and UDF end code, too. */
#define ARM64_IS_RET(word) (((word) & 0xfffffc1f) == 0xd65f0000)
#define ARM64_IS_JUMP(word) (((word) & 0xfc000000) == 0x14000000)
#define ARM64_IS_TRAP(word) (((word) & 0xffe0001f) == 0xd4200000 || !((word) & 0xffff0000))

static void arm64_piece(struct elf_file *f, uint64_t vaddr, const uint8_t *code, size_t size,
			struct cold_sites *ret)
{
	uint32_t word;

	for (size_t at = 0; at + 4 <= size && at < 4 * PIECE_SITES; at += 4) {
		memcpy(&word, code + at, 4);
		if (ARM64_IS_TRAP(word))
			return;
		site_add(f, vaddr + at, ret);
		if (ARM64_IS_RET(word) || ARM64_IS_JUMP(word))
			return;
	}
}

static void piece_find(struct elf_file *f, uint64_t vaddr, struct cold_sites *ret)
{
	size_t size = PIECE_BYTES;
	uint8_t code[PIECE_BYTES];

	/* It may be the last there is. */
	while (size && elf_file_read(f, vaddr, code, size))
		size--;
	if (elf_file_machine(f) == EM_X86_64)
		x86_piece(f, vaddr, code, size, ret);
	else if (elf_file_machine(f) == EM_AARCH64)
		arm64_piece(f, vaddr, code, size, ret);
}

/* What linkers put as the entry of a library may be any function of it. */
static bool is_program(struct elf_file *f)
{
	struct elf_span interp;

	return !elf_file_is_pie(f) || !elf_file_span_named(f, ".interp", &interp);
}

void cold_sites_find(struct elf_file *f, struct cold_sites *ret)
{
	static const int64_t tags[] = { DT_INIT, DT_FINI };
	uint64_t vaddr;

	ret->n = 0;
	if (elf_file_entry(f) && is_program(f))
		piece_find(f, elf_file_entry(f), ret);
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		if (!elf_file_dynamic_vaddr(f, tags[i], &vaddr) && vaddr)
			piece_find(f, vaddr, ret);
}
