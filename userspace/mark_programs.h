/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs that listen to what interpreters say of themselves: imports, collections
 * of garbage and, when asked for, audit events.  See marks.bpf.c and audit.bpf.c.
 *
 * They are made for each build of Python and attached to its probes in every process;
 * a process whose semaphores are not raised never comes by them.
 */
#ifndef PYCOST_MARK_PROGRAMS_H
#define PYCOST_MARK_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/cpython.h"
#include "bpf/wire.h"
#include "symbolizer/interpreter.h"
#include "userspace/hold.h"

struct marked_bpf;
struct mark_programs;
struct serving;

/* One build of CPython, by its file's identity. */
struct marked_build {
	struct interpreter in;
	struct cpython_layout layout;
	struct cpython_runtime runtime;
	/* How its probes are switched on, and which it can be asked for. */
	struct hold_by hold;
	char why_not[256]; /* why it cannot be asked for all; "" */
	/* private */
	struct traps *traps;
	int file; /* the interpreter's, kept open */
	struct marks_bpf *marks;
	struct audit_bpf *audit;
	struct bpf_link **links;
	size_t n_links;
	bool told;
};

/*
 * Loads what all builds share, errors in words in err.  serving: its requests are what
 * marks are of; it must outlive this.
 */
int mark_programs_open(const struct serving *serving, bool audit, bool no_follow,
		       struct mark_programs **ret, char *err, size_t errlen);
void mark_programs_close(struct mark_programs *p);

/*
 * The build of an interpreter, loaded and attached when it is the first of its kind; pid
 * runs it.  A build that has no probes is one, too: its uses are 0.  -ENOSPC: too many
 * builds; -ENOTSUP; errors in words in err.
 */
int mark_programs_build(struct mark_programs *p, const struct interpreter *in, pid_t pid,
			struct marked_build **ret, char *err, size_t errlen);

/* Of rare events, imports and collections; to be read once a second at least. */
int mark_programs_events_fd(const struct mark_programs *p);

/* A process, with this interpreter; build NULL: it has none. */
int mark_programs_follow(struct mark_programs *p, uint32_t tgid, const struct marked_build *b,
			 const struct interpreter *in);
void mark_programs_unfollow(struct mark_programs *p, uint32_t tgid);

/* Sums over the CPUs, by enum wire_loss. */
int mark_programs_losses(const struct mark_programs *p, uint64_t ret[WIRE_LOSS_MAX]);

#endif
