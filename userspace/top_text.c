// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/counter_share.h"
#include "userspace/estimate.h"
#include "userspace/table.h"
#include "userspace/text.h"
#include "userspace/top.h"

#define NUMBERS_MAX 6
#define COLUMNS_MAX (NUMBERS_MAX + 2)
#define GAP 2
#define NAME_MIN 20
#define HOT_PERCENT 10

/* Numbers, then function and place. */
struct shape {
	struct column columns[COLUMNS_MAX];
	int widths[NUMBERS_MAX]; /* fixed, so that columns stand still from one interval to the next */
	int numbers;
};

static const struct shape usual = {
	.columns = {{"calls/s"}, {"self"}, {"self %"}, {"cumulative"}, {"cum %"},
		    {"function", true}, {"file:line", true}},
	.widths = {9, 8, 6, 10, 6},
	.numbers = 5,
};
/* Without a share of the cumulative cost, so that names have room. */
static const struct shape with_kernel = {
	.columns = {{"calls/s"}, {"self"}, {"self %"}, {"cumulative"}, {"kernel"}, {"cum kernel"},
		    {"function", true}, {"file:line", true}},
	.widths = {9, 8, 6, 10, 8, 10},
	.numbers = 6,
};

/* Estimates: no calls, but how far the cost may be off. */
static const struct shape sampled = {
	.columns = {{"samples"}, {"self"}, {"self %"}, {"\xc2\xb1"}, {"cumulative"}, {"cum %"},
		    {"function", true}, {"file:line", true}},
	.widths = {7, 8, 6, 4, 10, 6},
	.numbers = 6,
};

static const struct shape *shape_of(const struct interval *v)
{
	if (report_is_sampled(&v->report))
		return &sampled;
	return v->profile->meta.kernel_mode ? &with_kernel : &usual;
}

struct cells {
	char numbers[NUMBERS_MAX][TEXT_AMOUNT_SIZE];
	char *location; /* NULL: out of memory, or nowhere */
	const char *v[COLUMNS_MAX];
};

static void rate_format(char out[TEXT_AMOUNT_SIZE], uint64_t calls, double seconds)
{
	double rate = seconds > 0 ? calls / seconds : 0;

	snprintf(out, TEXT_AMOUNT_SIZE, "%.*f", rate && rate < 10 ? 1 : 0, rate);
}

static void numbers_format(struct cells *c, const struct interval *v, const struct call_costs *costs)
{
	bool time = v->profile->meta.metric == METRIC_TASK_CLOCK;

	rate_format(c->numbers[0], costs->calls, v->seconds);
	text_amount(c->numbers[1], costs->self, time, false);
	snprintf(c->numbers[2], TEXT_AMOUNT_SIZE, "%.1f", report_percent(&v->report, costs->self));
	text_amount(c->numbers[3], costs->cumulative, time, false);
	if (v->profile->meta.kernel_mode) {
		text_amount(c->numbers[4], costs->kernel_self, false, false);
		text_amount(c->numbers[5], costs->kernel_cumulative, false, false);
	} else {
		snprintf(c->numbers[4], TEXT_AMOUNT_SIZE, "%.1f",
			 report_percent(&v->report, costs->cumulative));
	}
}

/* The error is in points of the share before it. */
static void estimates_format(struct cells *c, const struct interval *v,
			     const struct call_costs *costs)
{
	bool time = v->profile->meta.metric == METRIC_TASK_CLOCK;
	uint64_t all = report_samples(&v->report);

	snprintf(c->numbers[0], TEXT_AMOUNT_SIZE, "%" PRIu64, costs->samples);
	text_amount(c->numbers[1], costs->self, time, false);
	snprintf(c->numbers[2], TEXT_AMOUNT_SIZE, "%.1f", report_percent(&v->report, costs->self));
	snprintf(c->numbers[3], TEXT_AMOUNT_SIZE, "%.1f",
		 estimate_percent_error(costs->samples, all));
	text_amount(c->numbers[4], costs->cumulative, time, false);
	snprintf(c->numbers[5], TEXT_AMOUNT_SIZE, "%.1f",
		 report_percent(&v->report, costs->cumulative));
}

static void cells_format(struct cells *c, const struct interval *v, const struct call_costs *costs,
			 uint32_t row)
{
	const struct function_row *r = &v->report.functions.rows[row];
	const struct sink_function *f = &v->profile->functions[r->function];
	int n = shape_of(v)->numbers;

	if (report_is_sampled(&v->report))
		estimates_format(c, v, costs);
	else
		numbers_format(c, v, costs);
	c->location = NULL;
	if (*f->file && asprintf(&c->location, f->line ? "%s:%" PRIu32 : "%s", f->file, f->line) < 0)
		c->location = NULL;
	for (int i = 0; i < n; i++)
		c->v[i] = c->numbers[i];
	c->v[n] = r->name;
	c->v[n + 1] = c->location ? c->location : "";
}

