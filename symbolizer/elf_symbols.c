/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/elf_symbols.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/elf_window.h"
#include "symbolizer/native_table.h"

/* Two windows are too large for a stack that may be a thread's. */
struct reader {
	struct elf_window symbols, strings;
};

static bool is_function(const Elf64_Sym *sym)
{
	unsigned type = ELF64_ST_TYPE(sym->st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC) && sym->st_shndx != SHN_UNDEF &&
	       sym->st_shndx != SHN_ABS && sym->st_size > 0;
}

static int add_one(struct reader *r, const Elf64_Sym *sym, struct native_table *t, size_t *count)
{
	enum native_rank rank =
		ELF64_ST_BIND(sym->st_info) == STB_LOCAL ? RANK_LOCAL : RANK_GLOBAL;
	const char *name;
	size_t len;
	int err;

	if (!is_function(sym))
		return 0;
	name = elf_window_string(&r->strings, sym->st_name, &len);
	if (!name)
		return 0;
	err = native_table_add(t, sym->st_value, sym->st_size, rank, name, len);
	*count += !err;
	return err;
}

static int add_section(struct reader *r, struct elf_file *f, const struct elf_span *span,
		       struct native_table *t, size_t *count)
{
	struct elf_span strings;
	int err = elf_file_span(f, span->link, &strings);

	if (err)
		return 0; /* symbols without names */
	elf_window_init(&r->symbols, f, span);
	elf_window_init(&r->strings, f, &strings);
	for (uint64_t at = 0; !err; at += sizeof(Elf64_Sym)) {
		Elf64_Sym sym;
		size_t n;
		const char *p = elf_window_at(&r->symbols, at, sizeof(sym), &n);

		if (!p)
			break;
		memcpy(&sym, p, sizeof(sym));
		err = add_one(r, &sym, t, count);
	}
	return err;
}

int elf_symbols_add(struct elf_file *f, uint32_t type, struct native_table *t, size_t *ret_count)
{
	struct reader *r = malloc(sizeof(*r));
	struct elf_span span;
	size_t count = 0;
	int err = 0;

	if (!r)
		return -ENOMEM;
	for (size_t i = 1; !err && !elf_file_span(f, i, &span); i++)
		if (span.type == type) {
			err = add_section(r, f, &span, t, &count);
			break; /* the format knows but one of each */
		}
	free(r);
	*ret_count = count;
	return err;
}
