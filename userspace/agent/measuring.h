/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session, the fold of what it tells, and what both borrow. */
#ifndef PYCOST_MEASURING_H
#define PYCOST_MEASURING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/agent/agent_config.h"
#include "userspace/fleet/fold.h"
#include "userspace/session.h"

struct measuring {
	struct session *session;
	struct fold *fold;
	bool exact;
	unsigned level;	    /* of the budget that it was opened at */
	uint64_t opened_ns; /* monotonic */
	struct batch_tag tags[AGENT_COMMON_MAX];
	const char *keep[AGENT_COMMON_MAX];
};

struct measuring_options {
	const struct agent_config *config; /* outlives it */
	bool exact;
	unsigned level;
	/* For the fold: see fold.h. Not called before somebody is attached to. */
	int (*process)(void *arg, uint32_t pid, struct slice_tags *to);
	bool (*is_known)(void *arg, uint64_t id);
	int (*emit)(void *arg, const struct batch *b);
	void *arg;
};

/* Seconds, of loading programs. Errors in words. */
int measuring_open(const struct measuring_options *o, struct measuring **ret, char *err, size_t errlen);
/* After session_finish(). Seconds too: the kernel takes its time to let go. NULL: nothing. */
void measuring_free(struct measuring *m);

#endif
