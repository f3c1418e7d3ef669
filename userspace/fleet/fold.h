/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A measurement on its way to the fleet: a sink that makes a batch of each minute.
 *
 * Minutes are those of the clock of day. What is told until a flush belongs to the minute in
 * which the time since the flush before began; where requests are watched in phases, a minute
 * may last some seconds longer, until its last phase is over. Costs are those of a report (cost.h), of that
 * minute alone; the cost of requests that were probed has the probes' own taken out
 * (request_table.h).
 *
 * Memory: definitions (functions, nodes, groups of requests) stay until the fold is freed,
 * some 150 bytes a node and 40 a group; so whoever measures on and on makes a new one with
 * each session. What is made of them in a minute is bounded by the limits: beyond these,
 * costs are those of FOLD_OTHER, tags are "other", and a counter "cut.…" says how much.
 * A batch has no more than max_costs + slices costs, and 2 * max_paths + slices paths.
 *
 * Counters (batch.h) are "loss.NAME" (sink.h); "measured.ns"; "workers.ended", "workers.failed",
 * "workers.requests", "workers.cost", "workers.request_cost", "workers.cpu_ns";
 * "requests.aborted", "requests.shared", "requests.by_ticks"; "requests.probed", of the slices
 * of exact function costs: how many requests these are of; "costs.by_view", of those of samples:
 * what is an endpoint's by its view alone (view_owner.h); "cut.functions", "cut.paths",
 * "cut.facts" (that had no slice), "cut.users", "cut.tags" (requests with a tag that is "other").
 */
#ifndef PYCOST_FOLD_H
#define PYCOST_FOLD_H

#include "userspace/fleet/slices.h"
#include "userspace/sink.h"

#define FOLD_OTHER "<other functions>" /* of all that cost too little to be told apart */
#define FOLD_SERVICE "pycost"	       /* of what is nobody's: losses of the sender */

/* 0 and NULL: the default, or none. All is borrowed until the fold is freed. */
struct fold_options {
	const char *sender; /* its host's name; needed */
	/* Of all facts: those of one key go before what the measurement itself says. */
	const struct batch_tag *tags;
	size_t tag_count;
	/*
	 * Sets the tags of a process, which go before all others. -ESRCH: it is not known, and
	 * its parent's are asked for. Where there is no such function, all that is measured
	 * must get a service from elsewhere, or the stream ends with -ENODATA; else what has
	 * no service is left out and counted.
	 */
	int (*process)(void *arg, uint32_t pid, struct slice_tags *to);
	/*
	 * Tags of requests that are kept, beside service, version, host, cluster and region.
	 * Tags of the whole measurement are always kept, and so are those that function
	 * costs are split by.
	 */
	const char *const *keep;
	size_t keep_count;
	/* Tags that stand for a user: the first that a request has; default "user", "user_hash". */
	const char *const *users;
	size_t user_count;
	const char *own_service; /* of the sender's own counters; default: the only one, or FOLD_SERVICE */

	/* Whether the receiver knows a function or a path by this id: then it is not told again. */
	bool (*is_known)(void *arg, uint64_t id);
	/* Makes the id of a batch; default: random. */
	int (*id)(void *arg, uint64_t begin_s, uint8_t ret[BATCH_ID_SIZE]);
	/* A minute's batch, for the call only. An error ends the stream. */
	int (*emit)(void *arg, const struct batch *b);
	void *arg;

	/* Calibrations that are known better than they were at the time, by id. */
	const struct sink_calibration *calibrations;
	size_t calibration_count;

	struct slices_limits limits; /* default: 1000, 100, 500 */
	uint32_t max_costs; /* default: 100000 */
	uint32_t max_paths; /* default: 20000 */
	/* Paths that are less than this part of their slice's cost are FOLD_OTHER; default 0.001. */
	double path_share;
};

struct fold;

int fold_create(const struct fold_options *o, struct fold **ret);
void fold_free(struct fold *f);
struct sink *fold_sink(struct fold *f);

/* Somebody was served by this process: what a tag of requests would say, one by one. */
int fold_user(struct fold *f, uint32_t pid, const char *user);

/* Makes a batch of what is left; the sink's end() does the same. */
int fold_finish(struct fold *f);

struct fold_status {
	uint32_t nodes, functions, groups, slices;
	uint64_t batches;
};
void fold_status(const struct fold *f, struct fold_status *ret);

#endif
