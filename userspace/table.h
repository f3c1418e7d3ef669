/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text in aligned columns. */
#ifndef PYCOST_TABLE_H
#define PYCOST_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "userspace/arena.h"

#define TABLE_COLUMNS_MAX 128

struct column {
	const char *title;
	bool text; /* left-aligned, and cut when the terminal is too narrow */
};

struct table {
	const struct column *columns;
	size_t column_count;
	/* private */
	struct arena strings;
	const char **cells;
	bool *hot;
	size_t row_count;
	size_t row_capacity;
	bool failed;
};

/* One cell for each column, copied.  Lack of memory shows in table_print. */
void table_add(struct table *t, bool hot, const char *const *cells);

/* width 0: as wide as it gets.  Frees the table. */
int table_print(struct table *t, FILE *out, int width, bool color);

#endif
