/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A service of the fleet that is not there: its functions, its call paths, a minute of it. */
#ifndef PYCOST_TEST_FLEET_SERVICE_H
#define PYCOST_TEST_FLEET_SERVICE_H

#include "tests/fleet/simulator/fleet.h"

/* xorshift64*; the state is never 0. */
static inline uint64_t fleet_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}
/* Above 0, at most 1. */
static inline double fleet_even(uint64_t *state)
{
	return ((fleet_random(state) >> 11) + 1) / 9007199254740992.0;
}

struct service_node {
	uint32_t parent; /* UINT32_MAX: none */
	uint32_t function;
	uint32_t endpoint;
	bool outermost; /* no activation of its function above it */
	double weight;	/* what all nodes up to this one are hit by */
};

/* The rows of a minute: slices by number, as fleet.c lays them out. */
struct service_pattern {
	struct batch_cost *costs;
	struct batch_path_cost *path_costs;
	struct batch_requests *requests;
	uint32_t cost_count, path_cost_count, request_count;
	struct fleet_totals totals; /* of one batch of it */
};

struct service {
	char name[32];
	uint32_t function_count, node_count, endpoint_count;
	struct batch_function *functions;
	struct batch_path *paths; /* by node; the common frames are there for each endpoint */
	struct batch_path *names; /* each once */
	uint32_t name_count;
	struct service_node *nodes;
	const char **endpoints; /* "GET /a/b" */
	struct service_pattern *patterns;
	struct arena memory;
};

/* Frames that every request has, whatever its endpoint: the server's, the framework's. */
#define COMMON_FRAMES 9
#define SERVICE_STATUSES 3
extern const char *const service_statuses[SERVICE_STATUSES];
/* Numbers of slices: of function costs, endpoint 0 is none; of requests. */
#define SERVICE_SLICE(endpoint) ((endpoint) + 1)
#define SERVICE_REQUEST_SLICE(s, endpoint, status) \
	((s)->endpoint_count + 1 + (endpoint) * SERVICE_STATUSES + (status))

int service_make(const struct fleet_options *o, uint32_t number, struct service *ret);
int service_patterns(const struct fleet_options *o, struct service *s, uint64_t *random);
void service_clear(struct service *s, uint32_t patterns);

#endif
