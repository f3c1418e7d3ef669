/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Symbol tables, the PLT and .gnu_debugdata of a hostile ELF file. */
#include <stdint.h>
#include <stdlib.h>

#include "symbolizer/minidebug.h"
#include "symbolizer/native_object.h"
#include "symbolizer/native_table.h"

#define TABLE_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct rootfs nowhere = { -1, -1 };
	const struct native_object_source source = {
		.target = &nowhere,
		.path = "/x/y",
		.debug_fd = -1,
		.max_bytes = TABLE_MAX,
	};
	struct native_function function;
	struct native_object o;
	struct elf_file *f;
	uint64_t vaddr;

	if (elf_file_open_memory(data, size, &f))
		return 0;
	if (!native_object_read(f, &source, &o)) {
		/* Sealing copies what it keeps, which is no more. */
		if (native_table_bytes(o.table) > TABLE_MAX)
			abort();
		for (uint64_t offset = 0; offset < 65536; offset += 64)
			if (native_object_vaddr(&o, offset, &vaddr))
				native_table_find(o.table, vaddr, &function);
		native_object_clear(&o);
	}
	elf_file_free(f);
	return 0;
}
