/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a function is to those who read paths of samples. */
#ifndef PYCOST_CODE_TRAITS_H
#define PYCOST_CODE_TRAITS_H

#include <stdint.h>

#define TRAIT_COROUTINE 0x1 /* a coroutine or an asynchronous generator */
#define TRAIT_LOOP 0x2	    /* asyncio's machinery, or that of a loop in its place */
#define TRAIT_IMPORT 0x4    /* the import system: who runs below it, runs in an import */
#define TRAIT_NO_CALL 0x8   /* what C enters the interpreter by, no function: see below */

/*
 * flags: co_flags.  file and module as the resolver tells them.
 *
 * Coroutines: CO_COROUTINE, CO_ITERABLE_COROUTINE and CO_ASYNC_GENERATOR in
 * Include/code.h, the same numbers in 3.6 to 3.15.  Tasks are stepped by
 * Handle._run() in asyncio/events.py, where _asyncio is in use, and by Task.__step()
 * in asyncio/tasks.py below it, where it is not; loops written in C, such as uvloop,
 * step them from under asyncio/runners.py or their own run().  Modules are brought in
 * by _find_and_load() in importlib/_bootstrap.py, which is frozen into every Python.
 *
 * 3.12 names the code of its entry frames "<interpreter trampoline>" (Python/pylifecycle.c).
 * Who meets such a frame as a function's has met it before it was whole.
 */
uint8_t code_traits(uint32_t flags, const char *module, const char *file, const char *name);

#endif
