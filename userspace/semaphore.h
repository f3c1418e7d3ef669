/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raising the semaphore of a python probe in one process alone.
 *
 * A probe's code runs only while a 16-bit counter in the process, its semaphore, is
 * above 0.  Attaching to a probe for one PID the usual way raises it there, but a child
 * forked later is not followed: the kernel takes the breakpoint out at its first hit.
 * Attaching for all PIDs follows children but raises the semaphore, and so the cost, in
 * every Python on the machine.
 *
 * So the two are split.  The kernel programs are attached for all PIDs without the
 * semaphore: in a process whose semaphore is 0 the breakpoint lies in code that is never
 * reached and costs nothing.  The semaphore alone is raised for one PID, by a second
 * uprobe of that PID on a "cold" site: an instruction that the process is past for good
 * (cold_sites.h).  Should it ever be met, at an exec or at the end, nothing happens but
 * a trap.  A fork copies the raised semaphore and the breakpoints, so a child is
 * measured from its first instruction; and when our descriptors are closed, by whatever
 * death, the kernel lowers the semaphore in every process that has it.
 * (uprobes: kernel/events/uprobes.c, update_ref_ctr() and uprobe_dup_mmap().)
 *
 * What was copied must be somebody's at once.  Whenever an event of the same site is
 * closed, by whomever, the kernel goes through all processes that have the file mapped,
 * and takes the breakpoint out of those, and lowers their semaphores, that no event is
 * open for; so it does at exits of ours, and at those of other recorders of that file,
 * whose sites are the same (register_for_each_vma(), filter_chain(), same file).  An event
 * that the child has inherited is among those that are asked, as it is made before the
 * child's memory is (kernel/fork.c: copy_process(); kernel/trace/trace_uprobe.c:
 * trace_uprobe_filter_add(), which for one that is inherited trusts the fork to have
 * copied the breakpoint, and __uprobe_perf_filter(), which compares the task's memory).
 * While the memory is being copied, nobody goes through it (dup_mmap_sem); what is left is
 * the moment from there to the task's getting it, within copy_mm().  And where a task
 * that is exiting has its event closed, nobody is gone through at all
 * (trace_uprobe_filter_remove()).  So read in 5.10.13 and in a kernel of about 5.15; 6.18
 * was found to do the same (tests/e2e/collections.py: born()).
 *
 * The price: for each such event, a fork and the end of a task take event_mutex
 * (perf_trace_init(), perf_trace_destroy() in kernel/trace/trace_event_perf.c), which others
 * hold for grace periods while they attach probes or take them off.
 *
 * Such events are traps without a program (traps.h), and want tracefs.  Without it, or in
 * a private child of ours, the semaphores are raised by uprobes of perf's own, which
 * cannot be inherited, and a forked child's are opened when we hear of it.
 */
#ifndef PYCOST_SEMAPHORE_H
#define PYCOST_SEMAPHORE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/traps.h"

struct interpreter;
struct traps;

/*
 * One file offset takes one semaphore, hence a cold site for each of these, which
 * all recorders of the file share.
 */
enum semaphore_use {
	SEMAPHORE_ENTRY = 0,
	SEMAPHORE_RETURN,
	SEMAPHORE_GC_START,
	SEMAPHORE_GC_DONE,
	SEMAPHORE_IMPORT_START,
	SEMAPHORE_IMPORT_DONE,
	SEMAPHORE_AUDIT,
	SEMAPHORE_USES,
};

/* Those that a process has raised, by perf's own uprobes; -1: it has not. */
struct semaphores {
	int fds[SEMAPHORE_USES];
};
#define SEMAPHORES_NONE ((struct semaphores){{-1, -1, -1, -1, -1, -1, -1}})

/* The file offset of a probe's semaphore; 0: that interpreter has no such probe. */
uint64_t semaphore_of(const struct interpreter *in, enum semaphore_use use);

/*
 * Traps that raise those of all these uses (1 << enum semaphore_use) that the interpreter
 * has, from the last to the first; pid runs it, and has the semaphores raised for a
 * moment.  NULL: it has none of them.  Errors as of semaphore_raise() and traps_add().
 */
int semaphores_trap(const struct interpreter *in, unsigned uses, pid_t pid, enum traps_by by,
		    struct traps **ret);

/*
 * Raises that of one use, which *s does not have yet; a probe that is not there is no
 * error.  -EBUSY: other tracers hold all sites; -ENOTSUP: the file has none that this
 * kernel takes; errors of perf_event_open(2).
 */
int semaphore_raise(const struct interpreter *in, enum semaphore_use use, pid_t pid,
		    struct semaphores *s);
void semaphore_drop(struct semaphores *s, enum semaphore_use use);
/* In the order of their uses, beginnings first. */
void semaphores_drop(struct semaphores *s);

#endif
