/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the target paid for the line numbers that it handed to the probes.
 *
 * A calibration is made with an empty function, whose line table is searched to its
 * end in no time.  Here is what each node's calls cost beyond that, from where in
 * the code its probes fired (struct wire_search).
 */
#ifndef PYCOST_SEARCH_H
#define PYCOST_SEARCH_H

#include "symbolizer/line_table.h"
#include "userspace/calibrate.h"

struct wire_search;

/*
 * In units of the metric; below 0 when it was less than for an empty function.
 * lines NULL: not known, and taken for an empty function's.
 */
double search_of_returns(const struct wire_search *s, const struct line_table *lines,
			 const struct build_cost *cost);

/*
 * The same of its entries: of a generator, where s says, and not all of them are
 * calls; s NULL: of a function, all at its start.
 */
double search_of_entries(const struct wire_search *s, const struct line_table *lines,
			 uint64_t calls, const struct build_cost *cost);

/*
 * A generator's entries that are no calls: when it was made; below 0 when it was
 * thrown into.  0 of all else.
 */
int64_t search_lone_entries(const struct wire_search *s, uint64_t calls);

#endif
