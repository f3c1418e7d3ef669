/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where in call trees the views are: the first functions of the application below those by
 * which their framework calls views (framework.h). Exact and sampled trees alike.
 */
#ifndef PYCOST_VIEW_SEARCH_H
#define PYCOST_VIEW_SEARCH_H

#include "userspace/call_tree.h"

struct view_found {
	uint32_t node;
	bool second;   /* called by a dispatcher that runs other things too */
	bool of_class; /* it stands for its class, whose other methods are the framework's */
	uint64_t cost; /* raw, with all below it */
};

struct view_search {
	const struct profile *p;
	/* Whether this is a view, however little it cost beside others; NULL: by their cost alone. */
	bool (*is_view)(void *arg, uint32_t node);
	int (*found)(void *arg, const struct view_found *v); /* an error ends the search */
	void *arg;

	/* private */
	struct call_tree tree;
	uint64_t *cost; /* by node, with all below it */
	uint8_t *roles; /* by function: enum framework_role + 1; 0: not asked yet */
	bool *met;	/* by node */
	bool unowned;
	int err;
};

/* Of the profile as it is now. -ENOMEM. */
int view_search_open(const struct profile *p, struct view_search *ret);
/*
 * Tells each view once, those of which a caller was told not at all. unowned: in trees that
 * are of no request, else in all others.
 */
int view_search_run(struct view_search *s, bool unowned);
void view_search_close(struct view_search *s);

#endif
