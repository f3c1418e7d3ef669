/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/pyscope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SCOPES_MAX 65536
#define LOCALS "<locals>."

struct pyscope {
	uint32_t line;
	uint32_t parent;
	uint32_t name; /* in names; unused for kinds that have a fixed one */
	uint16_t name_len;
	uint8_t kind;
	uint8_t is_global;
};

struct pyscopes {
	struct pyscope *v;
	uint32_t *by_line; /* numbers of scopes, sorted; from pyscopes_finish() */
	char *names;	   /* one after the other, not terminated */
	size_t n, room;
	size_t names_len, names_room;
};

static const char *const fixed_names[] = {
	[PYSCOPE_LAMBDA] = "<lambda>",	   [PYSCOPE_LISTCOMP] = "<listcomp>",
	[PYSCOPE_SETCOMP] = "<setcomp>",   [PYSCOPE_DICTCOMP] = "<dictcomp>",
	[PYSCOPE_GENEXPR] = "<genexpr>",
};

struct pyscopes *pyscopes_new(void)
{
	return calloc(1, sizeof(struct pyscopes));
}

void pyscopes_free(struct pyscopes *s)
{
	if (!s)
		return;
	free(s->v);
	free(s->by_line);
	free(s->names);
	free(s);
}

size_t pyscopes_bytes(const struct pyscopes *s)
{
	return sizeof(*s) + s->room * sizeof(*s->v) + s->n * sizeof(*s->by_line) + s->names_room;
}

size_t pyscopes_count(const struct pyscopes *s)
{
	return s->n;
}

/* Room for one more element of this size than n. */
static int grow(void **v, size_t *room, size_t needed, size_t size)
{
	size_t larger = *room * 2 > needed ? *room * 2 : needed + 8;
	void *p;

	if (needed <= *room)
		return 0;
	p = realloc(*v, larger * size);
	if (!p)
		return -ENOMEM;
	*v = p;
	*room = larger;
	return 0;
}

int pyscopes_add(struct pyscopes *s, enum pyscope_kind kind, uint32_t parent, unsigned line,
		 const char *name, size_t name_len, bool is_global, uint32_t *ret)
{
	size_t copied = kind <= PYSCOPE_CLASS ? name_len : 0;
	int err;

	if (s->n == SCOPES_MAX || copied > UINT16_MAX)
		return -E2BIG;
	err = grow((void **)&s->v, &s->room, s->n + 1, sizeof(*s->v));
	if (!err)
		err = grow((void **)&s->names, &s->names_room, s->names_len + copied, 1);
	if (err)
		return err;
	s->v[s->n] = (struct pyscope){
		.line = line,
		.parent = parent,
		.name = (uint32_t)s->names_len,
		.name_len = (uint16_t)copied,
		.kind = (uint8_t)kind,
		.is_global = is_global,
	};
	if (copied)
		memcpy(s->names + s->names_len, name, copied);
	s->names_len += copied;
	*ret = (uint32_t)s->n++;
	return 0;
}

void pyscopes_move(struct pyscopes *s, uint32_t first, uint32_t from, uint32_t to)
{
	for (size_t i = first; i < s->n; i++)
		if (s->v[i].parent == from && i != to)
			s->v[i].parent = to;
}

static int compare_lines(const void *a, const void *b, void *scopes)
{
	const struct pyscope *v = scopes;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;

	if (v[i].line != v[j].line)
		return v[i].line < v[j].line ? -1 : 1;
	return i < j ? -1 : i > j;
}

int pyscopes_finish(struct pyscopes *s)
{
	if (!s->n)
		return 0;
	s->by_line = malloc(s->n * sizeof(*s->by_line));
	if (!s->by_line)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++)
		s->by_line[i] = (uint32_t)i;
	qsort_r(s->by_line, s->n, sizeof(*s->by_line), compare_lines, s->v);
	return 0;
}

static const char *scope_name(const struct pyscopes *s, uint32_t i, size_t *ret_len)
{
	const struct pyscope *scope = &s->v[i];

	if (scope->kind > PYSCOPE_CLASS) {
		*ret_len = strlen(fixed_names[scope->kind]);
		return fixed_names[scope->kind];
	}
	*ret_len = scope->name_len;
	return scope->name_len ? s->names + scope->name : "";
}

static bool scope_is_named(const struct pyscopes *s, uint32_t i, const char *name, size_t len)
{
	size_t own_len;
	const char *own = scope_name(s, i, &own_len);

	return own_len == len && !memcmp(own, name, len);
}

/* The scope whose qualified name starts this one's, or PYSCOPE_MODULE. */
static uint32_t scope_base(const struct pyscopes *s, uint32_t i)
{
	return s->v[i].is_global ? PYSCOPE_MODULE : s->v[i].parent;
}

/* Comprehensions are functions to the interpreter, but not to qualified names. */
static bool scope_has_locals(const struct pyscopes *s, uint32_t i)
{
	return s->v[i].kind == PYSCOPE_FUNCTION || s->v[i].kind == PYSCOPE_LAMBDA;
}

static bool same_qualname(const struct pyscopes *s, uint32_t a, uint32_t b)
{
	while (a != b) {
		const char *name;
		size_t len;

		if (a == PYSCOPE_MODULE || b == PYSCOPE_MODULE)
			return false;
		name = scope_name(s, a, &len);
		if (!scope_is_named(s, b, name, len))
			return false;
		a = scope_base(s, a);
		b = scope_base(s, b);
		if (a != PYSCOPE_MODULE && b != PYSCOPE_MODULE &&
		    scope_has_locals(s, a) != scope_has_locals(s, b))
			return false;
	}
	return true;
}

static int write_qualname(const struct pyscopes *s, uint32_t scope, char *ret, size_t size)
{
	size_t total = 0, len;
	char *end;

	for (uint32_t i = scope; i != PYSCOPE_MODULE; i = scope_base(s, i)) {
		scope_name(s, i, &len);
		/* Its dot, and what comes before that of its child. */
		total += len + 1;
		if (i != scope && scope_has_locals(s, i))
			total += strlen(LOCALS);
	}
	if (total > size)
		return -ENAMETOOLONG;
	end = ret + total;
	*--end = 0;
	for (uint32_t i = scope; i != PYSCOPE_MODULE; i = scope_base(s, i)) {
		const char *name = scope_name(s, i, &len);

		if (i != scope) {
			if (scope_has_locals(s, i))
				end = memcpy(end - strlen(LOCALS), LOCALS, strlen(LOCALS));
			*--end = '.';
		}
		end -= len;
		memcpy(end, name, len);
	}
	return 0;
}

/* The first in by_line of this line, or of a later one. */
static size_t first_of_line(const struct pyscopes *s, unsigned line)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->v[s->by_line[middle]].line < line)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int pyscopes_qualname(const struct pyscopes *s, const char *name, unsigned line, char *ret,
		      size_t size)
{
	uint32_t found = PYSCOPE_MODULE;
	size_t len = strlen(name);

	for (size_t i = first_of_line(s, line); i < s->n; i++) {
		uint32_t scope = s->by_line[i];

		if (s->v[scope].line != line)
			break;
		if (!scope_is_named(s, scope, name, len))
			continue;
		if (found == PYSCOPE_MODULE)
			found = scope;
		else if (!same_qualname(s, found, scope))
			return -ENOTUNIQ;
	}
	return found == PYSCOPE_MODULE ? -ENOENT : write_qualname(s, found, ret, size);
}
