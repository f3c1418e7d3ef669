/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trying out the sites that stand for function probes in a build that has none, on
 * a private child with a known script: every function of it must be entered and left
 * there as often as it is called, and by the frame that the site is said to have.
 */
#ifndef PYCOST_PROOF_H
#define PYCOST_PROOF_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct interpreter;

struct proof_calls {
	uint64_t calls; /* that the script made, every one of them seen at both ends */
};

/*
 * Leaves in the interpreter's entries and returns the sites that were hit, each
 * with the register of its frame; for a return that may be none.  pid: as in
 * survey_run().  -ENOTSUP when what was seen is not what was run, or another
 * error, in words in err.
 */
int proof_run(struct interpreter *in, pid_t pid, struct proof_calls *ret, char *err, size_t errlen);

#endif
