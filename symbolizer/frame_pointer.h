/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a chain of frame pointers can be believed, from the code at its addresses.
 *
 * A function without a frame pointer of its own leaves its caller's in place, so a chain
 * passes over a frame without a sign.  A function that begins by making its frame is in
 * the chain for certain, and its return address is there: so each link of a chain is
 * right whose callee begins like that.
 */
#ifndef PYCOST_FRAME_POINTER_H
#define PYCOST_FRAME_POINTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_CODE_SIZE 16

/*
 * machine: EM_X86_64 or EM_AARCH64; code: of a function's start.  How many bytes its
 * frame takes to be made, at once and first of all; 0: it is not made there.
 */
size_t frame_prologue(unsigned machine, const uint8_t code[FRAME_CODE_SIZE]);

/* Is this, where a thread is within such a function, an instruction after its frame's end? */
bool frame_is_over(unsigned machine, const uint8_t code[FRAME_CODE_SIZE]);

/* before: the FRAME_CODE_SIZE bytes before an address.  Does a call end there? */
bool frame_follows_call(unsigned machine, const uint8_t before[FRAME_CODE_SIZE]);

#endif
