/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that are alike, added up until the sink is told.
 */
#ifndef PYCOST_REQUEST_GROUPS_H
#define PYCOST_REQUEST_GROUPS_H

#include <stdint.h>

#include "userspace/sink.h"

#define REQUEST_GROUPS_MAX 50000

struct request_groups;

/* What is measured of one request. */
struct request_values {
	int64_t measures[REQUEST_MEASURES]; /* by enum request_measure; only RSS may be below 0 */
	uint32_t backend_calls[REQUEST_BACKENDS]; /* by id - 1 */
	uint64_t backend_ns[REQUEST_BACKENDS];
};

int request_groups_new(struct sink *sink, struct request_groups **ret);
void request_groups_free(struct request_groups *g);

/* key: its id does not matter. -ENOSPC: there are too many groups; -ENOMEM. */
int request_groups_add(struct request_groups *g, const struct sink_group *key,
		       const struct request_values *v);

/* Tells what was added since the last time, new groups before their requests. */
int request_groups_tell(struct request_groups *g);

#endif