/* Numbers first; then the name takes three fifths of what is left. */
static void line_print(FILE *out, const struct shape *s, const char *const *cells, int width)
{
	int left = width, name;

	for (int i = 0; i < s->numbers; i++) {
		int used = text_width(cells[i]);
		int pad = s->widths[i] > used ? s->widths[i] - used : 0;

		fprintf(out, "%*s%s%*s", pad, "", cells[i], GAP, "");
		left -= pad + used + GAP;
	}
	name = (left - GAP) * 3 / 5;
	name = name < NAME_MIN ? NAME_MIN : name;
	name = name > left && left > 0 ? left : name;
	text_print_field(out, cells[s->numbers], width ? name : 0);
	left -= name + GAP;
	if (!width || left > 0) {
		fprintf(out, "%*s", GAP, "");
		text_print_field(out, cells[s->numbers + 1], width ? left : 0);
	}
	fputc('\n', out);
}

void top_print_titles(FILE *out, const struct interval *v, int width)
{
	const struct shape *s = shape_of(v);
	const char *titles[COLUMNS_MAX];

	for (int i = 0; i < s->numbers + 2; i++)
		titles[i] = s->columns[i].title;
	line_print(out, s, titles, width);
}

static void costs_print(FILE *out, const struct interval *v, const struct call_costs *costs,
			uint32_t row, int width)
{
	struct cells c;

	cells_format(&c, v, costs, row);
	line_print(out, shape_of(v), c.v, width);
	free(c.location);
}

void top_print_row(FILE *out, const struct interval *v, uint32_t row, int width)
{
	costs_print(out, v, &v->report.functions.rows[row].costs, row, width);
}

static int edges_print(FILE *out, const struct interval *v, const struct top_state *s, bool callers,
		       int width)
{
	uint32_t *order;
	size_t count;
	int err = interval_edges(v, s->sort, s->detail, callers, &order, &count);

	if (err)
		return err;
	for (size_t i = 0; i < count; i++) {
		const struct function_edge *edge = &v->report.functions.edges[order[i]];

		costs_print(out, v, &edge->costs, callers ? edge->caller : edge->callee, width);
	}
	if (!count)
		fputs("  nothing\n", out);
	free(order);
	return 0;
}

int top_print_detail(FILE *out, const struct interval *v, const struct top_state *s, int width)
{
	int err;

	top_print_row(out, v, s->detail, width);
	fputs("\nis called by (self and cumulative are its own, under that caller)\n", out);
	err = edges_print(out, v, s, true, width);
	fputs("\ncalls\n", out);
	return err ? err : edges_print(out, v, s, false, width);
}

void top_print_help(FILE *out)
{
	fputs("s c n          sort by self cost, cumulative cost, number of calls\n"
	      "r              requests, or functions again (with --requests); there s c n l sort by\n"
	      "               cost, cost of one, number, 99th percentile of latency\n"
	      "/              show functions whose name or file contains a text; Esc clears it\n"
	      "t              since the start, or the last interval\n"
	      "p              pause the display; measuring goes on\n"
	      "Up Down        select a function (also k j, PgUp PgDn, Home End)\n"
	      "Enter          its callers and callees; Enter or Esc goes back\n"
	      "q              quit\n\n"
	      "self           cost of the function's own code\n"
	      "cumulative     with that of all it calls\n"
	      "kernel         with --kernel: what the kernel did for it, counted apart; K sorts by it\n"
	      "The cost of the probes themselves is taken out of all.\n"
	      "Of samples      no calls are known, and \xc2\xb1 is the standard error of the share.\n",
	      out);
}

/* ---- the header ---- */

static void print_amount(FILE *out, const struct interval *v, uint64_t amount)
{
	char text[TEXT_AMOUNT_SIZE];

	text_amount(text, amount, v->profile->meta.metric == METRIC_TASK_CLOCK, false);
	fputs(text, out);
}

static void print_kernel_total(FILE *out, const struct interval *v)
{
	if (!report_has_kernel(&v->report))
		return;
	fputs(" and ", out);
	print_amount(out, v, v->report.kernel.cumulative[0]);
	fputs(" in kernel mode", out);
}

