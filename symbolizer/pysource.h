/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the scopes in Python source text, for code objects that do not tell
 * their qualified name: those before Python 3.11.
 */
#ifndef PYCOST_PYSOURCE_H
#define PYCOST_PYSOURCE_H

#include <stddef.h>

#include "symbolizer/pyscope.h"

/*
 * Scans the text of a file, in any encoding that has ASCII's bytes for ASCII.
 * What is no Python gives some scopes or none.  -ENOMEM; -E2BIG when it nests
 * deeper than CPython would compile, or holds more than any real file.
 * Free with pyscopes_free().
 */
int pysource_scan(const char *text, size_t len, struct pyscopes **ret);

#endif
