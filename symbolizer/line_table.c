/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/line_table.h"

#include <errno.h>
#include <stdlib.h>

/* The state of a search that has passed one entry more. */
struct point {
	uint32_t position; /* the line of its range, or the address where that ends */
	uint32_t bytes;
};

struct line_table {
	double rest; /* the whole table over what was captured of it, at least 1 */
	uint32_t by_address;
	uint32_t n;
	struct point points[]; /* points[i]: i + by_address entries are passed */
};

/* Pairs of bytes: how far in the code, how many lines on (Objects/lnotab_notes.txt). */
static void pairs_read(struct line_table *t, uint32_t line, const uint8_t *data, size_t size)
{
	t->points[t->n++] = (struct point){.position = line};
	for (size_t i = 0; i + 1 < size; i += 2) {
		line += (int8_t)data[i + 1];
		t->points[t->n++] = (struct point){.position = line, .bytes = i + 2};
	}
}

/*
 * An entry begins with a byte that has its top bit set and says in its low three
 * how many code units of two bytes it is for; the other bytes have it clear.
 */
static void entries_read(struct line_table *t, const uint8_t *data, size_t size)
{
	uint32_t address = 0;

	for (size_t i = 0; i < size;) {
		address += ((data[i] & 7) + 1) * 2;
		do
			i++;
		while (i < size && !(data[i] & 0x80));
		t->points[t->n++] = (struct point){.position = address, .bytes = i};
	}
}

int line_table_read(int minor, uint32_t firstlineno, const uint8_t *data, size_t size,
		    size_t whole, struct line_table **ret)
{
	/* Of the older ones the first byte's top bit says nothing. */
	if (whole < size || (minor >= 11 && size && !(data[0] & 0x80)))
		return -EINVAL;
	*ret = calloc(1, sizeof(**ret) + (size + 1) * sizeof((*ret)->points[0]));
	if (!*ret)
		return -ENOMEM;
	(*ret)->rest = size ? (double)whole / size : 1;
	(*ret)->by_address = minor >= 11;
	if (minor >= 11)
		entries_read(*ret, data, size);
	else
		pairs_read(*ret, firstlineno, data, size);
	/* Never larger than before, so this cannot fail in earnest. */
	struct line_table *small =
		realloc(*ret, sizeof(**ret) + (*ret)->n * sizeof((*ret)->points[0]));
	if (small)
		*ret = small;
	return 0;
}

static struct line_search search_at(const struct line_table *t, uint32_t i)
{
	return (struct line_search){.entries = i + t->by_address, .bytes = t->points[i].bytes};
}

static struct line_search search_whole(const struct line_table *t)
{
	struct line_search s = {0};

	if (t->n)
		s = search_at(t, t->n - 1);
	s.entries *= t->rest;
	s.bytes *= t->rest;
	return s;
}

/* The first entry whose range ends behind the address. */
static struct line_search address_search(const struct line_table *t, double address)
{
	uint32_t low = 0, high = t->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (t->points[middle].position > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low < t->n ? search_at(t, low) : search_whole(t);
}

/*
 * The last range of the line, or of the nearest line before it.  Unless it is the
 * table's last, the search ends by reading one byte of the next.
 */
static struct line_search range_search(const struct line_table *t, double line)
{
	uint32_t best = 0;
	struct line_search s;

	for (uint32_t i = 1; i < t->n; i++)
		if (t->points[i].position <= line &&
		    t->points[i].position >= t->points[best].position)
			best = i;
	if (best + 1 == t->n)
		return search_whole(t);
	s = search_at(t, best);
	s.bytes++;
	return s;
}

struct line_search line_table_search(const struct line_table *t, double position)
{
	return t->by_address ? address_search(t, position) : range_search(t, position);
}
