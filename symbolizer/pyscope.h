/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scopes of one Python source file: what has a code object of its own.
 * Qualified names are made as CPython makes them (Python/compile.c,
 * compiler_set_qualname(), 3.6 to 3.11).
 */
#ifndef PYCOST_PYSCOPE_H
#define PYCOST_PYSCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pyscope_kind {
	PYSCOPE_FUNCTION,
	PYSCOPE_CLASS,
	PYSCOPE_LAMBDA,
	PYSCOPE_LISTCOMP,
	PYSCOPE_SETCOMP,
	PYSCOPE_DICTCOMP,
	PYSCOPE_GENEXPR,
};

#define PYSCOPE_MODULE UINT32_MAX /* as a parent: none */

struct pyscopes;

struct pyscopes *pyscopes_new(void); /* NULL: no memory */
void pyscopes_free(struct pyscopes *s);
size_t pyscopes_bytes(const struct pyscopes *s); /* of memory */
size_t pyscopes_count(const struct pyscopes *s);

/*
 * Appends a scope; its number, counted from 0, is in *ret.  The name matters to
 * functions and classes only.  is_global: its parent declares the name global.
 * -ENOMEM; -E2BIG when no real file has so many, or a name is so long.
 */
int pyscopes_add(struct pyscopes *s, enum pyscope_kind kind, uint32_t parent, unsigned line,
		 const char *name, size_t name_len, bool is_global, uint32_t *ret);

/* Scopes from number `first` on whose parent is `from` get the parent `to`. */
void pyscopes_move(struct pyscopes *s, uint32_t first, uint32_t from, uint32_t to);

/* After the last scope, before the first lookup.  -ENOMEM. */
int pyscopes_finish(struct pyscopes *s);

/*
 * The qualified name of the code object with this co_name and co_firstlineno,
 * terminated.  -ENOENT; -ENOTUNIQ when there are several and they differ;
 * -ENAMETOOLONG.
 */
int pyscopes_qualname(const struct pyscopes *s, const char *name, unsigned line, char *ret,
		      size_t size);

#endif
