/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples taken while requests were not watched, given to endpoints by their view.
 *
 * Where requests are watched in phases, most samples are of no request that is known. Those
 * in a view (view_search.h) are the endpoint's that had this view in the phases, if it is
 * known by VIEW_OWNER_SAMPLES of them and no more than one in a hundred was another's. What
 * endpoints are split by is part of them, so a view that had several such values is nobody's.
 * What is outside of views (servers, middleware) stays of no request.
 */
#ifndef PYCOST_VIEW_OWNER_H
#define PYCOST_VIEW_OWNER_H

#include "userspace/profile_rehome.h"

#define VIEW_OWNER_SAMPLES 30
#define VIEW_OWNER_SHARE 0.99

/* What the phases have told so far. */
struct view_owners {
	/* private */
	struct tally served; /* by group, view and endpoint */
	struct tally views;  /* by group and view */
};

void view_owners_init(struct view_owners *o);
void view_owners_clear(struct view_owners *o);

/*
 * Learns from a sampled profile and gives away what it can of it (profile_rehome()).
 * groups: by process; what one group's views serve says nothing of another's; NULL: all
 * are one. Beyond 65,536 views no more are known. -ENOMEM.
 */
int view_owners_apply(struct view_owners *o, struct profile *p, const uint32_t *groups,
		      struct tally *ret);

/* All at once, of a whole measurement that needs it: sets requests.by_view. -ENOMEM. */
int view_owners_of_profile(struct profile *p);

/* Samples were taken, and requests watched, maybe, for a part of the time. */
bool view_owners_are_needed(const struct profile *p);

#endif
