/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of a profile that is about requests.
 *
 * Arrays are indexed by id, slot 0 is there and means "none", unless said otherwise.
 */
#ifndef PYCOST_PROFILE_REQUESTS_H
#define PYCOST_PROFILE_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>

#include "userspace/histogram.h"
#include "userspace/phase_estimate.h"
#include "userspace/sink.h"
#include "userspace/tally.h"

struct profile;

/* What all requests of a group add up to. */
struct profile_group {
	struct sink_group of;
	uint64_t count;
	int64_t sums[REQUEST_MEASURES];
	double squares[REQUEST_MEASURES];
	uint64_t backend_calls[REQUEST_BACKENDS]; /* by id - 1 */
	uint64_t backend_ns[REQUEST_BACKENDS];
	struct histogram distributions[REQUEST_DISTRIBUTIONS];
	/* With meta.budget: what of it was told since the last phase, */
	uint64_t open_count;
	double open_cost, open_squares;
	struct profile_estimates *estimates; /* and of the phases; NULL: none yet */
};

struct profile_estimates {
	struct phase_sum count, cost;
};

/* Collections by one function, of one generation. */
struct profile_collection {
	uint32_t endpoint, function;
	uint32_t generation, zero;
	uint64_t count;
	uint64_t ns, cost;
	uint64_t collected;
};

struct profile_requests {
	struct sink_tags *tags;
	struct sink_endpoint *endpoints;
	struct sink_backend backends[REQUEST_BACKENDS + 1];
	struct profile_group *groups;
	size_t tag_count; /* counts include slot 0 */
	size_t endpoint_count;
	size_t backend_count;
	size_t group_count;
	uint32_t common_tags;
	struct phase_times phases; /* with meta.budget */
	/*
	 * By endpoint, what of its trees' raw cost is its own by view alone (view_owner.h); 0:
	 * of all. NULL: all was seen to be of its requests.
	 */
	uint64_t *by_view;

	/*
	 * From 0: workers in the order they were first told, each life, by pid, ppid and
	 * birth, once; imports and
	 * collections with the sums of what was told of the same.
	 */
	const struct sink_worker *workers;
	const struct sink_import *imports;
	const struct profile_collection *collections;
	size_t worker_count;
	size_t import_count;
	size_t collection_count;

	/* private */
	size_t tag_capacity, endpoint_capacity, group_capacity;
	struct tally worker_tally, import_tally, collection_tally;
	struct strpool *modules;
};

/* The value of a key in a set of tags, or NULL. */
const char *profile_tag(const struct profile *p, uint32_t tags, const char *key);

/* For profile.c: the handlers, beginning and end. */
struct sink;
int profile_tags(struct sink *s, const struct sink_tags *t);
int profile_common_tags(struct sink *s, uint32_t tags);
int profile_endpoint(struct sink *s, const struct sink_endpoint *e);
int profile_backend(struct sink *s, const struct sink_backend *b);
int profile_group(struct sink *s, const struct sink_group *g);
int profile_requests_add(struct sink *s, const struct sink_requests *r);
int profile_phase(struct sink *s, const struct sink_phase *ph);
int profile_worker(struct sink *s, const struct sink_worker *w);
int profile_import(struct sink *s, const struct sink_import *i);
int profile_collection_add(struct sink *s, const struct sink_collection *c);
int profile_requests_init(struct profile_requests *r);
void profile_requests_clear(struct profile_requests *r);
/*
 * Keeps the requests and lives of one process.  Imports and collections are not told by
 * process: where others are dropped, they go too.
 */
void profile_requests_keep_pid(struct profile_requests *r, uint32_t pid);
/* Keeps what is of the wanted endpoints, by id, but for the lives of workers. */
void profile_requests_keep_endpoints(struct profile_requests *r, const bool *wanted);

#endif