static void print_scope(FILE *out, const struct interval *v, const struct session_status *st,
			bool totals)
{
	char rate[TEXT_AMOUNT_SIZE], samples[ESTIMATE_COUNT_SIZE];

	rate_format(rate, v->calls, v->seconds);
	estimate_count_text(samples, report_samples(&v->report));
	fprintf(out, "%s %.1f s: %s %s, ", totals ? "all" : "last", v->seconds,
		report_is_sampled(&v->report) ? samples : rate,
		report_is_sampled(&v->report) ? "samples" : "calls/s");
	print_amount(out, v, v->report.costs.cumulative[0]);
	print_kernel_total(out, v);
	fprintf(out, " (%.1f %% outside any Python function); %u of %u process%s alive\n",
		report_percent(&v->report, v->report.functions.rows[0].costs.self), st->targets, st->followed,
		st->followed == 1 ? "" : "es");
}

static void print_calibration(FILE *out, const struct interval *v)
{
	const struct profile *p = v->profile;
	uint64_t measured = v->report.costs.cumulative_raw[0];
	bool any = false;

	for (size_t i = 1; i < p->calibration_count; i++) {
		const struct sink_calibration *c = &p->calibrations[i];

		if (!v->report.costs.calibrated_calls[i])
			continue;
		fprintf(out, "%s%.0f %s a call (Python %s)", any ? ", " : "calibration takes out ",
			c->entry + c->exit, metric_unit(p->meta.metric), c->python);
		any = true;
	}
	if (any)
		fprintf(out, ": %.0f %% of what was measured%s\n",
			measured ? 100.0 * v->taken_out / measured : 0,
			v->report.costs.calibrated_calls[0] ? "; some processes uncalibrated" : "");
	else
		fputs("uncalibrated: costs include the probes' own\n", out);
}

static void print_sampling(FILE *out, const struct interval *v)
{
	char period[96];

	estimate_period_text(period, sizeof(period), &v->profile->meta);
	fprintf(out, "sampled: %s; estimates, \xc2\xb1 one standard error\n", period);
}

static void print_losses(FILE *out, const struct session_status *st)
{
	char share[128];
	bool any = counter_share_text(st->losses, share, sizeof(share));
	const char *between = any ? "; " : "lost: ";

	if (any)
		fprintf(out, "lost: %s", share);
	for (int i = 1; i < LOSS_MAX; i++)
		if (st->losses[i] && i != LOSS_MULTIPLEXED) {
			fprintf(out, "%s%s %" PRIu64, between, loss_name(i), st->losses[i]);
			between = ", ";
			any = true;
		}
	fputs(any ? "\n" : "nothing lost\n", out);
}

/* Here the reason is known; a recording has only that there was one. */
static void print_metric(FILE *out, const struct sink_meta *meta, const struct session_status *st)
{
	const char *why = st->fallback_reason ? st->fallback_reason : st->caution;
	struct sink_meta plain = *meta;

	plain.metric_fallback = meta->metric_fallback && !why;
	fprintf(out, "pycost top: %s%s%s, %s%s%s\n", metric_name(meta->metric),
		meta->kernel_mode ? " and " : "",
		meta->kernel_mode ? metric_kernel_name(meta->metric) : "",
		report_metric_meaning(&plain), why ? ": " : "", why ? why : "");
}

void top_print_header(FILE *out, const struct interval *v, const struct session_status *st,
		      bool totals, int width)
{
	char *text = NULL, *rest, *line;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return;
	print_metric(f, &v->profile->meta, st);
	print_scope(f, v, st, totals);
	if (report_is_sampled(&v->report))
		print_sampling(f, v);
	else
		print_calibration(f, v);
	print_losses(f, st);
	fclose(f);
	for (rest = text; rest && (line = strsep(&rest, "\n")) && rest;)
		fprintf(out, "%.*s\n", (int)(width ? text_prefix(line, width) : strlen(line)), line);
	free(text);
}

int top_print_batch(FILE *out, const struct interval *v, const struct session_status *st,
		    const struct top_state *s, size_t limit)
{
	const struct shape *shape = shape_of(v);
	struct table t = {.columns = shape->columns, .column_count = shape->numbers + 2};
	uint32_t *order;
	size_t count;
	int err = interval_order(v, s->sort, s->filter, &order, &count);

	if (err)
		return err;
	top_print_header(out, v, st, s->totals, 0);
	if (s->requests) {
		free(order);
		return top_print_requests(out, v, s, limit, 0);
	}
	for (size_t i = 0; i < count && (!limit || i < limit); i++) {
		const struct call_costs *costs = &v->report.functions.rows[order[i]].costs;
		struct cells c;

		cells_format(&c, v, costs, order[i]);
		table_add(&t, report_percent(&v->report, costs->self) >= HOT_PERCENT, c.v);
		free(c.location);
	}
	free(order);
	return table_print(&t, out, 0, false);
}
