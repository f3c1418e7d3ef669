/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is seen of requests beside a measurement, or as one: the kernel's programs, what
 * comes of their events, and what interpreters say at their own probes.
 */
#ifndef PYCOST_WATCH_H
#define PYCOST_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/requests.h"
#include "userspace/sink.h"

struct codes;
struct counter;
struct interpreter;
struct kernel;
struct session_options;

struct watch_options {
	const struct session_options *session; /* its requests, each, no_follow; kept */
	struct sink *sink;
	struct codes *codes; /* where functions have their numbers */
	const struct counter *counter, *kernel_counter; /* the latter NULL: not counted */
	struct kernel *exact; /* NULL: not the exact mode */
	bool by_request;	    /* function costs are kept apart by class of requests */
	bool wanted_only;	    /* as in struct serving_options */
	/* As in struct requests_options; may be NULL. */
	void (*on_class)(void *arg, uint64_t class_id, const char *method, const char *name);
	void (*on_request)(void *arg, const struct wire_request *r, const char *method,
			   const char *name);
	void (*on_life)(void *arg, const struct wire_event_life *e);
	void *arg;
};

struct watch {
	struct watch_options options;
	struct serving *serving;
	struct requests *requests;
	struct marks *marks;
	struct tls *tls; /* NULL: it cannot be had, as the notice says */
	const char *no_tls; /* yet to be told; NULL: nothing */
	char why[256];
	bool tasks_told; /* that they cannot be told apart */
};

/* Errors in words in err. What it is given must outlive it. */
int watch_open(const struct watch_options *o, struct watch **ret, char *err, size_t errlen);
void watch_close(struct watch *w); /* NULL: nothing */

/* The time runs: the first facts of requests. The sink's error. */
int watch_begin(struct watch *w);

/*
 * A process; once more when it has executed another program. in: NULL when it is no
 * Python, or not known yet.  -errno.
 */
int watch_follow(struct watch *w, pid_t pid, const struct interpreter *in);

/* To be called often: reads what there is. -errno. */
int watch_consume(struct watch *w);
/* Milliseconds that may pass until then: at most `timeout_ms`. */
int watch_patience(const struct watch *w, int timeout_ms);
/*
 * About once a second, before function costs are told, as endpoints come before roots.
 * The sink's error.
 */
int watch_pass(struct watch *w, bool last);

/* For struct drain_ops and struct paths_options: arg is the watch. */
uint32_t watch_endpoint(void *watch, uint64_t class_id);

void watch_losses(const struct watch *w, uint64_t losses[LOSS_MAX]);
/* What the user should read, each once; NULL: nothing. */
const char *watch_notice(struct watch *w);

#endif
