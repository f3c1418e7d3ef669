/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything a view or an exporter needs to know, computed once. */
#ifndef PYCOST_REPORT_H
#define PYCOST_REPORT_H

#include <stdio.h>

#include "userspace/function_costs.h"
#include "userspace/recording.h"

enum report_sort {
	SORT_SELF,
	SORT_CUMULATIVE,
	SORT_CALLS,
	SORT_KERNEL, /* self and cumulative, in kernel mode */
	SORT_KERNEL_CUMULATIVE,
};
#define SORTS (SORT_KERNEL_CUMULATIVE + 1)
/* As options name them. */
extern const char *const report_sort_names[SORTS];
/* Takes kernel mode to have been counted. */
bool report_sort_is_kernel(enum report_sort sort);

struct report {
	const struct profile *profile;
	struct recording_status status;
	bool raw; /* nothing was corrected because nobody wanted it */
	struct costs costs;
	struct costs kernel; /* in kernel mode; empty when that was not counted */
	struct call_tree tree;
	struct function_costs functions;
	uint32_t *order; /* rows with any cost, the greatest first; not row 0 */
	size_t order_count;
	uint64_t losses[LOSS_MAX];
};

int report_compute(const struct profile *p, const struct recording_status *status, bool raw,
		   enum report_sort sort, struct report *ret);
void report_free(struct report *r);
/* The part of it that makes the order, of functions that are there. */
int report_order(struct report *r, enum report_sort sort);

/* Whether there are costs in kernel mode. */
bool report_has_kernel(const struct report *r);
/* Whether costs are estimates, from how many samples in all. */
bool report_is_sampled(const struct report *r);
uint64_t report_samples(const struct report *r);

/* What a row or edge is sorted by. */
uint64_t report_sort_key(const struct call_costs *costs, enum report_sort sort);

/* The costs of calls from outside any Python function are edges of row 0. */
const struct function_row *report_row(const struct report *r, uint32_t node);

/* How the views for people look. */
struct report_style {
	int width;	    /* 0: no limit */
	bool color;
	bool exact;	    /* numbers in full */
	size_t limit;	    /* rows, 0: all */
	double min_percent; /* of a tree's nodes */
};

/* "time on CPU, not instructions" */
const char *report_metric_meaning(const struct sink_meta *meta);

/* Of a sampled recording, how; a part of the header. */
int report_print_sampling(const struct report *r, FILE *out);
void report_print_header(const struct report *r, const struct report_style *style, FILE *out);
/* What the numbers do not tell: one sentence for each kind of loss. */
void report_print_notes(const struct report *r, const struct report_style *style, FILE *out);
/* The part of them that is known without a report. */
void report_print_losses(const uint64_t losses[LOSS_MAX], const struct report_style *style, FILE *out);
int report_print_functions(const struct report *r, const struct report_style *style, FILE *out);
int report_print_tree(const struct report *r, const struct report_style *style, FILE *out);
/* Who calls a row (callers) or what it calls. */
int report_print_edges(const struct report *r, const struct report_style *style, uint32_t row,
		       bool callers, FILE *out);

/*
 * Of a sampled recording: the innermost native functions, the opcodes, and the source
 * with what each line cost.  Of each of some rows; without any (row_count 0), of
 * everything, which the last cannot.
 */
int report_print_natives(const struct report *r, const struct report_style *style,
			 const uint32_t *rows, size_t row_count, FILE *out);
int report_print_opcodes(const struct report *r, const struct report_style *style,
			 const uint32_t *rows, size_t row_count, FILE *out);
int report_print_lines(const struct report *r, const struct report_style *style,
		       const uint32_t *rows, size_t row_count, FILE *out);

/*
 * Rows whose qualname, module.qualname or whole name is the given one; without
 * any, those whose name contains it.  None at all is -ENOENT, with the nearest
 * names in err.  *ret_rows is to be freed.
 */
int report_find(const struct report *r, const char *name, uint32_t **ret_rows,
		size_t *ret_count, char *err, size_t errlen);

/* Shares of everything that was measured, in percent. */
double report_percent(const struct report *r, uint64_t cost);
double report_kernel_percent(const struct report *r, uint64_t cost);

#endif
