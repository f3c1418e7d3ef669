/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Measuring what a probed call costs on a build, on private children of it. */
#ifndef PYCOST_CALIBRATE_H
#define PYCOST_CALIBRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "symbolizer/line_table.h"
#include "userspace/sink.h"

struct build;
struct kernel;

/* In kernel mode, of which an unprobed call has none. */
struct kernel_cost {
	double entry, exit;
	double entry_error, exit_error;
	double total_error;
};

struct build_cost {
	double entry, exit; /* in units of the metric, a call */
	double entry_error, exit_error; /* of the split */
	double total_error;		/* of entry + exit */
	double plain;			/* one unprobed empty call */
	/* The search for a line number: see search.h. */
	struct line_costs lines;
	double search_error;		  /* of these, as a share */
	double empty_return, empty_entry; /* an empty function's searches */
	double lone_entry, lone_return; /* a probe of no call: an empty function's */
	bool searched; /* the probes hand over line numbers, which must be searched for */
	bool known;
	struct kernel_cost kernel; /* 0 when that is not counted */
};

/* pid as in survey_run().  Takes some 0.3 s; errors in words in err. */
int calibrate_run(struct kernel *k, const struct build *b, enum metric metric, pid_t pid,
		  struct build_cost *ret, char *err, size_t errlen);

#endif
