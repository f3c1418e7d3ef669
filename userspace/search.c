// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/search.h"

#include "bpf/wire.h"

static double beyond(const struct line_search *s, const struct line_search *empty,
		     const struct build_cost *cost)
{
	return (s->entries - empty->entries) * cost->per_entry +
	       (s->bytes - empty->bytes) * cost->per_byte;
}

static double at(const struct line_table *lines, double position, const struct line_search *empty,
		 const struct build_cost *cost)
{
	struct line_search found;

	if (!lines || position >= WIRE_NO_LINE)
		return 0;
	found = line_table_search(lines, position);
	return beyond(&found, empty, cost);
}

static double all(const struct wire_search *s, const struct line_table *lines,
		  const struct line_search *empty, const struct build_cost *cost)
{
	double sum = 0;

	for (int i = 0; i < 2; i++)
		if (s->position[i])
			sum += s->count[i] * at(lines, s->position[i] - 1.0, empty, cost);
	if (s->others)
		sum += s->others *
		       at(lines, (double)s->other_positions / s->others, empty, cost);
	return sum;
}

double search_of_returns(const struct wire_search *s, const struct line_table *lines,
			 const struct build_cost *cost)
{
	return all(s, lines, &cost->empty_return, cost) + s->shims * cost->lone_return;
}

int64_t search_lone_entries(const struct wire_search *s, uint64_t calls)
{
	return (uint64_t)s->count[0] + s->count[1] + s->others - calls;
}

double search_of_entries(const struct wire_search *s, const struct line_table *lines,
			 uint64_t calls, const struct build_cost *cost)
{
	/* More than calls: 3.15 fires one when a generator is made, too. */
	return all(s, lines, &cost->empty_entry, cost) +
	       search_lone_entries(s, calls) * cost->lone_entry;
}
