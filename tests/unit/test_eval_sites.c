/* SPDX-License-Identifier: GPL-2.0-or-later */
/* On a small 3.12 made here, and on whatever interpreters this machine has. */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <glob.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "symbolizer/disassembler.h"
#include "symbolizer/dispatch.h"
#include "symbolizer/eval_sites.h"
#include "tests/unit/small_python.h"

static struct elf_file *open_small(const struct small_elf *e)
{
	struct elf_file *f = NULL;

	CU_ASSERT_EQUAL_FATAL(elf_file_open_memory(e, sizeof(*e), &f), 0);
	return f;
}

static const char *find(const struct small_elf *e, int minor, struct interpreter *ret)
{
	struct elf_file *f = open_small(e);
	const char *why;
	int err = 1;

	*ret = (struct interpreter){ .major = 3, .minor = minor };
	why = eval_sites_find(f, ret, &err);
	CU_ASSERT_EQUAL(err, 0);
	elf_file_free(f);
	return why;
}

static const struct probe_site *named(const struct probe_sites *sites, const char *name)
{
	static const struct probe_site none;

	for (size_t i = 0; i < sites->n; i++)
		if (!strcmp(sites->v[i].name, name))
			return &sites->v[i];
	return &none;
}

static void check(const struct probe_sites *sites, const char *name, uint64_t offset,
		  const char *insn, bool emulated, uint8_t reg)
{
	const struct probe_site *s = named(sites, name);

	CU_ASSERT_EQUAL(s->offset, offset);
	CU_ASSERT_STRING_EQUAL(s->insn, insn);
	CU_ASSERT_EQUAL(s->emulated, emulated);
	CU_ASSERT_EQUAL(s->frame_reg, reg);
}

static void test_sites(void)
{
	static struct small_elf e;
	struct interpreter in;

	make_python(&e);
	CU_ASSERT_PTR_NULL(find(&e, 12, &in));
	CU_ASSERT_EQUAL(in.entries.n, 3);
	check(&in.entries, "RESUME", handler(RESUME) + 11, "je", true, USDT_X86_RBX);
	check(&in.entries, "INSTRUMENTED_RESUME", handler(240) + 6, "jne", true, USDT_X86_RBX);
	check(&in.entries, "throw", EVAL + 14, "jle", true, USDT_X86_RBX);
	CU_ASSERT_EQUAL(in.returns.n, 3);
	check(&in.returns, "YIELD_VALUE", handler(YIELD_VALUE), "mov", false, USDT_X86_RBX);
	check(&in.returns, "INSTRUMENTED_YIELD_VALUE", handler(243) + 4, "push", true,
	      USDT_X86_RBX);
	check(&in.returns, "_PyEvalFrameClearAndPop", POP + 4, "push", true, USDT_X86_RSI);
	CU_ASSERT_EQUAL(named(&in.returns, "YIELD_VALUE")->kind, SITE_HANDLER);
	CU_ASSERT_EQUAL(named(&in.returns, "_PyEvalFrameClearAndPop")->kind, SITE_FUNCTION);
	interpreter_clear(&in);
}

/* What is jumped to from elsewhere is no place to count executions. */
static void test_landing(void)
{
	static struct small_elf e;
	struct interpreter in;

	make_python(&e);
	far_jump(&e, handler(1), 0xe9, handler(RESUME) + 4);
	CU_ASSERT_PTR_NULL(find(&e, 12, &in));
	check(&in.entries, "RESUME", handler(RESUME), "mov", false, USDT_X86_RBX);
	interpreter_clear(&in);
	/* From another entry it is the same entry, handed on. */
	make_python(&e);
	far_jump(&e, handler(240) + 4, 0xe9, handler(RESUME) + 4);
	CU_ASSERT_PTR_NULL(find(&e, 12, &in));
	check(&in.entries, "RESUME", handler(RESUME) + 11, "je", true, USDT_X86_RBX);
	check(&in.entries, "INSTRUMENTED_RESUME", handler(240) + 4, "jmp", true, USDT_X86_RBX);
	interpreter_clear(&in);
	/* A near one, to its very start. */
	make_python(&e);
	CODE(&e, handler(RESUME - 2), 0xeb, 2 * ROOM - 2);
	CU_ASSERT_PTR_NOT_NULL(find(&e, 12, &in));
	CU_ASSERT_EQUAL(in.entries.n, 0);
}

