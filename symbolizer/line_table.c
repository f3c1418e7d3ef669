/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/line_table.h"

#include <errno.h>
#include <stdlib.h>

/* The state of a search that has passed one entry more. */
struct point {
	uint32_t position; /* the line of its range, or the address where that ends */
	float cost;	   /* so far */
};

struct line_table {
	double rest;	/* the whole table over what was captured of it, at least 1 */
	double too_far; /* what it costs to see that an entry is too far; by line only */
	uint32_t by_address;
	uint32_t n;
	struct point points[];
};

static void point_add(struct line_table *t, uint32_t position, double cost)
{
	float before = t->n ? t->points[t->n - 1].cost : 0;

	t->points[t->n++] = (struct point){position, before + cost};
}

/* Pairs of bytes: how far in the code, how many lines on. */
static void pairs_read(struct line_table *t, uint32_t line, const uint8_t *data, size_t size,
		       const struct line_costs *costs)
{
	t->too_far = costs->of[LINE_TOO_FAR];
	point_add(t, line, 0);
	for (size_t i = 0; i + 1 < size; i += 2) {
		line += (int8_t)data[i + 1];
		point_add(t, line, costs->of[LINE_PAIR]);
	}
}

static double entry_cost(uint8_t first, size_t length, const struct line_costs *costs)
{
	static const enum line_form forms[] = {[10] = LINE_SAME, LINE_NEXT, LINE_SECOND,
					       LINE_NO_COLUMNS, LINE_LONG_5, LINE_NONE};
	unsigned code = first >> 3 & 15;

	if (code < 10)
		return costs->of[LINE_SHORT];
	if (forms[code] != LINE_LONG_5 || length <= 5)
		return costs->of[forms[code]];
	if (length <= 8)
		return costs->of[LINE_LONG_5 + length - 5];
	return costs->of[LINE_LONG_8] +
	       (length - 8) * (costs->of[LINE_LONG_8] - costs->of[LINE_LONG_7]);
}

/*
 * An entry begins with a byte that has its top bit set and says in its low three
 * how many code units of two bytes it is for; the other bytes have it clear.
 */
static void entries_read(struct line_table *t, const uint8_t *data, size_t size,
			 const struct line_costs *costs)
{
	uint32_t address = 0;

	for (size_t i = 0, next; i < size; i = next) {
		for (next = i + 1; next < size && !(data[next] & 0x80);)
			next++;
		address += ((data[i] & 7) + 1) * 2;
		point_add(t, address, entry_cost(data[i], next - i, costs));
	}
}

int line_table_read(int minor, uint32_t firstlineno, const uint8_t *data, size_t size,
		    size_t whole, const struct line_costs *costs, struct line_table **ret)
{
	struct line_table *t, *small;

	/* Of the older ones the first byte's top bit says nothing. */
	if (whole < size || (minor >= 11 && size && !(data[0] & 0x80)))
		return -EINVAL;
	t = calloc(1, sizeof(*t) + (size + 1) * sizeof(t->points[0]));
	if (!t)
		return -ENOMEM;
	t->rest = size ? (double)whole / size : 1;
	t->by_address = minor >= 11;
	if (t->by_address)
		entries_read(t, data, size, costs);
	else
		pairs_read(t, firstlineno, data, size, costs);
	small = realloc(t, sizeof(*t) + t->n * sizeof(t->points[0]));
	*ret = small ? small : t;
	return 0;
}

static double search_whole(const struct line_table *t)
{
	return t->n ? t->points[t->n - 1].cost * t->rest : 0;
}

/* The first entry whose range ends behind the address. */
static double address_search(const struct line_table *t, double address)
{
	uint32_t low = 0, high = t->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (t->points[middle].position > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low < t->n ? t->points[low].cost : search_whole(t);
}

/*
 * The last range of the line, or of the nearest line before it.  Unless it is the
 * table's last, the next one is looked at, too.
 */
static double line_search(const struct line_table *t, double line)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < t->n; i++)
		if (t->points[i].position <= line &&
		    t->points[i].position >= t->points[best].position)
			best = i;
	return best + 1 == t->n ? search_whole(t) : t->points[best].cost + t->too_far;
}

double line_table_search(const struct line_table *t, double position)
{
	return t->by_address ? address_search(t, position) : line_search(t, position);
}

/* Up to 3.9 it looks for address -1, which the first entry is too far for. */
double line_table_start(const struct line_table *t)
{
	if (t->by_address)
		return address_search(t, 0);
	return t->n > 1 ? t->too_far : 0;
}
