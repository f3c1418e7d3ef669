/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strings kept once each, until the pool is freed. */
#ifndef PYCOST_STRPOOL_H
#define PYCOST_STRPOOL_H

#include <stddef.h>

struct strpool;

/* Holds at most max bytes of strings.  NULL: no memory. */
struct strpool *strpool_new(size_t max);
void strpool_free(struct strpool *p);

/*
 * The pool's own copy of s, the same pointer for equal strings.
 * NULL when the pool is full or there is no memory.
 */
const char *strpool_intern(struct strpool *p, const char *s);

#endif
