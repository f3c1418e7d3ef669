/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Imports and collections: for people, as JSON and as CSV. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "userspace/csv.h"
#include "userspace/estimate.h"
#include "userspace/event_table.h"
#include "userspace/export_json_parts.h"
#include "userspace/table.h"
#include "userspace/text.h"

#define NUMBERS_MAX 6
#define HOT_PERCENT 10

static double share(const struct event_table *t, const struct event_row *r)
{
	/* Where the metric was not counted, time is what is left. */
	if (t->total.cost)
		return 100.0 * r->cost / t->total.cost;
	return t->total.ns ? 100.0 * r->ns / t->total.ns : 0;
}

/* Of several modules together, what they import in turn would count more than once. */
static bool has_whole(const struct event_table *t)
{
	for (size_t i = 0; i < t->by_count; i++)
		if (t->by[i] == EVENT_MODULE)
			return t->kind == EVENT_IMPORT;
	return false;
}

void event_print_header(const struct event_table *t, const struct report_style *style, FILE *out)
{
	const struct sink_meta *meta = &t->profile->meta;
	char count[ESTIMATE_COUNT_SIZE], cost[TEXT_AMOUNT_SIZE], time[TEXT_AMOUNT_SIZE];

	estimate_count_text(count, t->total.count);
	text_amount(cost, t->total.cost, meta->metric == METRIC_TASK_CLOCK, style->exact);
	text_amount(time, t->total.ns, true, style->exact);
	fprintf(out, "metric:      %s (%s): %s\n", metric_name(meta->metric),
		metric_unit(meta->metric), report_metric_meaning(meta));
	fprintf(out, "duration:    %.3f s\n", t->profile->duration_ns / 1e9);
	fprintf(out, "%s %s, %s in %s\n\n",
		t->kind == EVENT_IMPORT ? "imports:    " : "collections:", count, cost, time);
}

/* The row's numbers, each with its title; how many. */
static size_t numbers_fill(const struct event_table *t, const struct event_row *r, bool exact,
			   char cells[NUMBERS_MAX][TEXT_AMOUNT_SIZE], const char **titles)
{
	bool time = t->profile->meta.metric == METRIC_TASK_CLOCK;
	size_t n = 0;

	titles[n] = t->kind == EVENT_IMPORT ? "imports" : "collections";
	snprintf(cells[n++], TEXT_AMOUNT_SIZE, "%" PRIu64, r->count);
	titles[n] = "cost";
	text_amount(cells[n++], r->cost, time, exact);
	titles[n] = "share";
	snprintf(cells[n++], TEXT_AMOUNT_SIZE, "%.1f%%", share(t, r));
	titles[n] = "time";
	text_amount(cells[n++], r->ns, true, exact);
	if (t->kind == EVENT_COLLECTION) {
		titles[n] = "objects freed";
		snprintf(cells[n++], TEXT_AMOUNT_SIZE, "%" PRIu64, r->collected);
	} else if (has_whole(t)) {
		titles[n] = "whole cost";
		text_amount(cells[n++], r->whole_cost, time, exact);
		titles[n] = "whole time";
		text_amount(cells[n++], r->whole_ns, true, exact);
	}
	return n;
}

int event_print_table(const struct event_table *t, const struct report_style *style, FILE *out)
{
	struct column columns[NUMBERS_MAX + EVENT_FIELDS] = { 0 };
	char cells[NUMBERS_MAX][TEXT_AMOUNT_SIZE];
	const char *titles[NUMBERS_MAX], *v[NUMBERS_MAX + EVENT_FIELDS];
	size_t shown = t->row_count, n;
	struct table table;
	int err;

	if (style->limit && style->limit < shown)
		shown = style->limit;
	n = numbers_fill(t, &t->total, style->exact, cells, titles);
	for (size_t i = 0; i < n; i++)
		columns[i].title = titles[i];
	for (size_t i = 0; i < t->by_count; i++)
		columns[n + i] = (struct column){ event_field_names[t->by[i]], true };
	table = (struct table){ .columns = columns, .column_count = n + t->by_count };
	for (size_t i = 0; i < shown; i++) {
		numbers_fill(t, &t->rows[i], style->exact, cells, titles);
		for (size_t j = 0; j < n; j++)
			v[j] = cells[j];
		for (size_t j = 0; j < t->by_count; j++)
			v[n + j] = t->rows[i].keys[j];
		table_add(&table, share(t, &t->rows[i]) >= HOT_PERCENT, v);
	}
	err = table_print(&table, out, style->width, style->color);
	if (shown < t->row_count)
		fprintf(out, "(%zu more rows: --limit 0 shows all)\n", t->row_count - shown);
	if (t->kind == EVENT_IMPORT)
		fprintf(out, "\ncost and time are of the module's own code%s\n",
			has_whole(t) ? "; whole is with the modules that it imports in turn" : "");
	return err;
}

static json_t *row_json(const struct event_table *t, const struct event_row *r, bool keyed)
{
	json_t *row = json_pack("{s:o, s:o, s:o, s:f}", "count", json_count(r->count), "cost",
				json_count(r->cost), "ns", json_count(r->ns), "share", share(t, r));

	for (size_t i = 0; keyed && row && i < t->by_count; i++)
		json_object_set_new(row, event_field_names[t->by[i]], json_string(r->keys[i]));
	if (row && t->kind == EVENT_COLLECTION)
		json_object_set_new(row, "collected", json_count(r->collected));
	if (row && has_whole(t)) {
		json_object_set_new(row, "whole_cost", json_count(r->whole_cost));
		json_object_set_new(row, "whole_ns", json_count(r->whole_ns));
	}
	return row;
}

int event_json(const struct event_table *t, const struct recording_status *status, size_t limit,
	       FILE *out)
{
	const struct sink_meta *meta = &t->profile->meta;
	json_t *rows = json_array(), *json;

	for (size_t i = 0; rows && i < t->row_count && (!limit || i < limit); i++)
		json_array_append_new(rows, row_json(t, &t->rows[i], true));
	json = json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:o}", "metric", metric_name(meta->metric),
			 "unit", metric_unit(meta->metric), "complete",
			 !status->corrupt && !status->incomplete, "duration_ns",
			 json_count(t->profile->duration_ns), "total", row_json(t, &t->total, false),
			 "rows", rows, "losses", json_losses(t->profile->losses));
	return json_print(json, out);
}

int event_csv(const struct event_table *t, size_t limit, FILE *out)
{
	for (size_t i = 0; i < t->by_count; i++)
		csv_text(out, !i, event_field_names[t->by[i]]);
	fputs(t->kind == EVENT_IMPORT ? ",count,cost,ns,share,whole_cost,whole_ns\n"
				      : ",count,cost,ns,share,collected\n",
	      out);
	for (size_t i = 0; i < t->row_count && (!limit || i < limit); i++) {
		const struct event_row *r = &t->rows[i];

		for (size_t j = 0; j < t->by_count; j++)
			csv_text(out, !j, r->keys[j]);
		csv_count(out, r->count);
		csv_count(out, r->cost);
		csv_count(out, r->ns);
		csv_number(out, share(t, r));
		if (t->kind == EVENT_COLLECTION) {
			csv_count(out, r->collected);
		} else {
			csv_number(out, has_whole(t) ? r->whole_cost : NAN);
			csv_number(out, has_whole(t) ? r->whole_ns : NAN);
		}
		fputc('\n', out);
	}
	return 0;
}
