/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request as it ends, as a line: for people, or a JSON object. */
#ifndef PYCOST_REQUEST_LINE_H
#define PYCOST_REQUEST_LINE_H

#include <stdio.h>

#include "userspace/profile.h"
#include "userspace/request_field.h"
#include "userspace/requests.h"

struct request_lines {
	FILE *out;
	/* Names of back ends, and the metric; told before the first request. */
	const struct profile *profile;
	bool json, exact;
	const struct request_filter *filters;
	size_t filter_count;
	uint64_t to_realtime_ns; /* from CLOCK_MONOTONIC: request_lines_begin() */
	uint64_t count;
};

void request_lines_begin(struct request_lines *l);
/* For struct requests_options: arg is the lines. Errors stay in the stream. */
void request_lines_put(void *arg, const struct request_seen *r);

#endif