static void test_refused(void)
{
	static struct small_elf e;
	struct interpreter in;

	/* a number that is no opcode has a handler */
	make_python(&e);
	small_pointer(&e, TABLE_AT + 200, handler(200));
	CU_ASSERT_STRING_EQUAL(find(&e, 12, &in), "the table of its opcode handlers was not found");
	/* of another minor */
	make_python(&e);
	CU_ASSERT_PTR_NOT_NULL(find(&e, 13, &in));
	CU_ASSERT_PTR_NOT_NULL(find(&e, 16, &in));
	CU_ASSERT_PTR_NOT_NULL(find(&e, 8, &in));
	/* shared by another opcode */
	make_python(&e);
	small_pointer(&e, TABLE_AT + 10, handler(RESUME));
	CU_ASSERT_PTR_NOT_NULL(find(&e, 12, &in));
	/* nothing ends a frame */
	make_python(&e);
	CODE(&e, handler(RETURN_CONST), STORE, DISPATCH);
	CU_ASSERT_PTR_NOT_NULL(find(&e, 12, &in));
	CU_ASSERT_EQUAL(in.returns.n, 0);
}

/* Before 3.11 by tstate->frame, set and set back. */
static void test_function(void)
{
	static struct small_elf e;
	struct interpreter in;

	small_start(&e);
	/* push %rbx; mov %rdi,%rbx; mov %rbx,0x18(%r14); test %eax,%eax; je */
	CODE(&e, EVAL, 0x53, 0x48, 0x89, 0xfb, 0x49, 0x89, 0x5e, 0x18, 0x85, 0xc0, 0x74, 0x00,
	     /* mov 0x18(%rbx),%rax; mov %rax,0x18(%r14); call; pop %rbx; ret */
	     0x48, 0x8b, 0x43, 0x18, 0x49, 0x89, 0x46, 0x18, 0xe8, 0, 0, 0, 0, 0x5b, 0xc3);
	small_function(&e, "_PyEval_EvalFrameDefault", EVAL, 27);
	CU_ASSERT_PTR_NULL(find(&e, 8, &in));
	CU_ASSERT_EQUAL(in.entries.n, 1);
	CU_ASSERT_EQUAL(in.returns.n, 1);
	check(&in.entries, "_PyEval_EvalFrameDefault", EVAL + 10, "je", true, USDT_X86_RBX);
	check(&in.returns, "_PyEval_EvalFrameDefault", EVAL + 20, "call", true, USDT_X86_RBX);
	interpreter_clear(&in);
	/* From 3.9 on the frame is the second argument. */
	CU_ASSERT_PTR_NOT_NULL(find(&e, 9, &in));
	/* What is loaded is not what is stored. */
	CODE(&e, EVAL + 12, 0x48, 0x8b, 0x4b, 0x18);
	CU_ASSERT_PTR_NOT_NULL(find(&e, 8, &in));
}

/* In 3.11 each exit asks frame->is_entry, at 68; RETURN_GENERATOR does too. */
static void test_unwind(void)
{
	static struct small_elf e;
	struct interpreter in;

	small_start(&e);
	for (unsigned n = 0; n < OPCODES; n++) {
		CODE(&e, handler(n), STORE, DISPATCH);
		small_pointer(&e, TABLE_AT + n, n < 181 || n == 255 ? handler(n) : UNKNOWN);
	}
	CODE(&e, UNKNOWN, 0x0f, 0x0b);
	/* cmpb $0,0x44(%rbx); jne */
	CODE(&e, handler(83), STORE, 0x80, 0x7b, 0x44, 0x00, 0x75, 0x00, DISPATCH);
	CODE(&e, handler(75), STORE, 0x80, 0x7b, 0x44, 0x00, 0x74, 0x00, DISPATCH);
	CODE(&e, POP, 0x80, 0x7b, 0x44, 0x00, 0x75, 0x00, DISPATCH);
	CU_ASSERT_STRING_EQUAL(find(&e, 11, &in),
			       "where an exception leaves a function was not found");
	far_jump(&e, handler(1), 0xe9, POP);
	CU_ASSERT_PTR_NULL(find(&e, 11, &in));
	CU_ASSERT_EQUAL(in.returns.n, 3);
	check(&in.returns, "RETURN_VALUE", handler(83) + 8, "jne", true, USDT_X86_RBX);
	check(&in.returns, "exit", POP + 4, "jne", true, USDT_X86_RBX);
	interpreter_clear(&in);
}

