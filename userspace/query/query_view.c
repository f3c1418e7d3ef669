/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/query/query_view.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "userspace/csv.h"
#include "userspace/fleet/batch.h"
#include "userspace/query/query_time.h"
#include "userspace/table.h"
#include "userspace/text.h"

#define CELL_SIZE 512
#define HOT_PERCENT 10
#define LOSSES_SHOWN 8
#define PEAKS_SHOWN 20

struct view_column {
	const char *name, *unit;
	bool error, hidden;
};

struct view {
	const json_t *columns, *rows;
	const struct query_style *style;
	struct view_column list[TABLE_COLUMNS_MAX];
	size_t count;
	int metric; /* its column; -1: none */
	FILE *out;
};

static const char *text_at(const json_t *row, size_t at)
{
	const char *text = json_string_value(json_array_get(row, at));

	return text ? text : "";
}

/* What is the same in all rows is said once, above. */
static bool is_constant(const struct view *v, size_t at)
{
	const json_t *first = json_array_get(json_array_get(v->rows, 0), at), *row;
	size_t i;

	json_array_foreach((json_t *)v->rows, i, row)
		if (!json_equal((json_t *)first, json_array_get(row, at)))
			return false;
	return true;
}

static bool is_zero(const struct view *v, size_t at)
{
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)v->rows, i, row)
		if (json_number_value(json_array_get(row, at)) != 0)
			return false;
	return true;
}

static bool is_unknown(const struct view *v, size_t at)
{
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)v->rows, i, row)
		if (json_is_number(json_array_get(row, at)))
			return false;
	return true;
}

static bool hides(const struct view *v, const struct view_column *c, size_t at, bool detail)
{
	if (!strcmp(c->name, TAG_KEY_METRIC) || !strcmp(c->name, TAG_KEY_MODE))
		return is_constant(v, at);
	if (v->style->wide)
		return false;
	if (c->error)
		return is_unknown(v, at);
	/* Calls of samples, samples of what is exact, failures where there are none. */
	if (!strcmp(c->name, "calls") || !strcmp(c->name, "samples") || !strcmp(c->name, "failed"))
		return is_zero(v, at);
	return detail;
}

static int view_read(const json_t *answer, const struct query_style *style, FILE *out,
		     struct view *ret)
{
	struct view v = { json_object_get(answer, "columns"), json_object_get(answer, "rows"),
			  style, .metric = -1, .out = out };
	const json_t *column, *row;
	size_t i;

	if (!json_is_array(v.columns) || !json_is_array(v.rows))
		return -EBADMSG;
	v.count = json_array_size(v.columns);
	json_array_foreach((json_t *)v.rows, i, row)
		if (json_array_size(row) != v.count)
			return -EBADMSG;
	json_array_foreach((json_t *)v.columns, i, column) {
		struct view_column *c = &v.list[i];

		if (i == TABLE_COLUMNS_MAX)
			return -EBADMSG;
		c->name = json_string_value(json_object_get(column, "name"));
		c->unit = json_string_value(json_object_get(column, "unit"));
		if (!c->name || !c->unit)
			return -EBADMSG;
		c->error = json_is_true(json_object_get(column, "error"));
		c->hidden = hides(&v, c, i, json_is_true(json_object_get(column, "detail")));
		if (!strcmp(c->name, TAG_KEY_METRIC))
			v.metric = i;
	}
	*ret = v;
	return 0;
}

/* ---- one cell ---- */

static bool is_time(const struct view *v, const struct view_column *c, const json_t *row)
{
	if (!strcmp(c->unit, "ns"))
		return true;
	return !strcmp(c->unit, "cost") && v->metric >= 0 &&
	       !strcmp(text_at(row, v->metric), metric_name(METRIC_TASK_CLOCK));
}

