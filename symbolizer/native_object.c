/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/native_object.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>

#include "symbolizer/debug_file.h"
#include "symbolizer/elf_symbols.h"
#include "symbolizer/minidebug.h"
#include "symbolizer/native_table.h"

static void read_segments(struct elf_file *f, struct native_object *o)
{
	while (o->n_code < OBJECT_SEGMENTS &&
	       !elf_file_code_segment(f, o->n_code, &o->code[o->n_code].vaddr,
				      &o->code[o->n_code].offset, &o->code[o->n_code].size))
		o->n_code++;
}

/* Adds the .symtab of a file that came from elsewhere, and frees it. */
static bool add_foreign(struct elf_file *f, struct native_table *t)
{
	size_t n = 0;

	elf_symbols_add(f, SHT_SYMTAB, t, &n);
	elf_file_free(f);
	return n > 0;
}

static bool add_debug_file(struct elf_file *f, const struct native_object_source *s,
			   struct native_table *t)
{
	struct elf_file *debug;

	if (s->debug_fd >= 0 && !debug_file_open(s->debug_fd, f, &debug))
		return add_foreign(debug, t);
	if (s->target && !debug_file_find(s->target, f, s->path, &debug))
		return add_foreign(debug, t);
	if (s->own && !debug_file_find(s->own, f, s->path, &debug))
		return add_foreign(debug, t);
	return false;
}

static bool add_minidebug(struct elf_file *f, struct native_table *t)
{
	struct elf_file *mini;
	bool found = false;
	void *bytes;
	size_t size;

	if (minidebug_read(f, &bytes, &size))
		return false;
	if (!elf_file_open_memory(bytes, size, &mini))
		found = add_foreign(mini, t);
	free(bytes);
	return found;
}

int native_object_read(struct elf_file *f, const struct native_object_source *source,
		       struct native_object *ret)
{
	struct native_object o = { .table = native_table_new(source->max_bytes) };
	size_t n = 0;

	if (!o.table)
		return -ENOMEM;
	if (elf_file_build_id(f, o.build_id))
		o.build_id[0] = 0;
	read_segments(f, &o);
	elf_symbols_add(f, SHT_SYMTAB, o.table, &n);
	/* What is full, or damaged, is what it is: the table counts its losses. */
	o.whole = n > 0 || add_debug_file(f, source, o.table) || add_minidebug(f, o.table);
	elf_symbols_add(f, SHT_DYNSYM, o.table, &n);
	elf_symbols_add_plt(f, o.table);
	if (native_table_seal(o.table, false)) {
		native_object_clear(&o);
		return -ENOMEM;
	}
	*ret = o;
	return 0;
}

void native_object_clear(struct native_object *o)
{
	native_table_free(o->table);
	*o = (struct native_object){ 0 };
}

bool native_object_vaddr(const struct native_object *o, uint64_t offset, uint64_t *ret)
{
	for (unsigned i = 0; i < o->n_code; i++)
		if (offset - o->code[i].offset < o->code[i].size && offset >= o->code[i].offset) {
			*ret = o->code[i].vaddr + (offset - o->code[i].offset);
			return true;
		}
	return false;
}
