/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where in its code a process goes from one task to another: the C functions behind
 * methods that asyncio, uvloop and greenlet switch by.
 *
 * A method's function is named by its type object, in memory, by a pointer: so neither
 * symbols nor registers have to be guessed, nothing can be inlined past it, and at its
 * first instruction the arguments are where the ABI has them.
 */
#ifndef PYCOST_SWITCH_SITES_H
#define PYCOST_SWITCH_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/interpreter.h"

enum switch_kind {
	/*
	 * Context.run(self, args, nargs, names): asyncio.Handle._run(), in
	 * Lib/asyncio/events.py, calls each callback of a loop by it; args[0] is the
	 * callback (context_run(), Python/context.c).
	 */
	SWITCH_RUN,
	/*
	 * uvloop's callbacks: it calls PyContext_Enter() before each; those that are a
	 * task's call it by TaskStepMethWrapper.__call__(self, ...) or, with the task as
	 * the first argument, task_wakeup(), which up to 3.9 is such a wrapper, too
	 * (Modules/_asynciomodule.c).  Only where uvloop is loaded.
	 */
	SWITCH_ENTER,
	SWITCH_STEP,
	SWITCH_WAKEUP,
	/* _asyncio.Future.set_result(self, ...); only where uvloop is loaded, too. */
	SWITCH_RESULT,
	/* _asyncio.Task.__init__(self, ...): Modules/_asynciomodule.c */
	SWITCH_TASK,
	/* Greenlets' are last.  greenlet.switch(self, ...), .throw(self, ...), and both of its C API */
	SWITCH_GREENLET,
	/* greenlet.__init__(self, ...) */
	SWITCH_GREENLET_NEW,
	SWITCH_KINDS,
};

struct switch_site {
	enum switch_kind kind;
	size_t file;	 /* index */
	uint64_t offset; /* in it */
	bool emulated;	 /* the instruction, by the kernel: it takes one trap and not two */
};

/* A file that has some, in the process. */
struct switch_file {
	dev_t dev; /* as stat() tells */
	ino_t inode;
	int fd; /* open for reading */
};

#define SWITCH_FILES 4
#define SWITCH_SITES 24

struct switch_sites {
	struct switch_file files[SWITCH_FILES];
	size_t n_files;
	struct switch_site v[SWITCH_SITES];
	size_t n;
};

/*
 * Those of a live process, whose interpreter is `in`, as far as it has loaded them by
 * now: asyncio and greenlet are loaded when they are first imported.  None is no error.
 * -ESRCH, -EACCES or -EPERM, -ENOMEM.  Close with switch_sites_clear().
 */
int switch_sites_find(pid_t pid, const struct interpreter *in, struct switch_sites *ret);
void switch_sites_clear(struct switch_sites *s);

#endif
