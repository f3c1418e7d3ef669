/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the kernel's events of requests to the sink: endpoints, tags, groups and workers.
 */
#ifndef PYCOST_REQUESTS_H
#define PYCOST_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/request_groups.h"
#include "userspace/sink.h"
#include "userspace/tag_sets.h"

struct request_config;
struct requests;
struct serving;
struct wire_event_life;
struct wire_request;

/* A request that has ended, as it is told to who wants each. All is borrowed. */
struct request_seen {
	uint64_t begin_ns; /* CLOCK_MONOTONIC */
	uint32_t pid, tid;
	uint16_t status, flags; /* as in struct sink_group */
	const char *method, *path; /* as they were sent, without the query; the path may be cut */
	uint32_t endpoint;
	const char *endpoint_method, *endpoint_name;
	const struct tag_list *tags; /* of the process too */
	const struct request_values *values;
};

struct requests_options {
	const struct request_config *config; /* finished; kept */
	struct serving *serving; /* where the events are from; NULL in tests, which bring them */
	bool kernel_mode; /* costs in kernel mode are counted */
	bool by_phases;	  /* with a budget: see sink_meta */
	/* May be NULL: a class and its endpoint's names; a request, likewise; a birth or a death. */
	void (*on_class)(void *arg, uint64_t class_id, const char *method, const char *name);
	void (*on_request)(void *arg, const struct wire_request *r, const char *method,
			   const char *name);
	void (*on_life)(void *arg, const struct wire_event_life *e);
	void *arg;
	/*
	 * Each request with all that is known of it; the sink is then told of groups by the
	 * tags of processes only.  May be NULL.
	 */
	void (*each)(void *arg, const struct request_seen *r);
	void *each_arg;
};

/* Tells nothing yet: the sink's meta comes first.  Errors in words in err. */
int requests_open(const struct requests_options *o, struct sink *sink, struct requests **ret,
		  char *err, size_t errlen);
void requests_close(struct requests *r); /* NULL: nothing */

/*
 * Once, when meta has been told and the time runs, before any other fact: back ends, common
 * tags.
 */
int requests_begin(struct requests *r, const char *host, uint64_t at_ns);

/* A process is served from now on.  python: its version; "" when it is not known. */
int requests_process(struct requests *r, pid_t pid, const char *python);

/* The ring wakes late, so it is to be read once a second, too: requests_pass() does. */
int requests_poll_fd(const struct requests *r);
/*
 * With a budget: to be called as phases_turn(), before that; tells the sink of phases that
 * are over.  -errno of attaching; the sink's errors are told by requests_pass().
 */
int requests_turn(struct requests *r);
/* Reads what there is.  -errno of the ring; the sink's errors are told by requests_pass(). */
int requests_consume(struct requests *r);
/* An event's bytes, as the ring has them. */
void requests_event(struct requests *r, const void *data, size_t size);

/*
 * About once a second: reads what there is and tells the sink; last: of those workers too
 * that live on. The sink's error, the first that there was.
 */
int requests_pass(struct requests *r, bool last);

/* The endpoint of a class, told to the sink before; 0: not known yet. */
uint32_t requests_endpoint(struct requests *r, uint64_t class_id);

uint64_t requests_seen(const struct requests *r); /* so far */
/* Adds its totals and the serving's, but for losses that the measurement has too. */
void requests_losses(const struct requests *r, uint64_t losses[LOSS_MAX]);

#endif
