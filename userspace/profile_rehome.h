/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sampled paths that were of no request, given to endpoints afterwards: below the same
 * callers, in a tree of that endpoint. No sample is lost or counted twice.
 */
#ifndef PYCOST_PROFILE_REHOME_H
#define PYCOST_PROFILE_REHOME_H

#include "userspace/profile.h"

/* What a tree was given, in raw cost. */
struct profile_rehomed {
	uint32_t root; /* the key; a node */
	uint32_t endpoint;
	uint64_t cost;
};

/*
 * endpoints: by node, that which all samples from there on go to; 0: they stay. Nodes of
 * trees of no request only. New nodes get the next ids. By which of their lines the
 * callers came there is not known: passages of these stay. Fills ret with profile_rehomed,
 * for tally_clear(); what was done is done if it fails in the midst. -ENOMEM.
 */
int profile_rehome(struct profile *p, const uint32_t *endpoints, struct tally *ret);

#endif
