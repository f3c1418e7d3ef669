/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the kernel's call tree at intervals and tells the sink what is new.
 */
#ifndef PYCOST_DRAIN_H
#define PYCOST_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

struct build_cost;
struct codes;
struct counter;
struct drain;
struct kernel;
struct sink;

struct drain_ops {
	/* Has the sink been told of this process?  Asked before its first node. */
	bool (*knows)(void *arg, uint32_t tgid);
	/* What a probed call costs there; NULL: not calibrated. */
	const struct build_cost *(*cost)(void *arg, uint32_t tgid);
	void *arg;
	/* The endpoint of a class of requests, told before; 0: not yet. */
	uint32_t (*endpoint)(void *arg, uint64_t class_id);
	void *endpoint_arg;
};

int drain_new(struct kernel *k, struct codes *codes, struct sink *sink,
	      const struct drain_ops *ops, struct drain **ret);
void drain_free(struct drain *d);

/* A node waits for its names, or its endpoint's, for a pass; after that it goes without. */
int drain_run(struct drain *d);

/*
 * The last pass: nothing waits, and the calls still on a stack are given what
 * they have cost until now.
 */
int drain_finish(struct drain *d, const struct counter *counter);

/* After a process's end, and a pass since: its nodes go back to the kernel. */
void drain_recycle(struct drain *d, uint32_t tgid);

uint64_t drain_calls(const struct drain *d); /* seen so far */
uint32_t drain_nodes(const struct drain *d); /* call paths told so far */

#endif
