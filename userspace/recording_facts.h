/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The payload of a recording's blocks, fact by fact, into a sink. */
#ifndef PYCOST_RECORDING_FACTS_H
#define PYCOST_RECORDING_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/bytes.h"
#include "userspace/sink.h"

struct facts {
	struct sink *to;
	uint32_t version; /* of the file */
	bool has_meta;

	/* private */
	bool kernel_mode, sampled;
	uint32_t functions, nodes, natives; /* told so far */
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

#endif
