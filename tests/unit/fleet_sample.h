/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Batches whose sums are known: of host number `host` and minute number `minute`. Each has
 * two slices of function costs, one of requests, and functions and paths in common with
 * others; all numbers follow from the two.
 */
#ifndef PYCOST_TESTS_FLEET_SAMPLE_H
#define PYCOST_TESTS_FLEET_SAMPLE_H

#include "userspace/fleet/batch.h"

#define FLEET_FUNCTIONS 5
#define FLEET_BEGIN_S 1760000400ull /* a whole hour */

struct fleet_sample {
	struct batch batch;
	char host[32], endpoints[2][32], functions[FLEET_FUNCTIONS][32];
	struct batch_tag tags[3][6];
	struct batch_slice slices[3];
	struct batch_function function[FLEET_FUNCTIONS];
	struct batch_path paths[2];
	struct batch_cost costs[2 * FLEET_FUNCTIONS];
	struct batch_path_cost path_costs[2];
	struct batch_requests requests;
	struct batch_backend backend;
	struct sink_bin bins[2];
	struct batch_register registers[2];
	struct batch_users users;
	struct batch_counter counter;
};

void fleet_sample_make(struct fleet_sample *f, unsigned int host, uint64_t minute);

/* What one batch's costs are: the first column of sums over function costs. */
uint64_t fleet_sample_self(unsigned int host, uint64_t minute);

#endif
