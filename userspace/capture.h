/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exact costs of one request in N: arming (arming.h) of the processes that the exact mode
 * follows, by what is heard of their requests.
 */
#ifndef PYCOST_CAPTURE_H
#define PYCOST_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/arming.h"

struct capture;
struct serving;
struct tracker;

struct capture_options {
	unsigned every;	      /* one request in so many */
	const char *endpoint; /* a glob of those that are captured, and counted; NULL: all */
	struct serving *serving;
	struct tracker *tracker; /* on demand */
};

/* What the options point to must outlive it. */
int capture_new(const struct capture_options *o, struct capture **ret);
void capture_free(struct capture *c);

/*
 * Whether the requests of an endpoint are meant.  A glob with a space in it is of the
 * method, too: "GET /shop/" and a star.  NULL means all.
 */
bool capture_means(const char *glob, const char *method, const char *name);

/* Requests of this class are of this endpoint. */
void capture_class(struct capture *c, uint64_t class_id, const char *method, const char *name);
/* A request of this endpoint has ended in this process. */
void capture_request(struct capture *c, pid_t pid, const char *method, const char *name);
void capture_died(struct capture *c, pid_t pid);

/* As of arming.h. */
void capture_look(struct capture *c);
int capture_patience(const struct capture *c);
bool capture_finish(struct capture *c);
void capture_status(const struct capture *c, struct arming_status *ret);

#endif
