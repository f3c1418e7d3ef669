/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Endpoints: what requests are for, by few enough names.
 *
 * In this order: what the application says itself (a mark); the first of the user's
 * patterns that the path matches; the path with what varies in it as '*', as the kernel
 * makes it (see http.bpf.h). No more than a number of endpoints is kept apart, of which
 * paths without a pattern get three quarters; the rest is "other". Methods beyond those of
 * RFC 9110 and PATCH are one.
 *
 * The kernel's classes of requests are finer: all of one endpoint are made one there.
 */
#ifndef PYCOST_ROUTES_H
#define PYCOST_ROUTES_H

#include <stdint.h>

#include "bpf/wire_request.h"

struct request_config;
struct routes;
struct sink;
struct tag_sets;

struct routes_options {
	const struct request_config *config; /* finished; kept */
	struct sink *sink;
	struct tag_sets *tags;
	/* Makes a class of the kernel's another; may be NULL. */
	int (*canonical)(void *arg, uint64_t class_id, uint64_t canonical);
	void *arg;
};

int routes_new(const struct routes_options *o, struct routes **ret);
void routes_free(struct routes *r);

/*
 * A class is announced: all sizes in it must have been checked. -ENOMEM, or the sink's
 * error, which the others return too.
 */
int routes_class(struct routes *r, const struct wire_event_class *c);

/* The class's endpoint, told to the sink; 0: it has not been announced. */
int routes_class_endpoint(struct routes *r, uint64_t class_id, uint32_t *ret);

/* That of a request, whose sizes have been checked. */
int routes_endpoint(struct routes *r, const struct wire_request *q, uint32_t *ret);

/* What an endpoint is called, for as long as the routes live; "" of 0. */
const char *routes_name(const struct routes *r, uint32_t endpoint);
const char *routes_method(const struct routes *r, uint32_t endpoint);

/* Requests that are of "other", as there were too many endpoints. */
uint64_t routes_beyond(const struct routes *r);

#endif
