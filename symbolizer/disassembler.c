/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/disassembler.h"

#include <capstone/capstone.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/usdt_arg.h"

struct disassembler {
	csh handle;
	cs_insn *insn;
	struct elf_section text;
};

/* Each register with the names of its parts: a write to a part spoils the whole. */
static const struct {
	uint8_t reg; /* enum usdt_reg */
	x86_reg names[5];
} registers[] = {
	{ USDT_X86_RAX, { X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH } },
	{ USDT_X86_RBX, { X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH } },
	{ USDT_X86_RCX, { X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH } },
	{ USDT_X86_RDX, { X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH } },
	{ USDT_X86_RSI, { X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL } },
	{ USDT_X86_RDI, { X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL } },
	{ USDT_X86_RBP, { X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL } },
	{ USDT_X86_RSP, { X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL } },
	{ USDT_X86_R8, { X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B } },
	{ USDT_X86_R9, { X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B } },
	{ USDT_X86_R10, { X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B } },
	{ USDT_X86_R11, { X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B } },
	{ USDT_X86_R12, { X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B } },
	{ USDT_X86_R13, { X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B } },
	{ USDT_X86_R14, { X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B } },
	{ USDT_X86_R15, { X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B } },
};

static uint8_t reg_of(unsigned name)
{
	for (size_t i = 0; name && i < sizeof(registers) / sizeof(registers[0]); i++)
		for (size_t j = 0; j < 5; j++)
			if (registers[i].names[j] == name)
				return registers[i].reg;
	return INSN_NO_REG;
}

int disassembler_open(struct elf_file *f, struct disassembler **ret)
{
	struct disassembler *d;
	int err;

	if (elf_file_machine(f) != EM_X86_64)
		return -EOPNOTSUPP;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	err = elf_file_section(f, ".text", &d->text);
	if (!err && cs_open(CS_ARCH_X86, CS_MODE_64, &d->handle)) {
		d->handle = 0;
		err = -ENOMEM;
	}
	if (!err) {
		cs_option(d->handle, CS_OPT_DETAIL, CS_OPT_ON);
		d->insn = cs_malloc(d->handle);
		err = d->insn ? 0 : -ENOMEM;
	}
	if (err)
		disassembler_close(d);
	else
		*ret = d;
	return err;
}

void disassembler_close(struct disassembler *d)
{
	if (!d)
		return;
	if (d->insn)
		cs_free(d->insn, 1);
	if (d->handle)
		cs_close(&d->handle);
	free(d);
}

const struct elf_section *disassembler_text(const struct disassembler *d)
{
	return &d->text;
}

static bool has(const struct disassembler *d, uint64_t vaddr)
{
	return vaddr >= d->text.vaddr && vaddr - d->text.vaddr < d->text.size;
}

/* A jump, branch or call: direct when its operand is an address. */
static void read_flow(const cs_insn *raw, struct insn *ret, enum insn_kind direct)
{
	const cs_x86 *x = &raw->detail->x86;

	if (x->op_count == 1 && x->operands[0].type == X86_OP_IMM) {
		ret->kind = direct;
		ret->target = (uint64_t)x->operands[0].imm;
	} else if (direct != INSN_CALL) {
		ret->kind = INSN_INDIRECT;
	}
}

static bool in_group(const cs_insn *raw, uint8_t group)
{
	for (unsigned i = 0; i < raw->detail->groups_count; i++)
		if (raw->detail->groups[i] == group)
			return true;
	return false;
}

static void read_kind(const cs_insn *raw, struct insn *ret)
{
	switch (raw->id) {
	case X86_INS_JMP:
		read_flow(raw, ret, INSN_JUMP);
		/* EB and E9, without prefixes */
		ret->emulated = ret->kind == INSN_JUMP && (raw->size == 2 || raw->size == 5);
		return;
	case X86_INS_CALL:
		read_flow(raw, ret, INSN_CALL);
		ret->calls = ret->kind != INSN_CALL;
		ret->emulated = ret->kind == INSN_CALL && raw->size == 5;
		return;
	case X86_INS_JCXZ:
	case X86_INS_JECXZ:
	case X86_INS_JRCXZ:
	case X86_INS_LOOP:
	case X86_INS_LOOPE:
	case X86_INS_LOOPNE:
		read_flow(raw, ret, INSN_BRANCH);
		return;
	case X86_INS_PUSH:
		/* 50+r, also with the prefix of r8 to r15 */
		ret->emulated = raw->detail->x86.operands[0].type == X86_OP_REG &&
				(raw->size == 1 || (raw->size == 2 && raw->bytes[0] == 0x41));
		return;
	case X86_INS_NOP:
		ret->emulated = raw->size == 1;
		return;
	case X86_INS_HLT:
	case X86_INS_UD2:
	case X86_INS_INT3:
		ret->kind = INSN_STOP;
		return;
	}
	if (in_group(raw, X86_GRP_JUMP)) {
		read_flow(raw, ret, INSN_BRANCH);
		/* 7x, and 0F 8x */
		ret->emulated = ret->kind == INSN_BRANCH && (raw->size == 2 || raw->size == 6);
	} else if (in_group(raw, X86_GRP_RET)) {
		ret->kind = INSN_RETURN;
	}
}

