/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trying a walker out on a private child with a known script: of each sample the
 * functions must have called each other as the script has them.
 */
#ifndef PYCOST_WALK_PROOF_H
#define PYCOST_WALK_PROOF_H

#include <stddef.h>
#include <sys/types.h>

struct sampled_build;
struct sampling;

/*
 * pid: a process that runs the build, in whose root and as whose user the child runs;
 * 0: our own.  -ENOTSUP: what was seen is not what was run.  -ENOENT: nothing could be
 * tried: no python command runs that file, or the child did not.  Words in err.
 *
 * The session's rings are read meanwhile; what is others' goes to sampling_others().
 */
int walk_proof_run(struct sampling *s, const struct sampled_build *b, pid_t pid, char *err,
		   size_t errlen);

#endif
