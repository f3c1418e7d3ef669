/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a sampled measurement is made of, and how samples come into it.
 */
#ifndef PYCOST_SAMPLED_H
#define PYCOST_SAMPLED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/followed.h"
#include "userspace/measurement.h"
#include "userspace/sample_notice.h"
#include "userspace/samples.h"
#include "userspace/session.h"

struct sampled {
	struct measurement base; /* first */
	struct session_options options;
	struct sample_events *events;
	struct counter *counter; /* of requests; with these NULL when they are not looked at */
	struct watch *watch;
	struct sampling *sampling;
	struct codes *codes;
	struct line_store *lines;
	struct sample_natives *natives;
	struct paths *paths;
	struct samples now, later; /* what waits for its names is in `later` */
	struct ring_buffer *notes, *ring;
	struct followed followed;
	struct census *census; /* NULL: not of everyone */
	uint64_t unread; /* samples that made no sense */
	bool finished;
	double running; /* of the events, at the end of the measurement */
	struct sample_notices told;
};

/*
 * Makes all of it, by s->options and s->base.sink; nothing is sampled yet.  Errors in words
 * in text; sampled_clear() is due then, too.
 */
int sampled_prepare(struct sampled *s, char *text, size_t len);
void sampled_clear(struct sampled *s);

/* Keeps the sink's first error. */
void sampled_tell(struct sampled *s, int err);

/*
 * Tells what has been gathered but what waits for its names; of the process `settled`
 * nothing waits.
 */
void sampled_take(struct sampled *s, uint32_t settled);

#endif
