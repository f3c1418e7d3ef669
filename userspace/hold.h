/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Switching one process's probes on: by their semaphores, see semaphore.h; or where a
 * build has no live ones, by traps, see traps.h.
 */
#ifndef PYCOST_HOLD_H
#define PYCOST_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "userspace/semaphore.h"

struct interpreter;
struct trapped;
struct traps;

struct hold {
	struct trapped *trapped;
	int guard; /* see traps.h; -1: none */
	struct semaphores semaphores; /* of a build without traps for them */
};
#define HOLD_NONE ((struct hold){.semaphores = SEMAPHORES_NONE, .guard = -1})

/* The probes that are to be on, and how: of a build. */
struct hold_by {
	const struct interpreter *in;
	unsigned uses; /* 1 << enum semaphore_use */
	const struct traps *traps; /* those of semaphores_trap(), or in place of them; or NULL */
};
#define HOLD_FUNCTIONS (1u << SEMAPHORE_ENTRY | 1u << SEMAPHORE_RETURN)

/*
 * children: those that it will fork are to be measured, too.
 * -EBUSY, -ENOTSUP: see semaphore_raise().
 */
int hold_open(const struct hold_by *by, pid_t pid, bool children, struct hold *ret);
/* Of a forked child, which is measured already: keeps it so when its parent's is closed. */
int hold_open_forked(const struct hold_by *by, const struct hold *parent, pid_t pid,
		     struct hold *ret);
/* Takes the copied probes out of a forked child. */
void hold_dismiss_forked(const struct hold_by *by, pid_t pid);
void hold_close(struct hold *h);
/* Of many processes, in no order: each may take the kernel a while, but all at once. */
void holds_close(struct hold *v, size_t n);
/* Only the return probes': what entries cost by themselves. */
void hold_close_returns(struct hold *h);
/* As hold_close(), without waiting for the kernel's grace periods: a tenth of a second. */
void hold_close_behind(struct hold *h);

#endif
