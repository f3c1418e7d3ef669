/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Seeing which task or greenlet a thread runs, in processes that serve requests: puts
 * the programs of bpf/tasks.bpf.h where the sites of symbolizer/switch_sites.h are.
 *
 * A site costs a process nothing until it is run, and those of asyncio and greenlet are
 * run by event loops alone.  They are put into the process's own memory and that of
 * children, see traps.h; a file that a process loads later is found by looking again,
 * first soon, then more and more rarely.
 */
#ifndef PYCOST_TASKS_H
#define PYCOST_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "symbolizer/switch_sites.h"
#include "userspace/traps.h"

struct interpreter;
struct tasks;

/* programs: descriptors by enum switch_kind; they must stay open.  -ENOMEM. */
int tasks_open(const int programs[SWITCH_KINDS], enum traps_by by, struct tasks **ret);
/* NULL is allowed. */
void tasks_close(struct tasks *t);

/*
 * Watches a process; with children, those that it forks, too, until they are followed
 * by themselves.  What is needed of `in` is copied.  -ENOMEM; what cannot be watched is
 * told by tasks_reason().
 */
int tasks_follow(struct tasks *t, pid_t pid, const struct interpreter *in, bool children);
/*
 * Likewise a process that one which is watched has forked, and is the same interpreter: what
 * has a loop in it may be loaded by the child alone.
 */
int tasks_born(struct tasks *t, pid_t pid, pid_t parent, bool children);
void tasks_unfollow(struct tasks *t, pid_t pid);

/* Looks for what has been loaded since; to be called once a second or so. */
void tasks_pass(struct tasks *t);

/*
 * Of a struct tasks, as phases_on_rest() has it: while nobody is to be told of tasks, sites that
 * loops run are let go of, so that they cost nothing.  Greenlets' stay, as one is known by its
 * birth alone; and all do where no loop has run them, or children inherit them.
 */
bool tasks_turn(void *tasks, bool rests);

/* "" or why some of them, the last, could not be watched: one plain sentence. */
const char *tasks_reason(const struct tasks *t);

#endif
