/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which view function serves an endpoint, as its own call tree shows it: the first function
 * of the application below the one by which its framework calls views (framework.h).
 * Exact and sampled trees alike.
 */
#ifndef PYCOST_ENDPOINT_VIEW_H
#define PYCOST_ENDPOINT_VIEW_H

#include "userspace/profile.h"

/* A view is named when no less than this share of the cost in views is its own. */
#define ENDPOINT_VIEW_SHARE 0.9

struct endpoint_view {
	const char *text;  /* "shop.views.product", "3 views", "" */
	uint32_t function; /* one of its ids; 0: none, or none that stands for the others */
	uint32_t count;	   /* of different views that were seen */
	double share;	   /* of the cost in views, that of the dearest; 0 without any */
};

struct endpoint_views {
	struct endpoint_view *v; /* by endpoint */
	size_t count;
	/* private */
	struct arena strings;
};

/* -ENOMEM. */
int endpoint_views_compute(const struct profile *p, struct endpoint_views *ret);
void endpoint_views_free(struct endpoint_views *views);

/* "" of an endpoint that came later, too. */
const char *endpoint_view_text(const struct endpoint_views *views, uint32_t endpoint);

#endif
