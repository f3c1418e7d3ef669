/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `pycost top` shows, apart from where: the state that keys change, and
 * the text of each line.
 */
#ifndef PYCOST_TOP_H
#define PYCOST_TOP_H

#include <stdbool.h>
#include <stdio.h>

#include "userspace/interval.h"
#include "userspace/session.h"

/* What the user wants to see. */
struct top_state {
	enum report_sort sort;
	bool kernel; /* there is a column of kernel mode to sort by */
	bool has_requests; /* they are measured */
	bool requests;	   /* they are shown, instead of functions */
	enum request_sort request_sort;
	bool sampled; /* no calls are known to sort by */
	bool totals; /* since the start, instead of the last interval */
	bool paused;
	bool help;
	bool editing; /* the filter */
	bool quit;
	char filter[128];
	uint32_t detail; /* the row whose callers and callees are shown, 0: the list */
	size_t detail_scroll;
	/* The list: the selection stays on its function once it was moved. */
	size_t cursor, scroll;
	bool moved;
	uint32_t pinned, current; /* rows; 0: none */
};

/* One key as ncurses tells it; page: lines that the list has. */
void top_key(struct top_state *s, int key, size_t page);

/* Puts cursor and scroll where they belong in this list. */
void top_settle(struct top_state *s, const uint32_t *order, size_t count, size_t page);

/* Text: no line is wider than width columns; 0: no limit. */
#define TOP_HEADER_LINES 4
void top_print_header(FILE *out, const struct interval *v, const struct session_status *st,
		      bool totals, int width);
void top_print_titles(FILE *out, const struct interval *v, int width);
void top_print_row(FILE *out, const struct interval *v, uint32_t row, int width);
/* The callers and callees of a row, a line each. */
int top_print_detail(FILE *out, const struct interval *v, const struct top_state *s, int width);
/* A table of requests by endpoint: titles and rows, which the filter lets through. */
int top_print_requests(FILE *out, const struct interval *v, const struct top_state *s,
		       size_t limit, int width);
void top_print_help(FILE *out);
/* As a table for a pipe. */
int top_print_batch(FILE *out, const struct interval *v, const struct session_status *st,
		    const struct top_state *s, size_t limit);

#endif
