/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fleet that is not there: batches as its agents would ship them. Everything follows from
 * the seed, and what was told is added up apart, so that answers can be checked.
 *
 * Each service has functions and call paths with costs of a few that are large and many that
 * are small. A host runs one service; what it tells of a minute is one of a number of
 * patterns, each of them drawn sample by sample, so that rare functions are rare.
 */
#ifndef PYCOST_TEST_FLEET_H
#define PYCOST_TEST_FLEET_H

#include <stdint.h>

#include "userspace/fleet/batch.h"
#include "userspace/fleet/sketch.h"

struct fleet_options {
	uint64_t seed;
	uint32_t hosts, workers, services;
	uint32_t functions; /* of a service */
	uint32_t endpoints; /* likewise */
	uint32_t patterns;  /* likewise */
	uint32_t samples_per_worker; /* a minute */
	uint32_t requests_per_worker;
	uint32_t users;
	uint64_t period; /* of a sample, instructions */
};

/* What was made, to be compared with answers. */
struct fleet_totals {
	uint64_t batches, cost_rows, path_rows, request_rows, bins;
	uint64_t samples, self, requests, request_cost;
};

struct fleet;

int fleet_new(const struct fleet_options *o, struct fleet **ret);
void fleet_free(struct fleet *f);

/*
 * What a host ships for the minute; with_names: all that it names is explained in it. Its id
 * follows from host, minute and seed. Counts into totals, which may be NULL. Several threads
 * may ask at a time, each for its own host.
 */
int fleet_batch(const struct fleet *f, uint32_t host, uint64_t begin_s, int with_names,
		struct batch *ret, struct fleet_totals *totals);

#endif
