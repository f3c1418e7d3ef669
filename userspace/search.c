// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/search.h"

#include "bpf/wire.h"

static double at(const struct line_table *lines, double position, double empty)
{
	if (!lines)
		return 0;
	if (position >= WIRE_NO_LINE)
		return line_table_start(lines) - empty;
	return line_table_search(lines, position) - empty;
}

static double all(const struct wire_search *s, const struct line_table *lines, double empty)
{
	double sum = 0;

	for (int i = 0; i < 2; i++)
		if (s->key[i])
			sum += s->count[i] * at(lines, s->position[i], empty);
	if (s->others)
		sum += s->others * at(lines, (double)s->other_positions / s->others, empty);
	return sum;
}

double search_of_returns(const struct wire_search *s, const struct line_table *lines,
			 const struct build_cost *cost)
{
	return all(s, lines, cost->empty_return) + s->shims * cost->lone_return;
}

static uint64_t fired(const struct wire_search *s)
{
	return s->count[0] + s->count[1] + s->others;
}

int64_t search_lone_entries(const struct wire_search *s, uint64_t calls)
{
	return fired(s) ? fired(s) - calls : 0;
}

double search_of_entries(const struct wire_search *s, const struct line_table *lines,
			 uint64_t calls, const struct build_cost *cost)
{
	if (!s)
		return lines ? calls * (line_table_start(lines) - cost->empty_entry) : 0;
	/* More than calls: 3.15 fires one when a generator is made, too. */
	return all(s, lines, cost->empty_entry) + ((double)fired(s) - calls) * cost->lone_entry;
}
