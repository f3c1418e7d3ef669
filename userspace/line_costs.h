/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A function's samples by line, beside its source as far as there is any. */
#ifndef PYCOST_LINE_COSTS_H
#define PYCOST_LINE_COSTS_H

#include "userspace/places.h"
#include "userspace/source_text.h"

struct line_costs {
	struct place *lines; /* by line number; 0, when it is there, comes first */
	size_t count;
	const char *file;
	uint32_t first, last; /* lines of the function, as far as they are known */
	struct source_text source; /* empty when it cannot be read */
	char note[256]; /* why there is no source, or why not to trust it; "" */
};

/* all: places by line and by row. */
int line_costs_compute(const struct report *r, const struct places *all, uint32_t row,
		       struct line_costs *ret);
void line_costs_free(struct line_costs *c);

#endif
