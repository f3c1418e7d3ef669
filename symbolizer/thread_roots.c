// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/thread_roots.h"

#include <capstone/capstone.h>
#include <elf.h>
#include <stdbool.h>

#define HEAD_BYTES 32

/* x86-64: the first load relative to rip.  0: none. */
static uint64_t loaded_x86(const cs_insn *insn)
{
	const cs_x86 *x = &insn->detail->x86;

	if (insn->id != X86_INS_MOV || x->op_count != 2 || x->operands[1].type != X86_OP_MEM ||
	    x->operands[1].mem.base != X86_REG_RIP)
		return 0;
	return insn->address + insn->size + x->operands[1].mem.disp;
}

/* arm64: adrp, perhaps add, then ldr; *page is what the register holds. */
static uint64_t loaded_arm64(const cs_insn *insn, uint64_t *page)
{
	const cs_arm64 *a = &insn->detail->arm64;

	if (insn->id == ARM64_INS_ADRP && a->op_count == 2)
		*page = a->operands[1].imm;
	else if (insn->id == ARM64_INS_ADD && a->op_count == 3 &&
		 a->operands[2].type == ARM64_OP_IMM && *page)
		*page += a->operands[2].imm;
	else if (insn->id == ARM64_INS_LDR && a->op_count == 2 &&
		 a->operands[1].type == ARM64_OP_MEM && *page)
		return *page + a->operands[1].mem.disp;
	return 0;
}

/*
 * 3.6 has no _PyRuntime.  PyInterpreterState_Head() in Python/pystate.c returns
 * interp_head, a static variable, and does nothing else.  0: it is not like that.
 */
static uint64_t head_decode(struct elf_file *f)
{
	bool arm64 = elf_file_machine(f) == EM_AARCH64;
	uint64_t at, page = 0, found = 0;
	uint8_t code[HEAD_BYTES];
	cs_insn *insns;
	size_t n;
	csh cs;

	if (elf_file_symbol(f, "PyInterpreterState_Head", &at) ||
	    elf_file_read(f, at, code, sizeof(code)))
		return 0;
	if (cs_open(arm64 ? CS_ARCH_ARM64 : CS_ARCH_X86, arm64 ? CS_MODE_ARM : CS_MODE_64, &cs))
		return 0;
	cs_option(cs, CS_OPT_DETAIL, CS_OPT_ON);
	n = cs_disasm(cs, code, sizeof(code), at, 0, &insns);
	for (size_t i = 0; i < n && !found && !cs_insn_group(cs, &insns[i], CS_GRP_RET); i++)
		found = arm64 ? loaded_arm64(&insns[i], &page) : loaded_x86(&insns[i]);
	if (n)
		cs_free(insns, n);
	cs_close(&cs);
	return found;
}

uint64_t thread_roots_head(struct elf_file *f)
{
	uint64_t vaddr;

	return elf_file_symbol(f, "interp_head", &vaddr) ? head_decode(f) : vaddr;
}

void thread_roots_find(const struct interpreter *in, const struct cpython_runtime *r,
		       struct thread_roots *ret)
{
	if (!in->runtime) {
		*ret = (struct thread_roots){ in->interp_head, in->thread_current, 0 };
		return;
	}
	*ret = (struct thread_roots){ .interpreters = in->runtime + r->runtime_interpreters };
	if (r->runtime_current != PY_NONE)
		ret->current = in->runtime + r->runtime_current;
	if (r->runtime_gc_collecting != PY_NONE)
		ret->collecting = in->runtime + r->runtime_gc_collecting;
}
