/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trying a build out on a private child: which register holds the frame at each
 * probe, and whether the probes are alive.  See survey.bpf.c.
 */
#ifndef PYCOST_SURVEY_H
#define PYCOST_SURVEY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct interpreter;

struct survey {
	uint64_t entry_hits, return_hits; /* of the known script */
	uint8_t entry_frame_reg, return_frame_reg;
};

/* The script makes at least this many calls, beside those of starting up. */
#define SURVEY_CALLS 4000

/*
 * pid: a process in whose root, and as whose user, the child runs; 0: our own.
 * Errors in words in err.
 */
int survey_run(const struct interpreter *in, pid_t pid, struct survey *ret, char *err,
	       size_t errlen);

#endif
