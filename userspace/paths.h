/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From samples to the sink: call paths become nodes, and what was found at them is
 * told as differences, a pass at a time.
 */
#ifndef PYCOST_PATHS_H
#define PYCOST_PATHS_H

#include <stdbool.h>
#include <stdint.h>

#include "userspace/sink.h"

struct codes;
struct line_store;
struct paths;
struct sample_natives;
struct samples;

/* Whose samples these are. */
struct path_owner {
	uint32_t pid;
	uint32_t serial; /* no other process or program has it, though it have the PID */
	const bool *refused; /* what walks it turned out to be wrong; NULL: nothing does */
	const char *interpreter; /* the object Python's own functions are in; "" */
};

struct paths_options {
	struct sink *sink;
	struct codes *codes;
	struct line_store *lines;
	struct sample_natives *natives; /* NULL: none are told */
	uint32_t max_nodes; /* 0: WIRE_DEFAULT_NODES */
	bool per_thread;
	/* NULL: the sink has not been told of such a process. */
	const struct path_owner *(*owner)(void *arg, uint32_t tgid);
	/* Does the process of this serial still run? */
	bool (*lives)(void *arg, uint32_t serial);
	void *arg;
	/* The endpoint of a class of requests, told before; 0: not yet.  NULL: none are told. */
	uint32_t (*endpoint)(void *arg, uint64_t class_id);
	void *endpoint_arg;
};

int paths_new(const struct paths_options *options, struct paths **ret);
void paths_free(struct paths *p);

/*
 * Takes the samples of a pass, and empties them.  What waits for its names, a pass at
 * most, is put into `later`, which is empty; NULL: nothing waits, as nothing of the
 * process `settled` does, 0: of none.  The sink's error.
 */
int paths_take(struct paths *p, struct samples *samples, struct samples *later, uint32_t settled);

uint64_t paths_samples(const struct paths *p); /* so far */
uint32_t paths_nodes(const struct paths *p);   /* told so far */
/* Adds its losses to these. */
void paths_losses(const struct paths *p, uint64_t losses[LOSS_MAX]);

#endif
