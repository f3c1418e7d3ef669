/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Switching one process's function probes on: by their semaphores, see semaphore.h; or
 * where a build has no live ones, by traps, see traps.h.
 */
#ifndef PYCOST_HOLD_H
#define PYCOST_HOLD_H

#include <stdbool.h>
#include <sys/types.h>

#include "userspace/semaphore.h"

struct interpreter;
struct trapped;
struct traps;

struct hold {
	struct semaphores semaphores;
	int guard;  /* see traps.h; -1: none */
	struct trapped *trapped;
};
#define HOLD_NONE ((struct hold){.semaphores = SEMAPHORES_NONE, .guard = -1})

/*
 * traps: the build's, NULL when it has none.  children: those that it will fork are
 * to be measured, too.
 * -EBUSY, -ENOTSUP: see semaphore_raise().
 */
int hold_open(const struct interpreter *in, const struct traps *traps, pid_t pid, bool children,
	      struct hold *ret);
/* Of a forked child, which is measured already: keeps it so when its parent's is closed. */
int hold_open_forked(const struct interpreter *in, const struct hold *parent, pid_t pid,
		     struct hold *ret);
/* Takes the copied probes out of a forked child. */
void hold_dismiss_forked(const struct interpreter *in, const struct traps *traps, pid_t pid);
void hold_close(struct hold *h);
/* Only the return probes': what entries cost by themselves. */
void hold_close_returns(struct hold *h);
/* As hold_close(), without waiting for the kernel's grace periods: a tenth of a second. */
void hold_close_behind(struct hold *h);

#endif