/* What is a fraction of the unit is shown as such while it is all there is. */
static void number_format(const struct view *v, double value, bool time, char *out)
{
	double size = fmin(fabs(value), 0x1p63);
	char *at = out;

	if (!time && size && size < 10 && size != floor(size)) {
		snprintf(out, CELL_SIZE, "%.2f", value);
		return;
	}
	if (value < 0)
		*at++ = '-';
	text_amount(at, (uint64_t)(size + 0.5), time, v->style->exact);
}

/* An error is shown as a share of what it is the error of: the column before it. */
static void error_format(const json_t *row, size_t at, char *out)
{
	double value = json_number_value(json_array_get(row, at - 1));
	const json_t *error = json_array_get(row, at);
	double percent = value > 0 ? 100 * json_number_value(error) / value : 0;

	if (!json_is_number(error))
		strcpy(out, "?");
	else if (!json_number_value(error))
		strcpy(out, "0%");
	else if (percent >= 100 || value <= 0)
		strcpy(out, ">99%");
	else
		snprintf(out, CELL_SIZE, percent < 10 ? "%.1f%%" : "%.0f%%", percent);
}

static void backends_format(const struct view *v, const json_t *backends, char *out)
{
	const char *name, *comma = "";
	size_t used = 0;
	json_t *value;

	json_object_foreach((json_t *)backends, name, value) {
		char ns[TEXT_AMOUNT_SIZE];
		double time = json_number_value(json_object_get(value, "ns"));

		text_amount(ns, fmin(fmax(time, 0), 0x1p63), true, v->style->exact);
		if (used < CELL_SIZE)
			used += snprintf(out + used, CELL_SIZE - used,
					 "%s%.40s %" JSON_INTEGER_FORMAT " in %s", comma, name,
					 json_integer_value(json_object_get(value, "calls")), ns);
		comma = ", ";
	}
}

static void cell_format(const struct view *v, const json_t *row, size_t at, char *out)
{
	const struct view_column *c = &v->list[at];
	const json_t *value = json_array_get(row, at);

	strcpy(out, "-");
	if (c->error && at)
		error_format(row, at, out);
	else if (json_is_string(value))
		snprintf(out, CELL_SIZE, "%s",
			 *json_string_value(value) ? json_string_value(value) : "-");
	else if (json_is_object(value))
		backends_format(v, value, out);
	else if (!json_is_number(value))
		return;
	else if (!strcmp(c->unit, "percent"))
		snprintf(out, CELL_SIZE, "%.1f%%", json_number_value(value));
	else if (!strcmp(c->unit, "time"))
		query_time_text(out, fmax(json_number_value(value), 0));
	else if (!strcmp(c->unit, "line") || !strcmp(c->unit, "id"))
		snprintf(out, CELL_SIZE, "%.0f", json_number_value(value));
	else
		number_format(v, json_number_value(value), is_time(v, c, row), out);
}

/* ---- the table ---- */

/* "cost_p50" is "cost p50": a title is for people. */
static const char *title_of(const struct view *v, size_t at, char titles[][64])
{
	char *title = titles[at];
	bool key = !strcmp(v->list[at].unit, "text");

	if (v->list[at].error)
		return "\xc2\xb1";
	snprintf(title, 64, "%s", v->list[at].name);
	for (char *c = title; !key && *c; c++)
		*c = *c == '_' ? ' ' : *c;
	return title;
}

static bool is_left(const struct view_column *c)
{
	return !strcmp(c->unit, "text") || !strcmp(c->unit, "backends");
}

/* Times first, then numbers, then texts, which may be long. */
static size_t order_find(const struct view *v, size_t *order)
{
	size_t count = 0;

	for (int pass = 0; pass < 3; pass++)
		for (size_t i = 0; i < v->count; i++) {
			bool time = !strcmp(v->list[i].unit, "time") && !i;
			int of = time ? 0 : is_left(&v->list[i]) ? 2 : 1;

			if (of == pass && !v->list[i].hidden)
				order[count++] = i;
		}
	return count;
}

