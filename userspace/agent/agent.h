/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent as a whole: finds processes, has them measured, folds what is told into a batch
 * each minute, spools and sends it, and keeps to its budget, until it is told to end.
 *
 * A session is opened when there is somebody to measure, and made anew now and then: what
 * it knows of processes and call paths that are gone goes with it. The time in between is
 * counted as not watched.
 */
#ifndef PYCOST_AGENT_H
#define PYCOST_AGENT_H

#include "userspace/agent/agent_config.h"

struct agent_start {
	struct agent_config *config; /* finished; the agent's from now on */
	const char *path; /* of its file, to be read again by SIGHUP; NULL: there is none */
};

/* Until SIGTERM or SIGINT. An exit code; what goes wrong is logged. */
int agent_run(const struct agent_start *start);

#endif
