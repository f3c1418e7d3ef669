/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/path_order.h"

#include "userspace/code_traits.h"

#define NONE UINT32_MAX

static bool is_loop(const struct path_frame *f)
{
	return f->traits & TRAIT_LOOP && !(f->traits & TRAIT_COROUTINE);
}

static bool is_coroutine(const struct path_frame *f)
{
	return f->traits & TRAIT_COROUTINE;
}

/*
 * The frame of the innermost task's coroutine.  In a task all the same, when something
 * awaits it: then whoever called its outermost coroutine is a loop that is not known.
 */
static uint32_t task_of(const struct path_frame *frames, uint32_t n)
{
	uint32_t last = NONE, outermost = NONE;
	bool awaited = false;

	for (uint32_t i = 0; i < n; i++) {
		if (frames[i].awaits) {
			awaited = true;
			continue;
		}
		if (last != NONE && is_coroutine(&frames[last]) && is_loop(&frames[i]))
			return last;
		if (is_coroutine(&frames[i]))
			outermost = i;
		last = i;
	}
	return awaited ? outermost : NONE;
}

uint32_t path_order(const struct path_frame *frames, uint32_t n, uint32_t *ret_order)
{
	uint32_t task = task_of(frames, n), count = 0;

	for (uint32_t i = n; task != NONE && i--;)
		if (frames[i].awaits)
			ret_order[count++] = i;
	for (uint32_t i = n; i--;)
		if (!frames[i].awaits && (task == NONE || i <= task))
			ret_order[count++] = i;
	return count;
}
