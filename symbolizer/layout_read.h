/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layout of one interpreter: what it tells of itself (debug_offsets.h), over the
 * table of its minor.
 */
#ifndef PYCOST_LAYOUT_READ_H
#define PYCOST_LAYOUT_READ_H

#include <sys/types.h>

#include "symbolizer/interpreter.h"
#include "symbolizer/layout.h"

/*
 * Not what the tables say, as far as it can be compared: a minor after those that we
 * know, a build of its own, an alpha or a beta.  Nothing speaks against the layout, but
 * it is to be tried on a private child before it is believed.
 */
#define LAYOUT_UNPROVEN 1

/*
 * Fills in *layout and *runtime.  Debug offsets come from the interpreter's file, or,
 * where that has none to be read, from the memory of process `pid`; 0: of no process.
 * Those of asyncio come from that file too, or from the _asyncio module that the
 * process has mapped.
 *
 * 0, or LAYOUT_UNPROVEN; -ENOTSUP when no layout is known, or what the interpreter
 * tells makes no sense, or errors of opening its file.  Then `why` is one clause, of
 * at most size - 1 characters, that says so ("Python 3.17: ...").
 */
int layout_read(const struct interpreter *in, pid_t pid, struct cpython_layout *layout,
		struct cpython_runtime *runtime, char *why, size_t size);

#endif
