/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A report cut up by the endpoints that the call trees are of. */
#ifndef PYCOST_REPORT_ENDPOINTS_H
#define PYCOST_REPORT_ENDPOINTS_H

#include "userspace/endpoint_view.h"
#include "userspace/report.h"

/* One endpoint's part; endpoint 0 is what was outside of any request. */
struct endpoint_part {
	uint32_t endpoint;
	struct report report; /* rows have the same numbers in every part; shares are of the part */
	uint64_t cost;	      /* of all its trees */
	double percent;	      /* that, of everything */
	uint64_t by_view;     /* of the cost, what is its own by view alone (view_owner.h) */
	uint64_t requests;    /* that its costs are of and that ended */
	uint64_t served;      /* of it, whether its costs are of them or not */
	double served_error;  /* where that is an estimate; else 0 */
};

/* Of how many requests the function costs are, and of how many. */
struct report_captured {
	uint64_t captured, of;
	uint64_t seen; /* as many are known of one by one */
	bool estimate; /* requests were watched at times: `of` is one, */
	double error;  /* with this standard error */
};

/* False when they are of all, as where every request was probed or none was. */
bool report_captured(const struct profile *p, struct report_captured *ret);

/*
 * Shows each part, the dearest first: an error of show() ends it.  What is computed for the
 * whole, corrections of the probes' cost too, holds in the parts, so that they add up.
 * r is changed meanwhile, and as it was afterwards.
 */
int report_each_endpoint(struct report *r, enum report_sort sort,
			 int (*show)(void *arg, const struct endpoint_part *part), void *arg);

/* A table of functions for each endpoint. */
int report_print_endpoints(struct report *r, const struct report_style *style,
			   enum report_sort sort, FILE *out);

#endif
