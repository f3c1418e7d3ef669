/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A measurement in memory: a sink that keeps what it is told.  Costs add up, so
 * it may be read between any two facts and told more later.
 *
 * Arrays are indexed by id.  Slot 0 is there and means "none": functions[0] has
 * empty names, calibrations[0] takes nothing out and nodes[0] is the parent of
 * all roots.  The contract of sink.h is checked: what breaks it is -EINVAL.
 */
#ifndef PYCOST_PROFILE_H
#define PYCOST_PROFILE_H

#include <stddef.h>

#include "userspace/arena.h"
#include "userspace/profile_requests.h"
#include "userspace/sink.h"
#include "userspace/tally.h"

struct profile_node {
	uint32_t parent;
	uint32_t function;
	uint32_t process; /* index into processes */
	uint32_t tid;
	uint32_t endpoint; /* of its root */
	uint64_t calls;
	uint64_t self_raw;
	int64_t search_self, search_caller; /* as in struct sink_cost */
	uint64_t kernel_raw; /* self, in kernel mode */
	int64_t lone_self, lone_caller; /* as in struct sink_cost */
	uint64_t samples; /* that found it innermost: self_raw is so many periods */
};

struct profile {
	struct sink sink; /* first */
	bool has_meta;
	bool ended;
	struct sink_meta meta;
	uint64_t duration_ns;
	uint64_t losses[LOSS_MAX];

	struct sink_calibration *calibrations;
	struct sink_function *functions;
	struct profile_node *nodes;
	struct sink_process *processes; /* from 0; a pid twice after an exec */
	size_t calibration_count; /* counts include slot 0 */
	size_t function_count;
	size_t node_count;
	size_t process_count;

	/*
	 * What samples tell beyond the nodes: natives by id, slot 0 "none"; and each place
	 * once, from 0, with the sum of its counts.
	 */
	struct sink_native *natives;
	const struct sink_sample *samples;
	const struct sink_passage *passages;
	size_t native_count; /* slot 0 included */
	size_t sample_count;
	size_t passage_count;

	struct profile_requests requests; /* with meta.requests */

	/* private */
	struct arena strings;
	struct profile_pid *pids;
	size_t calibration_capacity;
	size_t function_capacity;
	size_t node_capacity;
	size_t process_capacity;
	size_t native_capacity;
	struct tally sample_tally, passage_tally;
};

int profile_create(struct profile **ret);
void profile_free(struct profile *p);

/*
 * Takes out all costs and samples of nodes, so that what follows adds up anew. Everything
 * else stays, requests and losses too.
 */
void profile_zero(struct profile *p);

/*
 * Forgets every other process's nodes and groups of requests (ids are given anew);
 * -ESRCH if there is no such process.  No more facts may follow.
 */
int profile_keep_pid(struct profile *p, uint32_t pid);
/*
 * Likewise all nodes, groups of requests, imports and collections but those of the wanted
 * endpoints, by id; 0 stands for what is of none.  Processes and workers stay.
 */
int profile_keep_endpoints(struct profile *p, const bool *wanted);

/* The calibration that holds for a process; slot 0 when there is none. */
const struct sink_calibration *profile_calibration(const struct profile *p,
						   const struct sink_process *process);

#endif
