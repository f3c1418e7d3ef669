/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The views for people: functions, callers and callees, the call tree. */
#include <inttypes.h>
#include <stdlib.h>

#include "userspace/report.h"
#include "userspace/request_field.h"
#include "userspace/table.h"
#include "userspace/text.h"

#define CELL_SIZE 64
#define HOT_PERCENT 10
/* Deeper levels are numbered instead of indented. */
#define INDENT_MAX 40

static const struct column columns[] = {
	{ "calls" },	  { "self" },  { "\xc2\xb1" },		{ "self %" },
	{ "cumulative" }, { "cum %" }, { "function", true }, { "file:line", true },
};
#define COLUMNS (sizeof(columns) / sizeof(*columns))
/* With those of kernel mode before the names. */
static const struct column kernel_columns[] = {
	{ "calls" }, { "self" }, { "\xc2\xb1" }, { "self %" }, { "cumulative" }, { "cum %" },
	{ "kernel" }, { "\xc2\xb1" }, { "cum kernel" }, { "function", true }, { "file:line", true },
};
#define KERNEL_COLUMNS (sizeof(kernel_columns) / sizeof(*kernel_columns))

/* Of samples no calls are known, and each estimate has its error. */
static const struct column sampled_columns[] = {
	{ "samples" }, { "self" }, { "\xc2\xb1" }, { "self %" }, { "cum" }, { "\xc2\xb1" },
	{ "cum %" }, { "function", true }, { "file:line", true },
};
#define SAMPLED_COLUMNS (sizeof(sampled_columns) / sizeof(*sampled_columns))

static struct table table_of(const struct report *r)
{
	if (report_is_sampled(r))
		return (struct table){ .columns = sampled_columns,
				       .column_count = SAMPLED_COLUMNS };
	if (report_has_kernel(r))
		return (struct table){ .columns = kernel_columns, .column_count = KERNEL_COLUMNS };
	return (struct table){ .columns = columns, .column_count = COLUMNS };
}

/* "file:line" in malloc()ed memory, NULL without any. */
static char *location_format(const struct sink_function *f)
{
	char *location = NULL;

	if (*f->file && asprintf(&location, f->line ? "%s:%" PRIu32 : "%s", f->file, f->line) < 0)
		return NULL;
	return location;
}

/* The error of a self cost as a share of it; "" when it is exact. */
static void error_format(char *ret, size_t size, uint64_t self, uint64_t self_raw, double error)
{
	double percent = self ? 100 * error / self : 100;

	if (!error || (!self && !self_raw))
		*ret = 0;
	else if (percent >= 100)
		snprintf(ret, size, ">99%%");
	else
		snprintf(ret, size, percent < 1 ? "%.1f%%" : "%.0f%%", percent);
}

static void costs_add(struct table *t, const struct report *r, const struct report_style *style,
		      const struct call_costs *costs, const char *name, uint32_t function)
{
	bool time = r->profile->meta.metric == METRIC_TASK_CLOCK;
	char calls[CELL_SIZE], self_percent[CELL_SIZE], cumulative_percent[CELL_SIZE];
	char self[TEXT_AMOUNT_SIZE], cumulative[TEXT_AMOUNT_SIZE];
	double percent = report_percent(r, costs->self);
	char error[CELL_SIZE], kernel_error[CELL_SIZE];
	char kernel[TEXT_AMOUNT_SIZE], kernel_cumulative[TEXT_AMOUNT_SIZE];
	const char *cells[KERNEL_COLUMNS] = { calls, self, error, self_percent, cumulative };
	char cumulative_error[CELL_SIZE];
	size_t n = 5;
	char *location = location_format(&r->profile->functions[function]);

	snprintf(calls, sizeof(calls), "%" PRIu64,
		 report_is_sampled(r) ? costs->samples : costs->calls);
	text_amount(self, costs->self, time, style->exact);
	text_amount(cumulative, costs->cumulative, time, style->exact);
	error_format(error, sizeof(error), costs->self, costs->self_raw, costs->self_error);
	snprintf(self_percent, sizeof(self_percent), "%.1f", percent);
	snprintf(cumulative_percent, sizeof(cumulative_percent), "%.1f",
		 report_percent(r, costs->cumulative));
	if (report_is_sampled(r)) {
		error_format(cumulative_error, sizeof(cumulative_error), costs->cumulative,
			     costs->cumulative_raw, costs->cumulative_error);
		cells[n++] = cumulative_error;
	}
	cells[n++] = cumulative_percent;
	if (report_has_kernel(r)) {
		text_amount(kernel, costs->kernel_self, false, style->exact);
		text_amount(kernel_cumulative, costs->kernel_cumulative, false, style->exact);
		error_format(kernel_error, sizeof(kernel_error), costs->kernel_self,
			     costs->kernel_self_raw, costs->kernel_self_error);
		cells[n++] = kernel;
		cells[n++] = kernel_error;
		cells[n++] = kernel_cumulative;
	}
	cells[n++] = name;
	cells[n] = location ? location : "";
	table_add(t, percent >= HOT_PERCENT, cells);
	free(location);
}

