/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tokens of Python source text, to the extent that telling scopes apart
 * needs them (Parser/tokenizer.c of CPython 3.6 to 3.11: an f-string is one
 * token).  Any bytes are accepted; what is no Python gives some tokens.
 */
#ifndef PYCOST_PYTOKEN_H
#define PYCOST_PYTOKEN_H

#include <stdbool.h>
#include <stddef.h>

enum pytoken_kind {
	PYTOKEN_END,
	PYTOKEN_NEWLINE, /* of a physical line, also inside brackets */
	PYTOKEN_NAME,	 /* keywords too */
	PYTOKEN_STRING,
	PYTOKEN_OP,    /* in op: the character; 0 for those of several */
	PYTOKEN_OTHER, /* numbers, and what Python has not */
};

struct pytoken {
	enum pytoken_kind kind;
	char op;
	bool format; /* an f-string */
	bool raw;    /* a string in which backslashes are plain */
	const char *at; /* of a string: its content, without prefix and quotes */
	size_t len;
	unsigned line;	 /* where the token starts, from 1 */
	unsigned indent; /* column of the line's first token, tabs to multiples of 8 */
};

/* A position in borrowed text. */
struct pylexer {
	const char *at, *end;
	unsigned line;
	unsigned indent;
	bool line_start;
};

void pylexer_init(struct pylexer *lx, const char *text, size_t len, unsigned line);
void pylexer_next(struct pylexer *lx, struct pytoken *ret);

/* Moves over one character, or one line end of whatever form; not at the end. */
void pylexer_skip(struct pylexer *lx);

bool pytoken_is(const struct pytoken *t, const char *name);

#endif