/* base + displacement, and nothing else */
static bool is_plain_memory(const cs_x86_op *op)
{
	return op->type == X86_OP_MEM && op->mem.index == X86_REG_INVALID &&
	       op->mem.segment == X86_REG_INVALID;
}

static void read_store(const cs_x86_op *to, const cs_x86_op *from, struct insn *ret)
{
	ret->store_base = reg_of(to->mem.base);
	ret->store_at = to->mem.disp;
	ret->store_size = to->size;
	if (from->type == X86_OP_REG)
		ret->store_reg = reg_of(from->reg);
}

static void read_move(const cs_insn *raw, struct insn *ret)
{
	const cs_x86 *x = &raw->detail->x86;
	const cs_x86_op *to = &x->operands[0], *from = &x->operands[1];

	if (x->op_count != 2)
		return;
	if (raw->id == X86_INS_CMP && is_plain_memory(to) && from->type == X86_OP_IMM &&
	    from->imm == 0) {
		ret->test_base = reg_of(to->mem.base);
		ret->test_at = to->mem.disp;
		ret->test_size = to->size;
	}
	if (raw->id == X86_INS_TEST && to->type == X86_OP_REG && from->type == X86_OP_REG &&
	    to->reg == from->reg)
		ret->test_reg = reg_of(to->reg);
	if (raw->id != X86_INS_MOV)
		return;
	if (is_plain_memory(to))
		read_store(to, from, ret);
	if (to->type != X86_OP_REG)
		return;
	if (from->type == X86_OP_REG && to->size >= 4) {
		ret->copy_to = reg_of(to->reg);
		ret->copy_from = reg_of(from->reg);
		ret->copy_size = to->size;
	} else if (is_plain_memory(from) && to->size == 8) {
		ret->load_to = reg_of(to->reg);
		ret->load_base = reg_of(from->mem.base);
		ret->load_at = from->mem.disp;
	}
}

static void read_writes(csh handle, const cs_insn *raw, struct insn *ret)
{
	cs_regs read, written;
	uint8_t n_read, n_written;

	if (cs_regs_access(handle, raw, read, &n_read, written, &n_written)) {
		ret->writes = UINT32_MAX;
		return;
	}
	for (unsigned i = 0; i < n_written; i++) {
		uint8_t reg = reg_of(written[i]);

		if (reg != INSN_NO_REG)
			ret->writes |= 1u << reg;
		ret->sets_flags |= written[i] == X86_REG_EFLAGS;
	}
}

bool disassembler_at(struct disassembler *d, uint64_t vaddr, struct insn *ret)
{
	const uint8_t *code;
	size_t left;
	uint64_t at = vaddr;

	if (!has(d, vaddr))
		return false;
	code = d->text.data + (vaddr - d->text.vaddr);
	left = d->text.size - (vaddr - d->text.vaddr);
	*ret = (struct insn){
		.vaddr = vaddr,
		.copy_to = INSN_NO_REG,
		.copy_from = INSN_NO_REG,
		.load_to = INSN_NO_REG,
		.load_base = INSN_NO_REG,
		.test_base = INSN_NO_REG,
		.test_reg = INSN_NO_REG,
		.store_base = INSN_NO_REG,
		.store_reg = INSN_NO_REG,
	};
	if (!cs_disasm_iter(d->handle, &code, &left, &at, d->insn))
		return false;
	ret->size = d->insn->size;
	memcpy(ret->name, d->insn->mnemonic, strnlen(d->insn->mnemonic, sizeof(ret->name) - 1));
	ret->landing_pad = d->insn->id == X86_INS_ENDBR64;
	read_kind(d->insn, ret);
	read_move(d->insn, ret);
	read_writes(d->handle, d->insn, ret);
	return true;
}
