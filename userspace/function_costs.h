/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The call tree added up by function, and by caller and callee.
 *
 * Recursion counts as cProfile does it: a function's cumulative cost is that of
 * its outermost activations only, its primitive calls those with no activation
 * of itself above; the same holds for an edge and its pair of functions.
 *
 * The same function in several processes, or under several ids, is one row: a
 * row is known by its display name, file and line.
 */
#ifndef PYCOST_FUNCTION_COSTS_H
#define PYCOST_FUNCTION_COSTS_H

#include "userspace/call_tree.h"
#include "userspace/cost.h"

struct call_costs {
	uint64_t calls;
	uint64_t primitive_calls;
	uint64_t self;
	uint64_t self_raw;
	uint64_t cumulative;
	uint64_t cumulative_raw;
	/* Standard errors that the calibration, or chance (estimate.h), leaves in the two. */
	double self_error;
	double cumulative_error;
	/* The same in kernel mode; 0 when that was not counted. */
	uint64_t kernel_self;
	uint64_t kernel_self_raw;
	uint64_t kernel_cumulative;
	uint64_t kernel_cumulative_raw;
	double kernel_self_error;
	double kernel_cumulative_error;
	/* Of a sampled measurement, what the estimates are made of; calls are unknown, and 0. */
	uint64_t samples;
	uint64_t cumulative_samples;
};

struct function_row {
	const char *name;  /* "module.Class.method", "timed.<locals>.wrapper → Shop.checkout" */
	uint32_t function; /* its first id */
	struct call_costs costs;
};

struct function_edge {
	uint32_t caller; /* rows */
	uint32_t callee;
	struct call_costs costs;
};

/* Row 0 is the code outside any Python function: the self cost of the roots. */
struct function_costs {
	struct function_row *rows; /* in the order of their first ids */
	size_t row_count;	   /* counts row 0 */
	struct function_edge *edges; /* by caller, then callee */
	size_t edge_count;
	uint32_t *row_of; /* by function id */
	struct arena names;
};

/* kernel: costs in kernel mode, NULL when they were not counted. */
int function_costs_compute(const struct profile *p, const struct costs *c,
			   const struct costs *kernel, const struct call_tree *t,
			   struct function_costs *ret);
void function_costs_free(struct function_costs *fc);

#endif
