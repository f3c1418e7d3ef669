/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A batch with some of everything. */
#ifndef PYCOST_TESTS_SAMPLE_BATCH_H
#define PYCOST_TESTS_SAMPLE_BATCH_H

#include "userspace/fleet/batch.h"

struct sample_batch {
	struct batch batch;
	struct batch_tag tags[3][6];
	struct batch_slice slices[3]; /* exact costs, requests, users */
	struct batch_function functions[2];
	struct batch_path paths[2];
	struct batch_cost costs[3];
	struct batch_path_cost path_costs[2];
	struct batch_requests requests[2];
	struct batch_backend backends[2];
	struct sink_bin bins[3];
	struct batch_users users[1];
	struct batch_register registers[3];
	struct batch_counter counters[2];
};

/* Anew, whatever it was; points into s. */
struct batch *sample_batch(struct sample_batch *s);
/* As it travels, into a file. */
int sample_batch_write(const char *path);

#endif
