/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's frame walker, compiled for the host: of x86-64 processes, over whatever
 * memory `host_read` reads.
 */
#ifndef PYCOST_TESTS_WALK_HOST_H
#define PYCOST_TESTS_WALK_HOST_H

#include <string.h>

#include "symbolizer/layout.h"

static struct cpython_layout layout;
static struct cpython_runtime runtime;

/* 0: all of it was read. */
static int (*host_read)(void *dst, unsigned len, unsigned long long address);
static unsigned host_reads; /* of one walk */
static unsigned long long host_register; /* what one of the registers holds */

static int walk_read(void *dst, unsigned len, unsigned long long address)
{
	host_reads++;
	return host_read(dst, len, address);
}

#include "bpf/walk.bpf.h"

/* No walk reads more: see the loops. */
#define HOST_READS (8 * WALK_STATES + 8 * WALK_STEPS + 16 * WIRE_SAMPLE_AWAITS + 256)

/* False: no such Python is known. */
static inline bool host_python(int minor, bool free_threaded)
{
	const struct cpython_layout *l = layout_for_build(minor, free_threaded);
	const struct cpython_runtime *r = runtime_for(minor, free_threaded);

	if (!l || !r)
		return false;
	layout = *l;
	runtime = *r;
	return true;
}

/* As walk() in bpf/walk.bpf.c; *known is the state that the thread was seen with. */
static inline void host_walk(struct walk *w, const struct wire_sampled *process,
			     unsigned long long self, unsigned long long known)
{
	int more = 1;

	memset(w, 0, sizeof(*w));
	host_reads = 0;
	w->process = *process;
	w->self = self;
	w->n_registers = 16;
	w->registers[7] = host_register;
	walk_recall(w, known);
	if (!walk_is_certain(w)) {
		walk_search(w);
		for (int i = 0; i < WALK_STATES; i++)
			if (!walk_search_step(w))
				break;
	}
	walk_start(w);
	for (int i = 0; i <= WALK_STEPS && more; i++)
		more = walk_step(w);
	walk_finish(w);
	more = runtime.tstate_task != PY_NONE;
	for (int i = 0; i < WIRE_SAMPLE_AWAITS && more; i++)
		more = walk_await_step(w);
}

#endif
