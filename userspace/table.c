/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/table.h"
#include "userspace/text.h"

#define GAP 2
#define TEXT_MIN 12

static int table_grow(struct table *t)
{
	size_t capacity = t->row_capacity * 2 + 32;
	const char **cells = reallocarray(t->cells, capacity * t->column_count, sizeof(*cells));
	bool *hot;

	if (!cells)
		return -ENOMEM;
	t->cells = cells;
	hot = reallocarray(t->hot, capacity, sizeof(*hot));
	if (!hot)
		return -ENOMEM;
	t->hot = hot;
	t->row_capacity = capacity;
	return 0;
}

void table_add(struct table *t, bool hot, const char *const *cells)
{
	if (!t->failed && t->row_count == t->row_capacity && table_grow(t) < 0)
		t->failed = true;
	for (size_t i = 0; !t->failed && i < t->column_count; i++) {
		size_t size = strlen(cells[i]) + 1;
		char *copy = arena_alloc(&t->strings, size);

		if (copy)
			memcpy(copy, cells[i], size);
		else
			t->failed = true;
		t->cells[t->row_count * t->column_count + i] = copy;
	}
	if (!t->failed)
		t->hot[t->row_count++] = hot;
}

/* Narrows text columns from the last one on, as far as they stay readable. */
static void widths_fit(const struct table *t, int *widths, int width)
{
	int excess = -width;

	for (size_t i = 0; i < t->column_count; i++)
		excess += widths[i] + (i ? GAP : 0);
	for (size_t i = t->column_count; i-- > 0 && excess > 0;) {
		int spare = widths[i] - TEXT_MIN;

		if (!t->columns[i].text || spare <= 0)
			continue;
		spare = spare < excess ? spare : excess;
		widths[i] -= spare;
		excess -= spare;
	}
}

static void row_print(const struct table *t, FILE *out, const char *const *cells,
		      const int *widths)
{
	for (size_t i = 0; i < t->column_count; i++) {
		bool last = i + 1 == t->column_count;
		int used = text_width(cells[i]);

		if (last && !used)
			break;
		fprintf(out, "%*s", i ? GAP : 0, "");
		if (!t->columns[i].text)
			fprintf(out, "%*s%s", widths[i] > used ? widths[i] - used : 0, "",
				cells[i]);
		else if (last && used <= widths[i])
			fputs(cells[i], out);
		else
			text_print_field(out, cells[i], widths[i]);
	}
	fputc('\n', out);
}

int table_print(struct table *t, FILE *out, int width, bool color)
{
	const char *titles[TABLE_COLUMNS_MAX];
	int widths[TABLE_COLUMNS_MAX];
	int err = t->failed ? -ENOMEM : 0;

	for (size_t i = 0; i < t->column_count; i++) {
		titles[i] = t->columns[i].title;
		widths[i] = text_width(titles[i]);
		for (size_t row = 0; row < t->row_count; row++) {
			int used = text_width(t->cells[row * t->column_count + i]);

			widths[i] = used > widths[i] ? used : widths[i];
		}
	}
	if (width)
		widths_fit(t, widths, width);
	fputs(color ? "\033[1m" : "", out);
	row_print(t, out, titles, widths);
	fputs(color ? "\033[0m" : "", out);
	for (size_t row = 0; !err && row < t->row_count; row++) {
		bool hot = color && t->hot[row];

		fputs(hot ? "\033[31m" : "", out);
		row_print(t, out, t->cells + row * t->column_count, widths);
		fputs(hot ? "\033[0m" : "", out);
	}
	arena_free(&t->strings);
	free(t->cells);
	free(t->hot);
	return err;
}
