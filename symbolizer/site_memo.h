/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was found in the last few interpreters: to look for sites again takes
 * tens of milliseconds, and a tree of processes has the same file many times.
 * Kept as long as the program runs; for any thread.
 */
#ifndef PYCOST_SITE_MEMO_H
#define PYCOST_SITE_MEMO_H

#include <stdbool.h>
#include <sys/stat.h>

#include "symbolizer/interpreter.h"

/*
 * Puts the sites of this file into *in, in place of what was there, or its
 * sites_reason.  0, -ENOENT when the file is not known, -ENOMEM.
 */
int site_memo_get(const struct stat *st, struct interpreter *in);

/* Remembers entries, returns and sites_reason.  Forgets the oldest for it. */
void site_memo_put(const struct stat *st, const struct interpreter *in);

#endif
