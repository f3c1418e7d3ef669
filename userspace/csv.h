/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comma-separated values, by RFC 4180 but for the line's end, which is a newline. */
#ifndef PYCOST_CSV_H
#define PYCOST_CSV_H

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

/* A field, with a comma before it unless it is the line's first. */
static inline void csv_text(FILE *out, bool first, const char *s)
{
	fputs(first ? "\"" : ",\"", out);
	for (; *s; s++) {
		if (*s == '"')
			fputc('"', out);
		fputc(*s, out);
	}
	fputc('"', out);
}

static inline void csv_count(FILE *out, uint64_t value)
{
	fprintf(out, ",%" PRIu64, value);
}

/* Empty when it is not known. */
static inline void csv_number(FILE *out, double value)
{
	if (isfinite(value))
		fprintf(out, ",%.10g", value);
	else
		fputc(',', out);
}

#endif
