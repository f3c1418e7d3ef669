/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The search for sites in foreign code: bytes of a small interpreter replaced,
 * four of input for each (where, 16 bits; how many to skip; the new byte).
 */
#include <stdint.h>
#include <stdlib.h>

#include "symbolizer/eval_sites.h"
#include "tests/unit/small_python.h"

/* An unsound answer is as bad as a crash. */
static void check(const struct probe_sites *sites)
{
	for (size_t i = 0; i < sites->n; i++)
		if (!sites->v[i].insn[0] || !sites->v[i].name[0] ||
		    sites->v[i].kind == SITE_NOTE)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct small_elf e;
	struct interpreter in = { .major = 3 };
	struct elf_file *f;
	const char *why;
	int err;

	if (size == 0)
		return 0;
	in.minor = 6 + data[0] % 11;
	make_python(&e);
	for (size_t i = 1; i + 4 <= size; i += 4) {
		size_t at = data[i] | (size_t)data[i + 1] << 8;

		((uint8_t *)&e)[(at + data[i + 2]) % sizeof(e)] = data[i + 3];
	}
	if (elf_file_open_memory(&e, sizeof(e), &f))
		return 0;
	in.machine = elf_file_machine(f);
	why = eval_sites_find(f, &in, &err);
	if (!why && !err && (!in.entries.n || !in.returns.n))
		abort();
	check(&in.entries);
	check(&in.returns);
	interpreter_clear(&in);
	elf_file_free(f);
	return 0;
}
