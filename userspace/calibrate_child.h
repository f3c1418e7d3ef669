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

struct counter_task;
struct interpreter;

/*
 * Its functions do next to nothing.  All but the first are the same code, which
 * returns behind `if False`, with line tables of one form of entry throughout.
 */
enum callee {
	CALLEE_EMPTY, /* `pass` */
	CALLEE_FEW,   /* an eighth of the entries */
	CALLEE_FORMS, /* from here on: LINE_PAIR … or LINE_NONE … */
	CALLEE_MAX = CALLEE_FORMS + LINE_FORMS - LINE_NONE,
};

struct calibrate_child {
	struct launch launch;
	struct counter_task *counter; /* of the metric, on this task alone */
	/* Of the empty function, as the child told. */
	uint32_t firstlineno;
	uint8_t table[64];
	size_t table_size;
	uint32_t units; /* of the other functions' code, two bytes each */
};

#define CALIBRATE_CHILD_NONE                                                                       \
	{                                                                                          \
		.launch = {.go = -1, .in = -1, .out = -1, .failed = -1}                            \
	}

/* It waits for calibrate_child_go(), its PID known.  pid as in survey_run(). */
int calibrate_child_start(struct calibrate_child *c, const struct interpreter *in,
			  enum metric metric, pid_t pid);
int calibrate_child_go(struct calibrate_child *c);

/* So many calls of the empty function, and so many of another one. */
#define CALIBRATE_CALLS 10000
#define CALIBRATE_CALLS_FORM 1000
static inline unsigned calibrate_calls(enum callee callee)
{
	return callee == CALLEE_EMPTY ? CALIBRATE_CALLS : CALIBRATE_CALLS_FORM;
}

/*
 * Calls of one function; what the child's counter advanced, a call.  -EAGAIN: others
 * had it off the PMU for a part of the time.
 */
int calibrate_child_round(struct calibrate_child *c, enum callee callee, double *ret);

void calibrate_child_end(struct calibrate_child *c);

#endif
