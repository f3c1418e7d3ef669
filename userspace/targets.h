/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes to measure: a list of PIDs from what the user said. */
#ifndef PYCOST_TARGETS_H
#define PYCOST_TARGETS_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct targets {
	pid_t *v;
	size_t n;
	bool asked; /* some option selected processes, if perhaps none */
};

/* The options -p, --match and --cgroup, for argp's children; input: the targets. */
extern const struct argp targets_argp;

/* "12,34"; -EINVAL for anything else.  Duplicates are dropped. */
int targets_add_list(struct targets *t, const char *list);

/*
 * Every process whose command line, its words joined by blanks, matches the
 * POSIX extended expression; ourselves left out.  -EINVAL: err says what is
 * wrong with the expression.  None found is no error.
 */
int targets_add_matching(struct targets *t, const char *regex, char *err, size_t errlen);

/*
 * Every process in a cgroup and those below it: a path under the cgroup mount,
 * or the whole path of its directory.  -ENOENT.
 */
int targets_add_cgroup(struct targets *t, const char *path);

void targets_clear(struct targets *t);

#endif
