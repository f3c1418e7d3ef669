/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which frames of a sample make its path, and in which order. */
#ifndef PYCOST_PATH_ORDER_H
#define PYCOST_PATH_ORDER_H

#include <stdbool.h>
#include <stdint.h>

struct path_frame {
	uint32_t function;
	uint32_t line;
	uint8_t traits; /* see code_traits.h */
	bool awaits;	/* not on the stack: it awaits the one before it */
};

/*
 * frames: innermost first.  *ret_order takes the numbers of those that belong to the
 * path, outermost first, and has room for n; returns how many.
 *
 * The path of a task begins at its coroutine, that which the event loop called, as the
 * loop would be the caller of all else that runs; those that await it come before.  A
 * loop that only calls a function back stays.
 */
uint32_t path_order(const struct path_frame *frames, uint32_t n, uint32_t *ret_order);

#endif
