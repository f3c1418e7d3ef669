/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers for people and for spreadsheets. What came over a wire is not believed to be an
 * answer: -EBADMSG where it is none.
 */
#ifndef PYCOST_QUERY_VIEW_H
#define PYCOST_QUERY_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct query_style {
	int width; /* 0: no limit */
	bool color;
	bool exact; /* numbers in full */
	bool wide;  /* details, too */
};

/* 0 or -errno; -ENODATA: it has no rows, and says when there would be some. */
int query_print_table(const json_t *answer, const struct query_style *style, FILE *out);
int query_print_csv(const json_t *answer, FILE *out);

/* "folded", "pprof" or "speedscope", of paths; err in words. -ENOENT: no such format. */
int query_export(const json_t *answer, const char *format, FILE *out, char *err, size_t errlen);

/* "no data ...: there is some since ...": with rows, "". */
void query_no_data_text(const json_t *answer, char *text, size_t size);

#endif
