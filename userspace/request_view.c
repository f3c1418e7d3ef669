/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/request_view.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "userspace/estimate.h"
#include "userspace/phase_plan.h"
#include "userspace/table.h"
#include "userspace/text.h"

#define CELLS_MAX TABLE_COLUMNS_MAX
#define CELL_SIZE 64
#define HOT_PERCENT 10
#define TAGS_SHOWN 16

unsigned request_columns_by_name(const char *name)
{
	static const struct {
		const char *name;
		unsigned columns;
	} names[] = {
		{ "cost", REQUEST_COLUMNS_COST },     { "latency", REQUEST_COLUMNS_LATENCY },
		{ "time", REQUEST_COLUMNS_TIME },     { "memory", REQUEST_COLUMNS_MEMORY },
		{ "backends", REQUEST_COLUMNS_BACKENDS }, { "all", REQUEST_COLUMNS_ALL },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(name, names[i].name))
			return names[i].columns;
	return 0;
}

/* Columns and one row's cells, made together so that they cannot differ. */
struct sheet {
	const struct request_table *t;
	const struct request_style *s;
	struct column columns[CELLS_MAX];
	char titles[REQUEST_BACKENDS * 2][CELL_SIZE];
	char cells[CELLS_MAX][CELL_SIZE];
	const char *v[CELLS_MAX];
	size_t count, title_count;
};

static char *cell(struct sheet *s, const char *title)
{
	s->columns[s->count] = (struct column){ title };
	s->v[s->count] = s->cells[s->count];
	return s->cells[s->count++];
}

/* What is a fraction of the unit is shown as such while it is all there is. */
static void amount(const struct sheet *s, char *out, double value, bool time)
{
	bool negative = value < 0;
	double size = fmin(fabs(value), 0x1p63);

	if (!time && size && size < 10 && size != floor(size))
		snprintf(out, CELL_SIZE, "%.2f", value);
	else {
		out[0] = '-';
		text_amount(out + negative, (uint64_t)(size + 0.5), time, s->s->style.exact);
	}
}

static bool cost_is_time(const struct sheet *s)
{
	return s->t->profile->meta.metric == METRIC_TASK_CLOCK;
}

static void rate_format(char *out, double rate)
{
	snprintf(out, CELL_SIZE, "%.*f", rate < 10 ? 2 : rate < 100 ? 1 : 0, rate);
}

static void error_format(char *out, double error, double mean)
{
	double percent = mean > 0 ? 100 * error / mean : INFINITY;

	if (!isfinite(error))
		strcpy(out, "?");
	else if (percent >= 100)
		strcpy(out, error > 0 ? ">99%" : "0%");
	else
		snprintf(out, CELL_SIZE, percent < 10 ? "%.1f%%" : "%.0f%%", percent);
}

static void cost_cells(struct sheet *s, const struct request_row *r)
{
	static const char *const titles[REQUEST_QUANTILES] = { "p50", "p90", "p99" };

	snprintf(cell(s, "share"), CELL_SIZE, "%.1f%%", request_row_share(s->t, r));
	amount(s, cell(s, "mean"), r->cost_mean, cost_is_time(s));
	error_format(cell(s, "\xc2\xb1"), r->cost_error, r->cost_mean);
	for (int q = 0; q < REQUEST_QUANTILES; q++)
		amount(s, cell(s, titles[q]), r->quantiles[DISTRIBUTION_COST][q], cost_is_time(s));
}

static void latency_cells(struct sheet *s, const struct request_row *r)
{
	static const char *const titles[REQUEST_QUANTILES] = { "lat p50", "lat p90", "lat p99" };

	for (int q = 0; q < REQUEST_QUANTILES; q++)
		amount(s, cell(s, titles[q]), r->quantiles[DISTRIBUTION_LATENCY][q], true);
}

/* An estimate, and marked as one, where the kernel's ticks tell it. */
static void system_cell(struct sheet *s, const struct request_row *r)
{
	char *out = cell(s, "sys calls");

	if (r->by_ticks)
		*out++ = '~';
	amount(s, out, request_row_mean(r, REQUEST_SYSCALL), true);
}

static void time_cells(struct sheet *s, const struct request_row *r)
{
	amount(s, cell(s, "cpu"), request_row_mean(r, REQUEST_CPU), true);
	amount(s, cell(s, "run queue"), request_row_mean(r, REQUEST_RUN_QUEUE), true);
	amount(s, cell(s, "blocked"), request_row_blocked(r), true);
	amount(s, cell(s, "GIL"), request_row_mean(r, REQUEST_GIL), true);
	system_cell(s, r);
	if (s->t->profile->meta.kernel_mode)
		amount(s, cell(s, "kernel"), request_row_mean(r, REQUEST_KERNEL_COST), false);
}

