/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The searches of all nodes, as they go on: what was told of each, and what is new.
 *
 * Where a node's probes fired is asked of the kernel at its first time, every few
 * passes, and at the end; in between a call is taken for an average one.  So the
 * totals are right whenever it was asked, and a system call for each node a pass
 * is spared.
 */
#ifndef PYCOST_SEARCHES_H
#define PYCOST_SEARCHES_H

#include <stdbool.h>
#include <stdint.h>

struct build_cost;
struct kernel;
struct line_table;
struct searches;
struct sink_cost;

int searches_new(const struct kernel *k, struct searches **ret);
void searches_free(struct searches *s);

/* A pass over the nodes begins; the last one asks for them all. */
void searches_pass(struct searches *s, bool last);

/*
 * Fills in the searches of what `fact` says of a node, whose calls are `calls` by
 * now.  lines NULL: not known.
 */
void searches_tell(struct searches *s, uint32_t node, uint64_t calls,
		   const struct line_table *lines, const struct build_cost *cost,
		   struct sink_cost *fact);

/* The node is another one's from now on. */
void searches_forget(struct searches *s, uint32_t node);

#endif
