/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The expressions in an f-string, where it is one token: as the functions
 * fstring_find_*() of Parser/string_parser.c find them, CPython 3.9 to 3.11.
 */
#ifndef PYCOST_PYFORMAT_H
#define PYCOST_PYFORMAT_H

#include "symbolizer/pytoken.h"

struct pyformat {
	struct pylexer at;
	bool raw;
	unsigned specifiers; /* that the position is in, one in the other */
};

void pyformat_init(struct pyformat *f, const struct pytoken *string);

/* The next expression's text, also of one in a format specifier; false: none. */
bool pyformat_next(struct pyformat *f, struct pylexer *ret);

#endif