static bool is_hot(const struct view *v, const json_t *row)
{
	for (size_t i = 0; i < v->count; i++)
		if (!strcmp(v->list[i].unit, "percent"))
			return json_number_value(json_array_get(row, i)) >= HOT_PERCENT;
	return false;
}

static int table_fill(const struct view *v)
{
	char titles[TABLE_COLUMNS_MAX][64], cells[TABLE_COLUMNS_MAX][CELL_SIZE];
	struct column columns[TABLE_COLUMNS_MAX];
	const char *shown[TABLE_COLUMNS_MAX];
	size_t order[TABLE_COLUMNS_MAX], count = order_find(v, order), i;
	struct table table = { .columns = columns, .column_count = count };
	const json_t *row;

	for (i = 0; i < count; i++) {
		columns[i] = (struct column){ title_of(v, order[i], titles),
					      is_left(&v->list[order[i]]) };
		shown[i] = cells[i];
	}
	json_array_foreach((json_t *)v->rows, i, row) {
		for (size_t c = 0; c < count; c++)
			cell_format(v, row, order[c], cells[c]);
		table_add(&table, is_hot(v, row), shown);
	}
	return table_print(&table, v->out, v->style->width, v->style->color);
}

/* ---- around it ---- */

static uint64_t time_of(const json_t *answer, const char *name)
{
	return fmax(json_number_value(json_object_get(answer, name)), 0);
}

static void print_head(const struct view *v, const json_t *answer)
{
	char since[QUERY_TIME_SIZE], until[QUERY_TIME_SIZE], step[QUERY_TIME_SIZE];
	const json_t *row = json_array_get(v->rows, 0);

	query_time_text(since, time_of(answer, "since"));
	query_time_text(until, time_of(answer, "until"));
	query_span_text(step, time_of(answer, "step"));
	fprintf(v->out, "%s to %s UTC", since, until);
	if (time_of(answer, "step"))
		fprintf(v->out, ", by %s", step);
	for (size_t i = 0; i < v->count; i++)
		if (v->list[i].hidden && (!strcmp(v->list[i].name, TAG_KEY_METRIC) ||
					  !strcmp(v->list[i].name, TAG_KEY_MODE)))
			fprintf(v->out, ", %s", text_at(row, i));
	fputs("\n\n", v->out);
}

static void print_peaks(const struct view *v, const json_t *answer)
{
	const json_t *peaks = json_object_get(answer, "peaks"), *peak;
	char cell[CELL_SIZE], ratio[CELL_SIZE], titles[TABLE_COLUMNS_MAX][64];
	size_t i;

	json_array_foreach((json_t *)peaks, i, peak) {
		const json_t *row = json_object_get(peak, "row");

		if (json_array_size(row) != v->count || i >= PEAKS_SHOWN)
			return;
		fputs("peak: ", v->out);
		for (size_t at = 0; at < v->count; at++) {
			const char *comma = at ? ", " : "";

			if (v->list[at].error || v->list[at].hidden)
				continue;
			cell_format(v, row, at, cell);
			fprintf(v->out, "%s%s", comma, cell);
			if (v->list[at].unit[0] != 't')
				fprintf(v->out, " %s", title_of(v, at, titles));
			if (at + 1 < v->count && v->list[at + 1].error) {
				error_format(row, at + 1, ratio);
				fprintf(v->out, " \xc2\xb1 %s", ratio);
			}
		}
		fprintf(v->out, "; %.0f distinct in all\n",
			json_number_value(json_object_get(peak, "distinct")));
	}
	if (json_array_size(peaks))
		fputc('\n', v->out);
}

/* Time is not taken for what else costs are told in. */
static void print_metrics(const struct view *v, const json_t *answer)
{
	const json_t *metrics = json_object_get(answer, "metrics"), *metric;
	size_t i;

	json_array_foreach((json_t *)metrics, i, metric)
		if (json_is_string(metric) &&
		    !strcmp(json_string_value(metric), metric_name(METRIC_TASK_CLOCK)))
			fputs("\ntask-clock: time on a CPU, not instructions\n", v->out);
}

