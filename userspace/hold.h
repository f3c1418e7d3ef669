/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Switching one process's function probes on.
 *
 * The probes' code runs only while a 16-bit counter in the process, the probe's
 * semaphore, is above 0.  Attaching to a probe for one PID the usual way raises
 * it there, but a child forked later is not followed: the kernel takes the
 * breakpoint out at its first hit.  Attaching for all PIDs follows children but
 * raises the semaphore, and so the cost, in every Python on the machine.
 *
 * So the two are split.  The kernel programs are attached for all PIDs without
 * the semaphore: in a process whose semaphore is 0 the breakpoint lies in code
 * that is never reached and costs nothing.  The semaphore alone is raised for
 * one PID, by a second uprobe of that PID on a "cold" site: the instruction of
 * some other python probe, which nobody has switched on.  It never fires.  A
 * fork copies the raised semaphore and the breakpoints, so a child is measured
 * from its first call; and when our descriptors are closed, by whatever death,
 * the kernel lowers the semaphore in every process that has it.
 * (uprobes: kernel/events/uprobes.c, update_ref_ctr() and uprobe_dup_mmap();
 * one file offset takes one semaphore, hence a cold site each.)
 *
 * A build without live function probes has nothing to raise: see traps.h.
 */
#ifndef PYCOST_HOLD_H
#define PYCOST_HOLD_H

#include <stdbool.h>
#include <sys/types.h>

struct interpreter;
struct trapped;
struct traps;

struct hold {
	int fds[2]; /* the semaphores'; -1 when not held */
	int guard;  /* see traps.h; -1: none */
	struct trapped *trapped;
};
#define HOLD_NONE ((struct hold){.fds = {-1, -1}, .guard = -1})

/*
 * traps: the build's, NULL when it has none.  children: those that it will fork are
 * to be measured, too.
 * -EBUSY: another tracer has switched on the other python probes, so that no
 * cold site is left.  -ENOTSUP: the interpreter has no other probe.
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