static void test_table(void)
{
	static struct small_elf e;
	struct dispatch table;
	struct elf_file *f;

	make_python(&e);
	f = open_small(&e);
	CU_ASSERT_EQUAL(dispatch_find(f, eval_opcodes_for(12), &table), 0);
	CU_ASSERT_EQUAL(table.vaddr, SMALL_TABLE + 8 * TABLE_AT);
	CU_ASSERT_EQUAL(table.unknown, UNKNOWN);
	CU_ASSERT_EQUAL(table.targets[RESUME], handler(RESUME));
	CU_ASSERT_EQUAL(dispatch_find(f, eval_opcodes_for(14), &table), -ENOENT);
	elf_file_free(f);
	/* The same without relocations, as in a file of fixed addresses. */
	for (unsigned n = 0; n < OPCODES; n++)
		e.table[TABLE_AT + n] = (uint64_t)e.rela[TABLE_AT + n].r_addend;
	memset(e.rela, 0, sizeof(e.rela));
	f = open_small(&e);
	CU_ASSERT_EQUAL(dispatch_find(f, eval_opcodes_for(12), &table), 0);
	elf_file_free(f);
}

static void test_instructions(void)
{
	static const struct {
		unsigned char bytes[8];
		enum insn_kind kind;
		unsigned size;
		bool emulated;
	} cases[] = {
		{ { 0x74, 0x10 }, INSN_BRANCH, 2, true },		    /* je */
		{ { 0x0f, 0x85, 0, 1, 0, 0 }, INSN_BRANCH, 6, true },	    /* jne */
		{ { 0xe3, 0x10 }, INSN_BRANCH, 2, false },		    /* jrcxz */
		{ { 0xeb, 0x10 }, INSN_JUMP, 2, true },			    /* jmp */
		{ { 0xe9, 0, 1, 0, 0 }, INSN_JUMP, 5, true },		    /* jmp */
		{ { 0xf2, 0xe9, 0, 1, 0, 0 }, INSN_JUMP, 6, false },	    /* bnd jmp */
		{ { 0xff, 0xe0 }, INSN_INDIRECT, 2, false },		    /* jmp *%rax */
		{ { 0x3e, 0xff, 0xe0 }, INSN_INDIRECT, 3, false },	    /* notrack jmp */
		{ { 0xe8, 0, 1, 0, 0 }, INSN_CALL, 5, true },		    /* call */
		{ { 0xff, 0xd0 }, INSN_PLAIN, 2, false },		    /* call *%rax */
		{ { 0x55 }, INSN_PLAIN, 1, true },			    /* push %rbp */
		{ { 0x41, 0x57 }, INSN_PLAIN, 2, true },		    /* push %r15 */
		{ { 0x6a, 0x01 }, INSN_PLAIN, 2, false },		    /* push $1 */
		{ { 0xff, 0x30 }, INSN_PLAIN, 2, false },		    /* push (%rax) */
		{ { 0x5d }, INSN_PLAIN, 1, false },			    /* pop %rbp */
		{ { 0x90 }, INSN_PLAIN, 1, true },			    /* nop */
		{ { 0x66, 0x90 }, INSN_PLAIN, 2, false },		    /* refused by 5.10 */
		{ { 0x0f, 0x1f, 0x00 }, INSN_PLAIN, 3, false },		    /* nopl */
		{ { 0xf3, 0x0f, 0x1e, 0xfa }, INSN_PLAIN, 4, false },	    /* endbr64 */
		{ { 0xc3 }, INSN_RETURN, 1, false },			    /* ret */
		{ { 0x0f, 0x0b }, INSN_STOP, 2, false },		    /* ud2 */
		{ { 0x48, 0x89, 0xde }, INSN_PLAIN, 3, false },		    /* mov %rbx,%rsi */
	};
	static struct small_elf e;
	struct disassembler *d = NULL;
	struct elf_file *f;
	struct insn insn;

	small_start(&e);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		code(&e, SMALL_TEXT + 16 * i, cases[i].bytes, sizeof(cases[i].bytes));
	f = open_small(&e);
	CU_ASSERT_EQUAL_FATAL(disassembler_open(f, &d), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CU_ASSERT_TRUE_FATAL(disassembler_at(d, SMALL_TEXT + 16 * i, &insn));
		CU_ASSERT_EQUAL(insn.kind, cases[i].kind);
		CU_ASSERT_EQUAL(insn.size, cases[i].size);
		CU_ASSERT_EQUAL(insn.emulated, cases[i].emulated);
	}
	CU_ASSERT_EQUAL(insn.copy_to, USDT_X86_RSI);
	CU_ASSERT_EQUAL(insn.copy_from, USDT_X86_RBX);
	CU_ASSERT_EQUAL(insn.writes, 1u << USDT_X86_RSI);
	CU_ASSERT_FALSE(disassembler_at(d, SMALL_TEXT - 1, &insn));
	CU_ASSERT_FALSE(disassembler_at(d, SMALL_TEXT + SMALL_TEXT_SIZE, &insn));
	disassembler_close(d);
	elf_file_free(f);
}

