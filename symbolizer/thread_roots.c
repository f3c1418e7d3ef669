// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/thread_roots.h"

#include <capstone/capstone.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/elf_file.h"
#include "symbolizer/layout.h"

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
 * interp_head, a static variable, and does nothing else.
 */
static int head_decode(struct elf_file *f, uint64_t *ret)
{
	bool arm64 = elf_file_machine(f) == EM_AARCH64;
	uint64_t at, page = 0, found = 0;
	uint8_t code[HEAD_BYTES];
	cs_insn *insns;
	size_t n;
	csh cs;

	if (elf_file_symbol(f, "PyInterpreterState_Head", &at) ||
	    elf_file_read(f, at, code, sizeof(code)))
		return -ENOENT;
	if (cs_open(arm64 ? CS_ARCH_ARM64 : CS_ARCH_X86, arm64 ? CS_MODE_ARM : CS_MODE_64, &cs))
		return -ENOMEM;
	cs_option(cs, CS_OPT_DETAIL, CS_OPT_ON);
	n = cs_disasm(cs, code, sizeof(code), at, 0, &insns);
	for (size_t i = 0; i < n && !found && !cs_insn_group(cs, &insns[i], CS_GRP_RET); i++)
		found = arm64 ? loaded_arm64(&insns[i], &page) : loaded_x86(&insns[i]);
	if (n)
		cs_free(insns, n);
	cs_close(&cs);
	*ret = found;
	return found ? 0 : -ENOENT;
}

static int roots_36(struct elf_file *f, struct thread_roots *ret)
{
	if (elf_file_symbol(f, "_PyThreadState_Current", &ret->current))
		return -ENOENT;
	if (!elf_file_symbol(f, "interp_head", &ret->interpreters))
		return 0;
	return head_decode(f, &ret->interpreters);
}

static int roots_read(struct elf_file *f, const struct cpython_runtime *r, struct thread_roots *ret)
{
	uint64_t runtime;

	if (elf_file_symbol(f, "PyCode_Type", &ret->code_type))
		return -ENOENT;
	if (r->runtime_interpreters == PY_NONE)
		return roots_36(f, ret);
	if (elf_file_symbol(f, "_PyRuntime", &runtime))
		return -ENOENT;
	ret->interpreters = runtime + r->runtime_interpreters;
	if (r->runtime_current != PY_NONE)
		ret->current = runtime + r->runtime_current;
	if (r->runtime_gc_collecting != PY_NONE)
		ret->collecting = runtime + r->runtime_gc_collecting;
	return 0;
}

int thread_roots_find(const struct interpreter *in, struct thread_roots *ret)
{
	const struct cpython_runtime *r = runtime_for(in->minor, in->free_threaded);
	struct elf_file *f = NULL;
	int fd, err;

	memset(ret, 0, sizeof(*ret));
	if (in->major != 3 || !r)
		return -ENOTSUP;
	fd = open(in->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = elf_file_open(fd, &f);
	close(fd);
	if (!err)
		err = roots_read(f, r, ret);
	elf_file_free(f);
	if (err)
		return err;
	ret->interpreters += in->bias;
	ret->code_type += in->bias;
	ret->current += ret->current ? in->bias : 0;
	ret->collecting += ret->collecting ? in->bias : 0;
	return 0;
}
