/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One build of CPython, by its file's identity: the kernel programs made for
 * it, attached to its probes in every process, and what a probed call costs.
 */
#ifndef PYCOST_BUILD_H
#define PYCOST_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/interpreter.h"
#include "userspace/sink.h"

struct exact_bpf;
struct kernel;
struct build;

/* Where the frame is, and whether the probes are alive: see survey.bpf.c. */
struct survey {
	uint64_t entry_hits, return_hits; /* of the known script */
	uint8_t entry_frame_reg, return_frame_reg;
};

struct build_cost {
	double entry, exit; /* in units of the metric, a call */
	double entry_error, exit_error; /* of the split */
	double total_error;		/* of entry + exit */
	double plain;			/* one unprobed empty call */
	bool known;
};

/*
 * Makes the programs for this interpreter and attaches them.  pid is a process
 * that runs it, or 0: the survey's child runs in that process's root, under its
 * user.  Errors in words in err.  The interpreter's content moves to the build.
 */
int build_open(struct kernel *k, struct interpreter *in, pid_t pid, struct build **ret, char *err,
	       size_t errlen);
void build_close(struct build *b);

const struct interpreter *build_interpreter(const struct build *b);
const struct survey *build_survey(const struct build *b);
bool build_is(const struct build *b, const struct interpreter *in);

/*
 * Path, in the root of pid, of a python that runs this interpreter; NULL when
 * none is known (an embedded interpreter).  Caller frees.
 */
char *build_python(const struct interpreter *in, pid_t pid);

/* Runs the survey alone. */
int survey_run(const struct interpreter *in, pid_t pid, struct survey *ret, char *err,
	       size_t errlen);

/* Measures what a probed call costs, on a private child; some 0.3 s. */
int calibrate_run(struct kernel *k, const struct build *b, enum metric metric, pid_t pid,
		  struct build_cost *ret, char *err, size_t errlen);

#endif
