/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of requests and workers: for people, as JSON and as CSV. */
#ifndef PYCOST_REQUEST_VIEW_H
#define PYCOST_REQUEST_VIEW_H

#include <stdio.h>

#include "userspace/recording.h"
#include "userspace/report.h"
#include "userspace/request_table.h"

/* Columns that are shown together. */
#define REQUEST_COLUMNS_COST 0x1
#define REQUEST_COLUMNS_LATENCY 0x2
#define REQUEST_COLUMNS_TIME 0x4     /* where it went: CPU, queue, GIL… */
#define REQUEST_COLUMNS_MEMORY 0x8   /* garbage, imports, growth, bytes */
#define REQUEST_COLUMNS_BACKENDS 0x10
#define REQUEST_COLUMNS_ALL 0x1f
/* "cost", "latency", "time", "memory", "backends", "all"; 0: none of them. */
unsigned request_columns_by_name(const char *name);

struct request_style {
	struct report_style style; /* min_percent means nothing */
	const struct request_field *by;
	size_t by_count;
	unsigned columns; /* REQUEST_COLUMNS_* */
};

/* What was measured, of how many requests, and what of the workers' cost is theirs. */
void request_print_header(const struct request_table *t, const struct report_style *style,
			  FILE *out);
int request_print_table(const struct request_table *t, const struct request_style *s, FILE *out);
/* The losses, and what is to be minded in the numbers. */
void request_print_notes(const struct request_table *t, const struct recording_status *status,
			 const struct report_style *style, FILE *out);

/* All that is known, in full, whatever the columns; limit holds. */
int request_json(const struct request_table *t, const struct recording_status *status,
		 const struct request_style *s, FILE *out);
int request_csv(const struct request_table *t, const struct request_style *s, FILE *out);

/* The lives of the workers. */
int worker_print(const struct profile *p, const struct report_style *style, FILE *out);
int worker_json(const struct profile *p, const struct recording_status *status, FILE *out);
int worker_csv(const struct profile *p, FILE *out);
/* "3 of 5 alive, 2 forks, 1 killed by SIGKILL"… for headers; "" when none was told. */
void worker_summary(const struct profile *p, char *out, size_t size);

#endif
