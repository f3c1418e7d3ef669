/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where an interpreter keeps the roots of its threads' states, for sampling.
 */
#ifndef PYCOST_THREAD_ROOTS_H
#define PYCOST_THREAD_ROOTS_H

#include <stdint.h>

#include "symbolizer/interpreter.h"

/* Addresses in the process that `in` was found in; 0: that Python has none. */
struct thread_roots {
	uint64_t interpreters; /* of the pointer to the first PyInterpreterState */
	uint64_t current;      /* of the pointer to the state with the GIL; up to 3.11 */
	uint64_t collecting;   /* of an int: garbage is collected; 3.7 and 3.8 */
	uint64_t code_type;    /* PyCode_Type */
};

/*
 * -ENOTSUP: no layout of that Python is known.  -ENOENT: the file has not the symbols
 * that it should, or 3.6's PyInterpreterState_Head() is not what it was.
 */
int thread_roots_find(const struct interpreter *in, struct thread_roots *ret);

#endif
