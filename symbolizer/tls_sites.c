/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/tls_sites.h"

#include <errno.h>

#include "symbolizer/disassembler.h"
#include "symbolizer/elf_file.h"

/* They only call what does the work. */
#define FUNCTION_SIZE 1024

static const char *const functions[TLS_RETURN] = {
	[TLS_READ] = "SSL_read",
	[TLS_READ_EX] = "SSL_read_ex",
	[TLS_WRITE] = "SSL_write",
	[TLS_WRITE_EX] = "SSL_write_ex",
	[TLS_WRITE_EX2] = "SSL_write_ex2",
};

static int site_add(struct elf_file *f, enum tls_kind kind, uint64_t vaddr, struct tls_sites *ret)
{
	struct tls_site *site = &ret->v[ret->n];
	int err;

	if (ret->n == TLS_SITES)
		return -ENOTSUP;
	site->kind = kind;
	err = elf_file_vaddr_to_offset(f, vaddr, &site->offset);
	ret->n += !err;
	return err;
}

/* Those of one function; that there are returns is told in *ret_returns. */
static int function_sites(struct elf_file *f, struct disassembler *d, enum tls_kind kind,
			  struct tls_sites *ret, size_t *ret_returns)
{
	uint64_t vaddr, size, end;
	struct insn insn;
	int err = elf_file_function(f, functions[kind], &vaddr, &size);

	if (err)
		return err;
	if (!size || size > FUNCTION_SIZE)
		return -ENOTSUP;
	err = site_add(f, kind, vaddr, ret);
	for (end = vaddr + size; !err && vaddr < end; vaddr += insn.size) {
		if (!disassembler_at(d, vaddr, &insn))
			return -ENOTSUP;
		if (insn.kind != INSN_RETURN)
			continue;
		++*ret_returns;
		err = site_add(f, TLS_RETURN, vaddr, ret);
	}
	return err;
}

static int sites_find(struct elf_file *f, struct disassembler *d, struct tls_sites *ret)
{
	size_t entries = 0;
	int err;

	for (enum tls_kind kind = 0; kind < TLS_RETURN; kind++) {
		size_t returns = 0;

		err = function_sites(f, d, kind, ret, &returns);
		if (err == -ENOENT)
			continue;
		if (err)
			return err;
		/* One that ends in a jump to another is seen there. */
		entries += returns != 0;
	}
	return entries ? 0 : -ENOENT;
}

int tls_sites_find(int fd, struct tls_sites *ret)
{
	struct disassembler *d = NULL;
	struct elf_file *f;
	int err = elf_file_open(fd, &f);

	if (err)
		return err;
	ret->n = 0;
	err = disassembler_open(f, &d);
	if (!err)
		err = sites_find(f, d, ret);
	disassembler_close(d);
	elf_file_free(f);
	return err;
}
