/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of a fold; private to them. Each makes its rows of a batch, and begins anew. */
#ifndef PYCOST_FOLD_PARTS_H
#define PYCOST_FOLD_PARTS_H

#include "userspace/cost.h"
#include "userspace/fleet/fold.h"
#include "userspace/fleet/maker.h"
#include "userspace/fleet/sketch.h"
#include "userspace/phase_estimate.h"
#include "userspace/profile.h"
#include "userspace/view_owner.h"

#define NO_SLICE UINT32_MAX
#define FOLD_OWN (UINT32_MAX - 1) /* stands for the sender's own slice, of counters */

/* The root of a call tree, and what its costs are kept apart by. */
struct fold_root {
	uint32_t node; /* the profile's id */
	uint32_t slice, kernel_slice; /* NO_SLICE: none */
};

struct fold_names {
	struct batch_function *functions; /* by the profile's id; 0: outside any function */
	uint32_t *rows;			  /* the first function with the same id */
	uint64_t *paths; /* by node: batch_path_id(); 0: not made yet */
	size_t function_capacity, row_capacity, path_capacity;
	struct tally ids; /* functions by their batch ids */
	struct tally put; /* ids that the batch has a name of, or needs none */
	struct batch_function other;
	uint64_t other_path;
};

struct fold_group {
	uint32_t pid;
	uint32_t slice; /* NO_SLICE: left out */
	uint32_t users; /* slice of users; NO_SLICE: it has none */
	uint32_t exact; /* slice of the function costs of those that were probed; NO_SLICE */
	uint64_t user;	/* hash */
	uint32_t flags;
	bool is_cut; /* a tag of it is "other" */
};

struct fold_requests {
	struct fold_group *groups; /* by id */
	size_t group_count, group_capacity; /* with slot 0 */
	struct request_sums *sums; /* by slice */
	size_t sums_count, sums_capacity;
	struct tally sketches; /* of users, by slice */
	/* With meta.budget: the phases of this minute, and the last one's weight. */
	struct phase_times phases;
	double weight;
	uint64_t open; /* requests since the last phase */
};

struct fold_counters {
	struct tally counts; /* by slice and name */
	struct tally lives;  /* workers that were told alive: totals so far */
	uint64_t losses[LOSS_MAX]; /* as of the last batch */
	uint64_t multiplexed_ns;
	const char *loss_names[LOSS_MAX];
};

/* With a budget, samples taken while nothing was watched are given to endpoints by their view. */
struct fold_views {
	struct view_owners owners;
	uint32_t *nodes; /* the profile's ids, by those that are told: it has more */
	size_t node_count, node_capacity;
	uint32_t *homes; /* by the profile's process: 1 + the slice of what is of no request */
	size_t home_capacity;
};

struct fold {
	struct sink sink; /* first */
	struct profile *profile;
	struct fold_options o;
	struct slices *slices;
	struct maker maker;
	struct arena texts;
	struct fold_names names;
	struct fold_root *roots;
	size_t root_count, root_capacity;
	struct fold_views views;
	struct fold_requests requests;
	struct fold_counters counters;
	uint64_t begin_s; /* of the minute under way */
	uint64_t told_ns; /* of the measurement, until the last batch */
	uint64_t batches;
	bool finished;
};

/* fold_tags.c: which slice. NO_SLICE: none, and it was counted. */
int fold_slice_costs(struct fold *f, uint32_t pid, uint32_t endpoint, const char *metric,
		     uint32_t *ret);
/* That of such costs as are in this slice, of no request, if they were an endpoint's. */
int fold_slice_endpoint(struct fold *f, uint32_t slice, uint32_t endpoint, uint32_t *ret);
int fold_slice_requests(struct fold *f, const struct sink_group *g, uint32_t *ret);
/* Without endpoint, status and tags of the user's: for users and workers. */
int fold_slice_process(struct fold *f, uint32_t pid, uint32_t tags, uint32_t *ret);
/* Of what is nobody's. */
int fold_slice_own(struct fold *f, uint32_t *ret);
/* The user of a group; NULL: none is known. */
const char *fold_group_user(const struct fold *f, const struct sink_group *g);

/* fold_names.c */
int fold_names_function(struct fold *f, uint32_t id); /* the profile has it */
int fold_names_path(struct fold *f, uint32_t node, uint64_t *ret, uint64_t *ret_parent);
int fold_names_init(struct fold *f);
void fold_names_clear(struct fold *f);
/* Put into the batch what its paths are, and its functions; the path of FOLD_OTHER without a caller. */
int fold_names_paths(struct fold *f, const struct tally *paths);
int fold_names_path_other(struct fold *f);
int fold_names_functions(struct fold *f); /* these last */

/* A path in a slice, its callers before it. */
struct fold_path {
	uint64_t path;	/* these two are the key */
	uint64_t slice;
	uint64_t parent; /* path; 0: none */
	uint64_t function; /* its batch id */
	uint64_t calls, samples, self, cumulative;
	uint64_t other_samples, other_self; /* of FOLD_OTHER below it */
	uint32_t keeper; /* the nearest path that is kept: itself, or above it; NO_PATH */
};
#define NO_PATH UINT32_MAX

/* fold_costs.c */
int fold_costs_root(struct fold *f, const struct sink_node *n);
int fold_costs_make(struct fold *f);
/* fold_views.c: puts the profile's ids in the place of those that are told; 0: unknown. */
int fold_views_node(struct fold *f, struct sink_node *n);
uint32_t fold_views_id(const struct fold *f, uint32_t told);
int fold_views_root(struct fold *f, const struct sink_node *n); /* the profile has it */
/* Before the costs of a minute are made. */
int fold_views_make(struct fold *f);
int fold_views_init(struct fold *f);
void fold_views_clear(struct fold *f);

/* fold_paths.c: rows of all paths; which are too rare becomes FOLD_OTHER. */
int fold_paths_make(struct fold *f, struct tally *paths);
/* The greatest u64, at this offset of the items, that is not among the `most` greatest. */
int fold_floor(const struct tally *items, size_t offset, uint32_t most, uint64_t *ret);

/* fold_requests.c */
int fold_requests_group(struct fold *f, const struct sink_group *g);
int fold_requests_add(struct fold *f, const struct sink_requests *r);
int fold_requests_phase(struct fold *f, const struct sink_phase *p);
int fold_requests_user(struct fold *f, uint32_t slice, const char *user);
int fold_requests_init(struct fold *f);
int fold_requests_make(struct fold *f);
void fold_requests_clear(struct fold *f);

/* fold_counters.c: name is a constant. */
int fold_count(struct fold *f, uint32_t slice, const char *name, double value);
int fold_count_own(struct fold *f, const char *name, double value);
int fold_worker(struct fold *f, const struct sink_worker *w);
void fold_counters_init(struct fold *f);
int fold_counters_make(struct fold *f);
void fold_counters_clear(struct fold *f);

#endif
