/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where an interpreter keeps the roots of its threads' states, for sampling.
 */
#ifndef PYCOST_THREAD_ROOTS_H
#define PYCOST_THREAD_ROOTS_H

#include <stdint.h>

#include "bpf/cpython.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/interpreter.h"

/* Addresses in the process that `in` was found in; 0: that Python has none. */
struct thread_roots {
	uint64_t interpreters; /* of the pointer to the first PyInterpreterState */
	uint64_t current;      /* of the pointer to the state with the GIL; up to 3.11 */
	uint64_t collecting;   /* of an int: garbage is collected; 3.7 and 3.8 */
};

/* r: the layout of that interpreter. */
void thread_roots_find(const struct interpreter *in, const struct cpython_runtime *r,
		       struct thread_roots *ret);

/*
 * Where 3.6's file has interp_head, also when it is stripped: a vaddr; 0: it has no
 * such symbol, and its PyInterpreterState_Head() is not what it was.
 */
uint64_t thread_roots_head(struct elf_file *f);

#endif
