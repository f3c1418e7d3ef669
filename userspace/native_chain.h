/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of a chain of frame pointers is right: see frame_pointer.h.  The code is read
 * from the process, and what was found is remembered for a while.
 */
#ifndef PYCOST_NATIVE_CHAIN_H
#define PYCOST_NATIVE_CHAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/tally.h"

struct native_chain {
	struct tally known; /* private */
};

void native_chain_init(struct native_chain *c);
void native_chain_clear(struct native_chain *c);

/*
 * A thread is at `address`, `offset` bytes into a function, innermost or amid a call, and
 * the chain says that `caller` is where it returns to.  True only when that is certain.
 */
bool native_chain_holds(struct native_chain *c, pid_t pid, uint64_t address, uint64_t offset,
			bool innermost, uint64_t caller);

/* Another program may have its PID. */
void native_chain_forget(struct native_chain *c);

#endif