static void print_losses(const struct view *v, const json_t *answer)
{
	const json_t *losses = json_object_get(answer, "losses"), *value;
	const char *name, *words = "\nlost: ";
	size_t shown = 0;

	json_object_foreach((json_t *)losses, name, value) {
		if (json_number_value(value) <= 0 || shown++ >= LOSSES_SHOWN)
			continue;
		fprintf(v->out, "%s%.60s %.0f", words,
			!strncmp(name, "loss.", 5) ? name + 5 : name, json_number_value(value));
		words = ", ";
	}
	if (shown)
		fprintf(v->out, "%s\n", shown > LOSSES_SHOWN ? ", and more: see pycost query counters"
							     : "");
}

void query_no_data_text(const json_t *answer, char *text, size_t size)
{
	const json_t *rows = json_object_get(answer, "rows");
	const json_t *data = json_object_get(answer, "data");
	char since[QUERY_TIME_SIZE], until[QUERY_TIME_SIZE];

	*text = '\0';
	if (json_array_size(rows))
		return;
	query_time_text(since, time_of(answer, "since"));
	query_time_text(until, time_of(answer, "until"));
	if (!json_is_object(data)) {
		snprintf(text, size, "no data: nothing of this kind was ever stored; see pycost agent, "
			 "pycost push");
		return;
	}
	if (time_of(data, "until") > time_of(answer, "since") &&
	    time_of(data, "since") < time_of(answer, "until")) {
		snprintf(text, size, "no data from %s to %s UTC with these conditions: see pycost query "
			 "tags", since, until);
		return;
	}
	snprintf(text, size, "no data from %s to %s UTC", since, until);
	query_time_text(since, time_of(data, "since"));
	query_time_text(until, time_of(data, "until"));
	snprintf(text + strlen(text), size - strlen(text), ": there is some from %s to %s", since,
		 until);
}

int query_print_table(const json_t *answer, const struct query_style *style, FILE *out)
{
	struct view v;
	int err = view_read(answer, style, out, &v);

	if (err)
		return err;
	if (!json_array_size(v.rows))
		return -ENODATA;
	print_head(&v, answer);
	print_peaks(&v, answer);
	err = table_fill(&v);
	if (json_is_true(json_object_get(answer, "truncated")))
		fputs("(there are more rows: --limit 0 shows all)\n", out);
	print_metrics(&v, answer);
	print_losses(&v, answer);
	return err;
}

/* ---- CSV ---- */

int query_print_csv(const json_t *answer, FILE *out)
{
	static const struct query_style full = { .exact = true, .wide = true };
	const json_t *row;
	struct view v;
	char cell[CELL_SIZE];
	int err = view_read(answer, &full, out, &v);
	size_t i;

	for (i = 0; !err && i < v.count; i++)
		csv_text(out, !i, v.list[i].name);
	fputs(err ? "" : "\n", out);
	json_array_foreach(err ? NULL : (json_t *)v.rows, i, row) {
		for (size_t at = 0; at < v.count; at++) {
			const json_t *value = json_array_get(row, at);

			if (json_is_string(value))
				csv_text(out, !at, json_string_value(value));
			else if (json_is_object(value)) {
				*cell = '\0';
				backends_format(&v, value, cell);
				csv_text(out, !at, cell);
			} else if (json_is_integer(value))
				fprintf(out, "%s%" JSON_INTEGER_FORMAT, at ? "," : "",
					json_integer_value(value));
			else if (json_is_real(value))
				fprintf(out, "%s%.15g", at ? "," : "", json_real_value(value));
			else
				fputs(at ? "," : "", out);
		}
		fputc('\n', out);
	}
	return err;
}