static void memory_cells(struct sheet *s, const struct request_row *r)
{
	amount(s, cell(s, "gc"), request_row_mean(r, REQUEST_GC), true);
	amount(s, cell(s, "gcs"), request_row_mean(r, REQUEST_GCS), false);
	amount(s, cell(s, "import"), request_row_mean(r, REQUEST_IMPORT), true);
	amount(s, cell(s, "imports"), request_row_mean(r, REQUEST_IMPORTS), false);
	amount(s, cell(s, "RSS+"), request_row_mean(r, REQUEST_RSS), false);
	amount(s, cell(s, "in"), request_row_mean(r, REQUEST_BYTES_IN), false);
	amount(s, cell(s, "out"), request_row_mean(r, REQUEST_BYTES_OUT), false);
}

/* Calls of each class of back ends and the time of those, of a request. */
static void backend_cells(struct sheet *s, const struct request_row *r)
{
	const struct profile_requests *q = &s->t->profile->requests;

	for (size_t b = 1; b < q->backend_count; b++) {
		double n = r->count ? r->count : 1;
		char *title;

		if (!s->t->total.backend_calls[b - 1])
			continue;
		title = s->titles[s->title_count++];
		snprintf(title, CELL_SIZE, "%.40s", q->backends[b].name);
		amount(s, cell(s, title), r->backend_calls[b - 1] / n, false);
		title = s->titles[s->title_count++];
		snprintf(title, CELL_SIZE, "%.40s time", q->backends[b].name);
		amount(s, cell(s, title), r->backend_ns[b - 1] / n, true);
	}
}

/* What is estimated is marked as such, and has its standard error beside it. */
static void count_cells(struct sheet *s, const struct request_row *r)
{
	const char *about = s->t->estimated ? "~" : "";

	snprintf(cell(s, "requests"), CELL_SIZE, "%s%.0f", about, r->estimate);
	if (s->t->estimated)
		error_format(cell(s, "SE"), r->estimate_error, r->estimate);
	rate_format(cell(s, "/s"), s->t->seconds > 0 ? r->estimate / s->t->seconds : 0);
	if (s->t->total.failed)
		snprintf(cell(s, "failed"), CELL_SIZE, "%s%.0f", about,
			 request_row_part(r, r->failed));
}

static void sheet_fill(struct sheet *s, const struct request_row *r)
{
	unsigned columns = s->s->columns;

	s->count = s->title_count = 0;
	count_cells(s, r);
	if (columns & REQUEST_COLUMNS_COST)
		cost_cells(s, r);
	if (columns & REQUEST_COLUMNS_LATENCY)
		latency_cells(s, r);
	if (columns & REQUEST_COLUMNS_TIME)
		time_cells(s, r);
	if (columns & REQUEST_COLUMNS_MEMORY)
		memory_cells(s, r);
	if (columns & REQUEST_COLUMNS_BACKENDS)
		backend_cells(s, r);
	for (size_t i = 0; i < s->s->by_count; i++) {
		const char *value = r->keys[i];

		s->columns[s->count] = (struct column){ s->s->by[i].name, true };
		s->v[s->count++] = value && *value ? value : "-";
	}
}

int request_print_table(const struct request_table *t, const struct request_style *style, FILE *out)
{
	struct sheet s = { .t = t, .s = style };
	size_t shown = t->row_count, limit = style->style.limit;
	struct table table;
	int err;

	if (limit && limit < shown)
		shown = limit;
	sheet_fill(&s, &t->total);
	table = (struct table){ .columns = s.columns, .column_count = s.count };
	for (size_t i = 0; i < shown; i++) {
		sheet_fill(&s, &t->rows[i]);
		table_add(&table, request_row_share(t, &t->rows[i]) >= HOT_PERCENT, s.v);
	}
	err = table_print(&table, out, style->style.width, style->style.color);
	if (shown < t->row_count)
		fprintf(out, "(%zu more rows: --limit 0 shows all)\n", t->row_count - shown);
	return err;
}

/* ---- around the table ---- */

static void print_cost(const struct request_table *t, const struct report_style *style, double value,
		       FILE *out)
{
	char text[TEXT_AMOUNT_SIZE];

	text_amount(text, fmin(fmax(value, 0), 0x1p63),
		    t->profile->meta.metric == METRIC_TASK_CLOCK, style->exact);
	fputs(text, out);
}

/* Requests' costs, and what the workers spent beside them, are all that they spent. */
static void print_workers(const struct request_table *t, const struct report_style *style, FILE *out)
{
	uint64_t total = t->workers_cost, within = t->workers_request_cost;
	char lives[256];

	worker_summary(t->profile, lives, sizeof(lives));
	if (*lives)
		fprintf(out, "workers:     %s\n", lives);
	if (!t->has_workers || !total)
		return;
	within = within < total ? within : total;
	fputs("total:       ", out);
	print_cost(t, style, total, out);
	fputs(" of all workers: ", out);
	print_cost(t, style, within, out);
	fprintf(out, " (%.1f %%) within requests and ", 100.0 * within / total);
	print_cost(t, style, total - within, out);
	fputs(" outside any", out);
	fputs(t->total.probed ? "; what the probes cost is still in these\n" : "\n", out);
}

