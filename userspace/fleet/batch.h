/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one sender measured in one interval: the unit that is spooled, shipped, stored once.
 *
 * A slice is a set of tags by which facts are kept apart: service, version, host, endpoint,
 * status and what else the sender was told to keep. Its id is a hash of its tags, so that
 * all senders and the store agree without asking. So are the ids of functions and of call
 * paths: names need to travel once, and arrive in any order.
 *
 * All strings and arrays belong to the batch. Sums add up over batches, slices and time;
 * nothing in a batch is a mean.
 */
#ifndef PYCOST_BATCH_H
#define PYCOST_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "userspace/arena.h"
#include "userspace/sink.h"

#define BATCH_ID_SIZE 16
#define BATCH_SECONDS 60 /* intervals are minutes, by the clock of day */
#define BATCH_TAGS_MAX 40 /* of a slice */
#define BATCH_TEXT_MAX 1024 /* bytes of any string, without its NUL */
#define SKETCH_REGISTERS 4096

/* The keys that pycost itself gives meaning to; all others are the user's. */
#define TAG_KEY_SERVICE "service" /* every slice has it */
#define TAG_KEY_METRIC "metric"	  /* every slice has it: metric_name(); never add two of them up */
#define TAG_KEY_VERSION "version"
#define TAG_KEY_HOST "host"
#define TAG_KEY_ENDPOINT "endpoint" /* "GET /shop/" and a star; "" : of no request */
#define TAG_KEY_STATUS "status"	    /* of requests only: "404"; "none": no answer; "" of tasks */
#define TAG_KEY_MODE "mode"	    /* of function costs: "exact" or "sampled"; never add both up */

struct batch_tag {
	const char *key;
	const char *value;
};

struct batch_slice {
	uint64_t id;	/* batch_slice_id() of all its tags */
	uint64_t fleet; /* of all but TAG_KEY_HOST: what outlives the minutes */
	const struct batch_tag *tags; /* by key, ascending, each once */
	uint32_t tag_count;
};

struct batch_function {
	uint64_t id; /* batch_function_id() */
	const char *name, *qualname, *class_name, *module, *file, *wraps; /* as in sink_function */
	uint32_t line;
};

/* A call path: a function called by what its parent stands for. */
struct batch_path {
	uint64_t id; /* batch_path_id() */
	uint64_t parent; /* 0: none calls it */
	uint64_t function; /* 0: outside any function */
};

/* Of one function in one slice; costs are corrected, in units of the slice's metric. */
struct batch_cost {
	uint32_t slice; /* index */
	uint64_t function; /* 0: outside any function */
	uint64_t calls;	   /* 0 of samples */
	uint64_t samples;  /* 0 of exact costs */
	uint64_t self, cumulative;
	/*
	 * Squares of their standard errors. Of samples: n * (1 - n / N) periods squared, of n
	 * samples among the interval's N; these add up. Exact costs have the error of a
	 * calibration, which all batches of one session share: their sums are the least that
	 * it can be.
	 */
	double self_variance, cumulative_variance;
};

struct batch_path_cost {
	uint32_t slice;
	uint64_t path;
	uint64_t calls, samples, self;
};

struct batch_backend {
	const char *name;
	uint64_t calls, ns;
};

struct batch_requests {
	uint32_t slice;
	uint64_t count;
	double estimate; /* how many they stand for: count, or more where not all were watched */
	double estimate_variance;
	int64_t sums[REQUEST_MEASURES];
	double squares[REQUEST_MEASURES];
	const struct batch_backend *backends;
	uint32_t backend_count;
	const struct sink_bin *bins[REQUEST_DISTRIBUTIONS]; /* as in sink_requests */
	uint32_t bin_counts[REQUEST_DISTRIBUTIONS];
};

/* Of distinct users: see sketch.h. */
struct batch_register {
	uint16_t index; /* ascending */
	uint8_t rank;	/* 1 and more */
};
struct batch_users {
	uint32_t slice; /* without endpoint and status */
	const struct batch_register *registers;
	uint32_t register_count;
};

/* Whatever else adds up: losses ("loss.nodes"), lives of workers ("workers.born")... */
struct batch_counter {
	uint32_t slice;
	const char *name;
	double value;
};

struct batch {
	uint8_t id[BATCH_ID_SIZE]; /* the same whenever this batch is sent */
	const char *sender;	   /* host name */
	uint64_t begin_s;	   /* Unix time of the interval's begin: a whole minute */
	uint32_t seconds;	   /* its length, at most an hour */
	const struct batch_slice *slices;
	const struct batch_function *functions;
	const struct batch_path *paths;
	const struct batch_cost *costs;
	const struct batch_path_cost *path_costs;
	const struct batch_requests *requests;
	const struct batch_users *users;
	const struct batch_counter *counters;
	uint32_t slice_count, function_count, path_count, cost_count, path_cost_count,
		request_count, user_count, counter_count;
	struct arena memory; /* of all that is in it */
};

/* tags: by key, ascending. without: a key that is left out, or NULL. Never 0. */
uint64_t batch_slice_id(const struct batch_tag *tags, size_t count, const char *without);
uint64_t batch_function_id(const struct batch_function *f); /* of all its texts and its line */
uint64_t batch_path_id(uint64_t parent, uint64_t function);

/* A copy that may be in a batch: cut to BATCH_TEXT_MAX, repaired (text.h). NULL: no memory. */
const char *batch_text(struct arena *a, const char *text);

/* The value of a key, or "". */
const char *batch_slice_tag(const struct batch_slice *s, const char *key);

/*
 * To bytes, compressed, and back. What is unpacked is checked: every index and id, order,
 * length of texts, finite numbers, the mandatory tags; -EBADMSG says what is wrong in err.
 * -EFBIG: it would be more than `limit` bytes when unpacked, which is found before they are
 * made. free(*ret_bytes); batch_free() also of an empty one (all zero).
 */
int batch_pack(const struct batch *b, void **ret_bytes, size_t *ret_size);
int batch_unpack(const void *bytes, size_t size, size_t limit, struct batch *ret, char *err,
		 size_t errlen);
void batch_free(struct batch *b);

#endif
