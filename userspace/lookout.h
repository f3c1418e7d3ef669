/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lookout for files that processes load, to be trapped: each file's traps are made once,
 * for all processes, and set in those alone that are followed (see traps.h).
 *
 * What a process loads later is found by looking again: after a first wait, then after
 * twice as long, each time, up to half a minute.  Which files these are, and what runs
 * where in them, is its owner's.
 */
#ifndef PYCOST_LOOKOUT_H
#define PYCOST_LOOKOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct lookout;
struct looked; /* a process that is being looked at */
struct traps;

#define LOOKOUT_FILES 12 /* of one process, at most */

/* Files with the same are trapped alike. */
struct lookout_file {
	dev_t dev;
	ino_t inode;
	unsigned kinds; /* of traps; the owner's */
	bool stays;	/* while others rest */
};

struct lookout_ops {
	/*
	 * Calls lookout_set() for each file that is to be trapped, until one fails.  own:
	 * of the process, as lookout_follow() was told.  -ESRCH: it is gone; or -errno.
	 */
	int (*look)(void *arg, struct looked *p, pid_t pid, const void *own);
	/*
	 * The traps of a file; source as lookout_set() was told.  They are the lookout's,
	 * also after an error; none at all, NULL, is no error and remembered.
	 */
	int (*fill)(void *arg, const void *source, struct traps **ret);
	/* Looking has failed, and not because the process is gone. */
	void (*failed)(void *arg, pid_t pid, int err);
	void *arg;
	uint64_t wait_first; /* ns */
	size_t files;	     /* of one process, at most; no more than LOOKOUT_FILES */
	size_t own_size;     /* bytes */
	bool lets_go;	     /* of a process that is found gone; else unfollowing it does */
};

/* ops are copied.  -ENOMEM. */
int lookout_new(const struct lookout_ops *ops, struct lookout **ret);
/* NULL is allowed. */
void lookout_free(struct lookout *l);

/*
 * A process, which is looked at right away; one that is followed already is unfollowed
 * first.  children: those that it forks, too.  own: own_size bytes, which are copied.
 * -ENOMEM; what looking comes to is told by failed().
 */
int lookout_follow(struct lookout *l, pid_t pid, const void *own, bool children);
/* Its breakpoints go a little later, in another thread.  Who is not followed is left be. */
void lookout_unfollow(struct lookout *l, pid_t pid);
/* What lookout_follow() has copied, until the process is unfollowed; NULL: it is not followed. */
const void *lookout_own(const struct lookout *l, pid_t pid);

/* Looks at those whose time has come; to be called once a second or so. */
void lookout_pass(struct lookout *l);

/*
 * Takes all traps away that do not stay, until they are wanted again, also of processes that
 * are met meanwhile.  Waking: whether it had rested.
 */
void lookout_rest(struct lookout *l);
bool lookout_wake(struct lookout *l);

/*
 * To be called by look(): traps a file in the process, unless it is already.  -E2BIG: it
 * has too many; -ENOMEM, and the errors of fill() and traps_set().
 */
int lookout_set(struct looked *p, const struct lookout_file *file, const void *source);

#endif