static void print_tags(const struct profile *p, FILE *out)
{
	const struct sink_tags *t = &p->requests.tags[p->requests.common_tags];

	for (uint32_t i = 0; i < t->count && i < TAGS_SHOWN; i++)
		fprintf(out, "%s%s=%s", i ? ", " : "tags:        ", t->keys[i], t->values[i]);
	fputs(t->count ? "\n" : "", out);
}

/* How much of the time what follows is from. */
static void print_watched(const struct profile *p, FILE *out)
{
	const struct phase_times *t = &p->requests.phases;

	if (!p->meta.budget)
		return;
	fprintf(out, "watched:     %.3g %% of the time (budget %g %%)", 100 * phase_share(t),
		100.0 * p->meta.budget / BUDGET_UNIT);
	if (t->cpu_ns)
		fprintf(out, ", in %" PRIu64 " phases; it took about %.2g %% of the workers' CPU time",
			t->phases, 100.0 * t->cost_ns / t->cpu_ns);
	fputc('\n', out);
}

static void print_count(const struct request_table *t, FILE *out)
{
	const struct request_row *r = &t->total;
	const char *about = t->estimated ? "~" : "";
	char count[ESTIMATE_COUNT_SIZE];

	estimate_count_text(count, llround(r->estimate));
	fprintf(out, "requests:    %s%s", about, count);
	if (t->estimated) {
		estimate_count_text(count, r->count);
		fprintf(out, " \xc2\xb1 %.0f, of which %s were watched", r->estimate_error, count);
	}
	fprintf(out, ", %s%.1f/s", about, t->seconds > 0 ? r->estimate / t->seconds : 0);
	if (r->failed)
		fprintf(out, ", %s%.0f failed (status from 500 on, or none)", about,
			request_row_part(r, r->failed));
	if (r->aborted)
		fprintf(out, ", %s%.0f given up before their end", about,
			request_row_part(r, r->aborted));
	fputc('\n', out);
}

void request_print_header(const struct request_table *t, const struct report_style *style,
			  FILE *out)
{
	const struct sink_meta *meta = &t->profile->meta;
	time_t start = meta->start_realtime_ns / 1000000000;
	char when[64] = "";
	struct tm tm;

	fprintf(out, "metric:      %s (%s): %s\n", metric_name(meta->metric),
		metric_unit(meta->metric), report_metric_meaning(meta));
	if (start && !t->later && localtime_r(&start, &tm))
		strftime(when, sizeof(when), " from %Y-%m-%d %H:%M:%S", &tm);
	fprintf(out, "duration:    %.3f s%s%s%s%s%s\n", t->seconds, when, *meta->host ? " on " : "",
		meta->host, *meta->kernel ? ", Linux " : "", meta->kernel);
	print_tags(t->profile, out);
	print_watched(t->profile, out);
	print_count(t, out);
	print_workers(t, style, out);
	fputc('\n', out);
}

static void print_probed_note(const struct request_table *t, const char *warn, const char *end,
			      FILE *out)
{
	const struct request_row *r = &t->total;

	if (!r->probed)
		return;
	if (r->corrected)
		fprintf(out,
			"%snote: all requests were probed: the probes' own cost is taken out of sums "
			"and means by the calibration, and quantiles are scaled by as much; latencies "
			"have it in them%s%s\n",
			warn,
			t->profile->meta.metric == METRIC_TASK_CLOCK
				? ", and so has time on a CPU in part: what the programs themselves take"
				: "",
			end);
	else
		fprintf(out,
			"%snote: %" PRIu64 " of the requests were probed: means, errors and quantiles "
			"of cost are of the others where there are any%s\n",
			warn, r->probed, end);
}

void request_print_notes(const struct request_table *t, const struct recording_status *status,
			 const struct report_style *style, FILE *out)
{
	const char *warn = style->color ? "\033[33m" : "", *end = style->color ? "\033[0m" : "";

	if (!t->total.count)
		fprintf(out,
			"%sno request was seen: were the workers idle, or behind a protocol that is not "
			"HTTP/1.1 or uwsgi?%s\n",
			warn, end);
	else
		fputs("\nOf a request: mean cost with its 95 % confidence interval; a quantile is "
		      "exact to 1.6 %, beside what chance makes of it\n",
		      out);
	if (t->estimated)
		fputs("~ estimates of all requests, with their standard errors, from those that began "
		      "while it was watched\n",
		      out);
	if (status->corrupt)
		fprintf(out, "%sdamaged file: what came after byte %" PRIu64 " is missing%s\n", warn,
			status->corrupt_offset, end);
	else if (status->incomplete)
		fprintf(out,
			"%sincomplete: recorder did not finish; this is everything up to its last "
			"flush%s\n",
			warn, end);
	print_probed_note(t, warn, end, out);
	if (t->total.shared)
		fprintf(out,
			"%snote: requests with costs in them that could not be told from those of "
			"others: %" PRIu64 "%s\n",
			warn, t->total.shared, end);
	report_print_losses(t->profile->losses, style, out);
}
