/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which endpoints a user means, and what a profile is without the others. */
#ifndef PYCOST_ENDPOINT_CHOICE_H
#define PYCOST_ENDPOINT_CHOICE_H

#include "userspace/profile.h"

#define ENDPOINT_TAGS_MAX 8

struct endpoint_choice {
	const char *glob; /* NULL: any */
	/* "key=glob": what function costs are kept apart by, or what is common to all. */
	const char *tags[ENDPOINT_TAGS_MAX];
	size_t tag_count;
};

/*
 * Forgets what is of no chosen endpoint.  Nothing chosen: all stays.  -ENODATA: there are
 * no requests in it, -ENOENT: none is chosen; a sentence for the user is left in err.
 */
int endpoint_choose(struct profile *p, const struct endpoint_choice *c, char *err, size_t errlen);

#endif