static void check_real(const char *path)
{
	struct interpreter in;

	if (interpreter_open_path(path, NULL, &in))
		return; /* its library is not where it says, or it is no CPython */
	if (in.machine == EM_X86_64 && in.major == 3 && in.minor >= 6 && in.minor <= 15 &&
	    !in.free_threaded) {
		printf(" %d.%d", in.major, in.minor);
		CU_ASSERT_NOT_EQUAL(in.probes, PROBES_ABSENT);
		CU_ASSERT_PTR_NULL(in.sites_reason);
		CU_ASSERT(in.entries.n && in.returns.n);
	}
	for (size_t i = 0; in.probes == PROBES_SITES && i < in.entries.n; i++)
		CU_ASSERT(in.entries.v[i].offset && in.entries.v[i].emulated &&
			  in.entries.v[i].frame_reg != PROBE_NO_REG);
	interpreter_clear(&in);
}

static void test_real(void)
{
	static const char *const patterns[] = {
		"/usr/bin/python3.[0-9]",
		"/usr/bin/python3.1[0-9]",
		"~/.cache/pycost/py3*/usr/bin/python3.[0-9]",
		"~/.cache/pycost/py3*/usr/bin/python3.1[0-9]",
		"~/.pyenv/versions/3.*/bin/python3.[0-9]",
		"~/.pyenv/versions/3.*/bin/python3.1[0-9]",
	};
	glob_t found = { 0 };

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		glob(patterns[i], GLOB_TILDE | (i ? GLOB_APPEND : 0), NULL, &found);
	if (!found.gl_pathc)
		printf(" (skipped: no interpreter here) ");
	for (size_t i = 0; i < found.gl_pathc; i++)
		check_real(found.gl_pathv[i]);
	globfree(&found);
}

int suite_eval_sites(void)
{
	CU_pSuite s = CU_add_suite("eval sites", NULL, NULL);

	return !s || !CU_ADD_TEST(s, test_sites) || !CU_ADD_TEST(s, test_landing) ||
	       !CU_ADD_TEST(s, test_refused) || !CU_ADD_TEST(s, test_function) ||
	       !CU_ADD_TEST(s, test_unwind) || !CU_ADD_TEST(s, test_table) ||
	       !CU_ADD_TEST(s, test_instructions) || !CU_ADD_TEST(s, test_real);
}
