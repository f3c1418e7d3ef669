/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The payload of a recording's blocks, fact by fact, into a sink. */
#ifndef PYCOST_RECORDING_FACTS_H
#define PYCOST_RECORDING_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/bytes.h"
#include "userspace/recording_requests.h"
#include "userspace/sink.h"

struct facts {
	struct sink *to;
	uint32_t version; /* of the file */
	bool has_meta;

	/* private */
	bool kernel_mode, sampled, requests, no_functions;
	uint32_t functions, nodes, natives; /* told so far */
	struct request_ids ids;
	char *strings; /* those of the fact at hand */
	size_t strings_size;
};

bool fact_is_known(uint64_t type);

/*
 * Takes one fact's fields, without its type, and tells the sink.  -EPROTO: they
 * break the contract of sink.h, or the fact is not one of this recording;
 * -ENOMEM, or the sink's own error.
 */
int fact_read(struct facts *f, uint64_t type, struct cursor *c);

void facts_clear(struct facts *f);

/*
 * For readers of single facts: copies strings out of the payload to terminate them;
 * valid until the next fact.  -ENOMEM; c->bad when they break the format.
 */
int take_strings(struct facts *r, struct cursor *c, const char **ret, size_t count);

/* The readers of what is told of requests, in recording_requests_read.c. */
int read_tags(struct facts *r, struct cursor *c);
int read_common_tags(struct facts *r, struct cursor *c);
int read_endpoint(struct facts *r, struct cursor *c);
int read_backend(struct facts *r, struct cursor *c);
int read_group(struct facts *r, struct cursor *c);
int read_requests(struct facts *r, struct cursor *c);
int read_phase(struct facts *r, struct cursor *c);
int read_worker(struct facts *r, struct cursor *c);
int read_import(struct facts *r, struct cursor *c);
int read_collection(struct facts *r, struct cursor *c);

#endif
