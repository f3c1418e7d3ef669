/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What interpreters say of themselves at their own probes: imports and collections of
 * garbage, which are told to the sink and added to the requests they are in; and, when
 * asked for, what applications say of their requests by audit events.
 *
 * Processes are followed from here on to their ends, with the children that they fork
 * and the programs that they execute.
 */
#ifndef PYCOST_MARKS_H
#define PYCOST_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/sink.h"

struct codes;
struct marks;
struct serving;

struct marks_options {
	const struct serving *serving; /* that follows the same processes */
	struct sink *sink;
	struct codes *codes; /* where functions have their numbers */
	bool audit; /* each audit event of a target costs it a microsecond */
	bool no_follow;
	/* The sink's number of a class of requests, 0: not known yet. */
	uint32_t (*endpoint)(void *arg, uint64_t class_id);
	void *arg;
};

/* Errors as of kernel_open(), in words in err.  All that it is given must outlive it. */
int marks_open(const struct marks_options *o, struct marks **ret, char *err, size_t errlen);
void marks_close(struct marks *m); /* NULL: nothing */

/*
 * A process; one that is no Python yet is looked at when it executes another program.
 * That its interpreter has no probes is no error, but told by marks_notice().
 */
int marks_follow(struct marks *m, pid_t pid);

/* Looks at processes that executed something; to be called often while there are any. */
void marks_look(struct marks *m);
bool marks_looking(const struct marks *m);
/* Reads what came, at least once a second; then tells the sink.  The sink's error. */
void marks_consume(struct marks *m);
int marks_pass(struct marks *m, bool last);

/* What the user should read, each once; NULL: nothing. */
const char *marks_notice(struct marks *m);

/* Adds its totals. */
void marks_losses(const struct marks *m, uint64_t ret[LOSS_MAX]);

#endif