int report_print_functions(const struct report *r, const struct report_style *style, FILE *out)
{
	struct table t = table_of(r);
	size_t shown = r->order_count;
	int err;

	if (style->limit && style->limit < shown)
		shown = style->limit;
	for (size_t i = 0; i < shown; i++) {
		const struct function_row *row = &r->functions.rows[r->order[i]];

		costs_add(&t, r, style, &row->costs, row->name, row->function);
	}
	err = table_print(&t, out, style->width, style->color);
	if (shown < r->order_count)
		fprintf(out, "... and %zu more functions (--limit 0 shows all)\n",
			r->order_count - shown);
	return err;
}

int report_print_edges(const struct report *r, const struct report_style *style, uint32_t row,
		       bool callers, FILE *out)
{
	const struct function_costs *fc = &r->functions;
	struct table t = table_of(r);
	size_t found = 0;

	fprintf(out, "%s %s:\n", fc->rows[row].name,
		callers ? "is called by (self and cumulative are its own, under that caller)"
			: "calls");
	for (size_t i = 0; i < fc->edge_count; i++) {
		const struct function_edge *edge = &fc->edges[i];
		const struct function_row *other;

		if ((callers ? edge->callee : edge->caller) != row)
			continue;
		other = &fc->rows[callers ? edge->caller : edge->callee];
		costs_add(&t, r, style, &edge->costs, other->name, other->function);
		found++;
	}
	if (!found)
		fputs("  nothing\n", out);
	return found ? table_print(&t, out, style->width, style->color) : 0;
}

/* "    name" for a call, "python3 (pid 7): GET /" for a root; malloc()ed. */
static char *tree_label(const struct report *r, const struct call_walk *walk)
{
	const struct profile_node *node = &r->profile->nodes[walk->node];
	const struct sink_process *process = &r->profile->processes[node->process];
	int indent = walk->depth > INDENT_MAX ? INDENT_MAX : walk->depth - 1;
	char note[CELL_SIZE] = "", endpoint[REQUEST_FIELD_SIZE];
	char *label;
	int size;

	endpoint_text(r->profile, node->endpoint, endpoint);
	if (node->function) {
		if (walk->depth > INDENT_MAX)
			snprintf(note, sizeof(note), "(%" PRIu32 ") ", walk->depth);
		size = asprintf(&label, "%*s%s%s", 2 * indent, "", note,
				report_row(r, walk->node)->name);
	} else {
		if (node->tid)
			snprintf(note, sizeof(note), ", thread %" PRIu32, node->tid);
		size = asprintf(&label, "%s (pid %" PRIu32 "%s)%s%s", process->comm, process->pid,
				note, node->endpoint ? ": " : "", node->endpoint ? endpoint : "");
	}
	return size < 0 ? NULL : label;
}

/* A path's own figures, as far as a tree shows them. */
static struct call_costs path_costs(const struct report *r, uint32_t node)
{
	const struct profile_node *n = &r->profile->nodes[node];
	struct call_costs costs = {
		.calls = n->calls,
		.self = r->costs.self[node],
		.cumulative = r->costs.cumulative[node],
	};

	if (report_is_sampled(r)) {
		costs.samples = n->samples;
		costs.self_error = r->costs.self_error[node];
		costs.cumulative_error = r->costs.cumulative_error[node];
	}
	if (report_has_kernel(r)) {
		costs.kernel_self = r->kernel.self[node];
		costs.kernel_cumulative = r->kernel.cumulative[node];
	}
	return costs;
}

int report_print_tree(const struct report *r, const struct report_style *style, FILE *out)
{
	struct call_walk walk = { &r->tree, r->profile->nodes };
	struct table t = table_of(r);
	size_t shown = 0;

	while (call_walk_next(&walk)) {
		const struct profile_node *node = &r->profile->nodes[walk.node];
		struct call_costs costs = path_costs(r, walk.node);
		char *label;

		if (walk.leaving)
			continue;
		if (report_percent(r, costs.cumulative) < style->min_percent &&
		    report_kernel_percent(r, costs.kernel_cumulative) < style->min_percent) {
			walk.leaving = true;
			continue;
		}
		if (style->limit && shown++ == style->limit)
			break;
		label = tree_label(r, &walk);
		costs_add(&t, r, style, &costs, label ? label : "", node->function);
		free(label);
	}
	return table_print(&t, out, style->width, style->color);
}
