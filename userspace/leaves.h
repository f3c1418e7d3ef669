/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each call path's own samples, apart by what they were in, in the order of a walk. */
#ifndef PYCOST_LEAVES_H
#define PYCOST_LEAVES_H

#include "userspace/report.h"
#include "userspace/tally.h"

struct leaf {
	uint32_t order; /* of the node in a walk over the report's tree, from 0 */
	uint32_t node;
	uint32_t native; /* or 0 */
	uint32_t line;	 /* or 0 */
	uint32_t state;	 /* or SAMPLE_RUNS */
	uint32_t zero;	 /* no padding in what is compared */
	uint64_t samples;
};

/* Tells apart natives, or lines and states.  Clear the tally, whose items are leaves. */
int leaves_compute(const struct report *r, bool by_native, struct tally *ret);

#endif
