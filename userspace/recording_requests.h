/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The facts of requests in a recording: how they are written, and what its reader and
 * its writer both check.  -EINVAL: the contract of sink.h is broken.
 */
#ifndef PYCOST_RECORDING_REQUESTS_H
#define PYCOST_RECORDING_REQUESTS_H

#include <stdbool.h>

#include "userspace/sink.h"

struct block;

/* Told so far. */
struct request_ids {
	uint32_t tags, endpoints, backends, groups;
	bool phases; /* there may be some */
};

bool tags_are_valid(const struct sink_tags *t);
bool endpoint_is_valid(const struct request_ids *told, const struct sink_endpoint *e);
bool group_is_valid(const struct request_ids *told, const struct sink_group *g);
bool phase_is_valid(const struct request_ids *told, const struct sink_phase *p);
bool requests_are_valid(const struct request_ids *told, const struct sink_requests *r);

int block_tags(struct block *b, struct request_ids *told, const struct sink_tags *t);
int block_common_tags(struct block *b, const struct request_ids *told, uint32_t tags);
int block_endpoint(struct block *b, struct request_ids *told, const struct sink_endpoint *e);
int block_backend(struct block *b, struct request_ids *told, const struct sink_backend *e);
int block_group(struct block *b, struct request_ids *told, const struct sink_group *g);
int block_requests(struct block *b, const struct request_ids *told, const struct sink_requests *r);
int block_phase(struct block *b, const struct request_ids *told, const struct sink_phase *p);
int block_worker(struct block *b, const struct request_ids *told, const struct sink_worker *w);
int block_import(struct block *b, const struct request_ids *told, const struct sink_import *i);
int block_collection(struct block *b, const struct request_ids *told,
		     const struct sink_collection *c);

#endif
