/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A private child of an interpreter that makes known calls when asked to, with a
 * counter on it alone.
 */
#ifndef PYCOST_CALIBRATE_CHILD_H
#define PYCOST_CALIBRATE_CHILD_H

#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/line_table.h"
#include "userspace/launch.h"
#include "userspace/sink.h"

struct interpreter;

#define CALIBRATE_CALLS 10000

/* Its functions do next to nothing, after ever longer line tables. */
enum callee {
	CALLEE_EMPTY, /* `pass` */
	CALLEE_TALL,  /* returns at the end of many lines */
	CALLEE_WIDE,  /* returns amid its lines, behind a long one */
	CALLEE_MAX,
};

struct calibrate_child {
	struct launch launch;
	int counter; /* of the metric, on this task alone */
	struct line_table *lines[CALLEE_MAX];
};

#define CALIBRATE_CHILD_NONE                                                                       \
	{                                                                                          \
		.launch = {.go = -1, .in = -1, .out = -1, .failed = -1}, .counter = -1             \
	}

/* It waits for calibrate_child_go(), its PID known.  pid as in survey_run(). */
int calibrate_child_start(struct calibrate_child *c, const struct interpreter *in,
			  enum metric metric, pid_t pid);
int calibrate_child_go(struct calibrate_child *c, const struct interpreter *in);

/* CALIBRATE_CALLS calls; what the child's counter advanced, a call. */
int calibrate_child_round(struct calibrate_child *c, enum callee callee, double *ret);

void calibrate_child_end(struct calibrate_child *c);

#endif
