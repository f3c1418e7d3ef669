/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>

#include "symbolizer/elf_file.h"
#include "symbolizer/probe_note.h"
#include "symbolizer/pyversion.h"
#include "symbolizer/usdt_arg.h"

static void read_probes(struct elf_file *f)
{
	struct probe_notes notes;
	struct usdt_arg args[4];

	if (probe_notes_read(f, "python", &notes))
		return;
	for (size_t i = 0; i < notes.n; i++)
		usdt_args_parse(notes.v[i].args, elf_file_machine(f), args, 4);
	probe_notes_free(&notes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char build_id[ELF_BUILD_ID_SIZE], bytes[16];
	struct elf_section section;
	struct elf_file *f;
	uint64_t value;

	if (elf_file_open_memory(data, size, &f))
		return 0;
	elf_file_is_pie(f);
	elf_file_build_id(f, build_id);
	elf_file_section(f, ".text", &section);
	if (!elf_file_symbol(f, "PyFunction_Type", &value))
		elf_file_read(f, value, bytes, sizeof(bytes));
	elf_file_code_vaddr(f, 0x1000, &value);
	for (size_t i = 0; i < 4; i++)
		elf_file_dynamic(f, DT_NEEDED, i);
	read_probes(f);
	pyversion_read(f, "/usr/bin/python3.9");
	elf_file_free(f);
	return 0;
}
