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
 * What was copied is nobody's until an event is open for the child: should the last one
 * of the same site but the parent's be closed meanwhile, by whomever, the child's
 * semaphore is lowered, and raised again when its own event is opened.
 * (register_for_each_vma() and filter_chain(), same file.)
 */
#ifndef PYCOST_SEMAPHORE_H
#define PYCOST_SEMAPHORE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct interpreter;

/*
 * One file offset takes one semaphore, hence a cold site for each of these; each
 * recorder has its own as long as there are enough.
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

/* Those that a process has raised; -1: it has not. */
struct semaphores {
	int fds[SEMAPHORE_USES];
};
#define SEMAPHORES_NONE ((struct semaphores){{-1, -1, -1, -1, -1, -1, -1}})

/* The file offset of a probe's semaphore; 0: that interpreter has no such probe. */
uint64_t semaphore_of(const struct interpreter *in, enum semaphore_use use);

/*
 * Raises that of one use, which *s does not have yet; a probe that is not there is no
 * error.  -EBUSY: other tracers hold all sites; -ENOTSUP: the file has none that this
 * kernel takes; errors of perf_event_open(2).
 */
int semaphore_raise(const struct interpreter *in, enum semaphore_use use, pid_t pid,
		    struct semaphores *s);
void semaphore_drop(struct semaphores *s, enum semaphore_use use);
/* In the order of their uses, from the last to the first. */
void semaphores_drop(struct semaphores *s);
/* Of many processes, in no order: each takes the kernel a while, but all at once. */
void semaphores_drop_many(struct semaphores *v, size_t n);

#endif
