/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Breakpoints in the code of an interpreter, in those processes alone that are
 * measured: where programs run; or where no process ever comes by, to raise a
 * semaphore (semaphore.h).
 *
 * A breakpoint costs whoever runs into it, so it must not be in a process that is
 * no target.  The kernel puts an event's breakpoints into the memory of the tasks
 * that it is open for, and looks at each hit whether the memory is one of theirs.
 * An event that is inherited is open for a new thread, and for a forked child,
 * before these can run, and fork() copies the breakpoints: so a child is measured
 * from its first call.  A task's event ends with the task, hence one for each of a
 * process's threads: any of them may fork, or end, before the others.
 * (kernel/trace/trace_uprobe.c: __uprobe_perf_filter(), trace_uprobe_filter_add();
 * kernel/events/core.c: inherit_event().)
 *
 * When the kernel switches between a task and one that it has forked, it may swap
 * their events instead of taking one's off and putting the other's on, where both
 * have all the same; but which memory an uprobe is for does not move along, and once
 * one of the two ends, its breakpoints are the other's no more.  Tasks of which one
 * has an event that the other did not inherit are never swapped: so each has such a
 * guard (kernel/events/core.c: perf_event_context_sched_out(), inherit_task_group()).
 *
 * The program belongs to the event's definition, not to who has it open: it runs
 * once a hit, also where an event is open for both a parent and its child.  Whether
 * the event is enabled is not asked for that, nor for which memory it is for, nor
 * when it is inherited; so none is, and a context switch has nothing to take off and
 * put on (kernel/trace/trace_uprobe.c: __uprobe_perf_func(), __uprobe_perf_filter();
 * kernel/events/core.c: merge_sched_in(), inherit_task_group()).
 */
#ifndef PYCOST_TRAPS_H
#define PYCOST_TRAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What one costs who runs into it, beside its program: ns, as measured (ARCHITECTURE). */
#define TRAP_NS 1000

struct interpreter;

/* The traps of one build: what runs at which of its instructions, in no process yet. */
struct traps;

enum traps_by {
	TRAPS_BY_EVENTS, /* as above */
	/*
	 * By uprobe_link.h: nothing is inherited, but the process's context switches cost no
	 * more.  The programs are prepared for that, and stay with their owner.
	 */
	TRAPS_BY_LINKS,
};

int traps_new(const struct interpreter *in, enum traps_by by, struct traps **ret);
/* The same in another file, whose descriptor is duplicated. */
int traps_new_file(int fd, enum traps_by by, struct traps **ret);
/* Whether forked children have them as well. */
bool traps_inherited(const struct traps *t);

/*
 * This program at this offset of the file.  Returns: at the ends of functions,
 * see trapped_close_returns().  Errors as trace_event_define() has them.
 */
int traps_add(struct traps *t, uint64_t offset, bool returns, int program_fd);

/*
 * No program: raises the semaphore, by its offset in the file, while the trap is set.
 * pid: a process on which it is tried whether the kernel takes this instruction.  Errors
 * as trace_event_define() and perf_event_open(2) have them; then nothing is added.
 */
int traps_add_semaphore(struct traps *t, uint64_t offset, uint64_t semaphore, bool returns,
			pid_t pid);

/* After all processes' are closed. */
void traps_free(struct traps *t);

/* One process's, its threads' and its children's; shared by the children. */
struct trapped;

/* children: those that it will fork, too.  -ESRCH, -EMFILE. */
int traps_set(const struct traps *t, pid_t pid, bool children, struct trapped **ret);
/* The guard of a forked child's main thread, to be closed with it; -errno. */
int traps_guard(pid_t tid);
struct trapped *trapped_share(struct trapped *p);
/* NULL is nobody's.  With the last who shares it, the breakpoints go. */
void trapped_close(struct trapped *p);
/* What entries cost by themselves. */
void trapped_close_returns(struct trapped *p);

#endif
