/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source with what each line cost. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/estimate.h"
#include "userspace/line_costs.h"
#include "userspace/report.h"
#include "userspace/text.h"

#define HOT_PERCENT 10
#define BAR_CELLS 10
/* Lines without samples that are shown beside those with some. */
#define CONTEXT 4
/* line, two shares with errors, bar, and what is between them */
#define COLUMNS_BEFORE (7 + 2 * (8 + 6) + 2 + BAR_CELLS + 2)

struct view {
	const struct report *r;
	const struct report_style *style;
	const struct line_costs *costs;
	uint64_t most; /* samples of the whole function, for the bars */
	FILE *out;
	size_t indent; /* of its first line, which is left out of all */
};

static void print_right(FILE *out, const char *text, int width)
{
	int used = text_width(text);

	fprintf(out, "%*s%s", width > used ? width - used : 0, "", text);
}

static void print_share(const struct view *v, uint64_t samples)
{
	uint64_t all = report_samples(v->r);
	char share[32] = "", error[32] = "";

	if (samples) {
		snprintf(share, sizeof(share), "%.1f", estimate_percent(samples, all));
		snprintf(error, sizeof(error), "\xc2\xb1%.1f", estimate_percent_error(samples, all));
	}
	print_right(v->out, share, 8);
	print_right(v->out, error, 6);
}

static void print_bar(const struct view *v, uint64_t samples, bool padded)
{
	double share = v->most ? (double)samples / v->most : 0;
	int cells = (int)(BAR_CELLS * share + 0.5);

	cells = cells > BAR_CELLS ? BAR_CELLS : cells;
	for (int i = 0; i < cells; i++)
		fputs("\xe2\x96\x88", v->out);
	if (samples && !cells)
		fputs("\xe2\x96\x8f", v->out);
	if (padded)
		fprintf(v->out, "%*s", BAR_CELLS - (cells ? cells : samples > 0), "");
}

/* place NULL: a line without samples.  line 0: they have no line. */
static void print_line(const struct view *v, uint32_t line, const struct place *place)
{
	const struct source_text *source = &v->costs->source;
	const char *text = line && line <= source->count ? source->lines[line - 1] : "";
	bool hot = place && v->style->color &&
		   estimate_percent(place->samples, report_samples(v->r)) >= HOT_PERCENT;
	int left = v->style->width - COLUMNS_BEFORE;
	size_t indent = strspn(text, " ");
	char number[16] = "?";

	text += indent < v->indent ? indent : v->indent;
	if (line)
		snprintf(number, sizeof(number), "%" PRIu32, line);
	else
		text = "(line unknown)";
	fputs(hot ? "\033[31m" : "", v->out);
	print_right(v->out, number, 7);
	if (place || *text) {
		print_share(v, place ? place->samples : 0);
		print_share(v, place ? place->cumulative : 0);
		fputs("  ", v->out);
		print_bar(v, place ? place->cumulative : 0, *text);
	}
	if (*text)
		fprintf(v->out, "  %.*s",
			(int)(v->style->width ? text_prefix(text, left > 0 ? left : 0)
					      : strlen(text)),
			text);
	fputs(hot ? "\033[0m\n" : "\n", v->out);
}

static void print_skipped(const struct view *v, uint32_t lines)
{
	print_right(v->out, "...", 7);
	fprintf(v->out, " %" PRIu32 " lines without samples\n", lines);
}

/* Lines from..to-1, which have no samples; of a long stretch only its ends. */
static void print_stretch(const struct view *v, uint32_t from, uint32_t to, bool first, bool last)
{
	uint32_t before = first ? 1 : CONTEXT, after = last ? 0 : CONTEXT;
	uint32_t end = v->costs->source.count + 1;

	/* Where there is no source there is nothing to show. */
	to = to < end ? to : end;
	if (from >= to)
		return;
	if (!v->style->limit || to - from <= before + after + 1) {
		for (; from < to; from++)
			print_line(v, from, NULL);
		return;
	}
	for (uint32_t i = 0; i < before; i++)
		print_line(v, from + i, NULL);
	print_skipped(v, to - from - before - after);
	for (uint32_t i = to - after; i < to; i++)
		print_line(v, i, NULL);
}

static void print_lines(const struct view *v)
{
	const struct line_costs *c = v->costs;
	const struct place *unknown = NULL;
	uint32_t next = c->first;

	for (size_t i = 0; i < c->count; i++) {
		const struct place *place = &c->lines[i];

		if (!place->place) {
			unknown = place;
			continue;
		}
		print_stretch(v, next, place->place, next == c->first, false);
		print_line(v, place->place, place);
		next = place->place + 1;
	}
	if (next && next <= c->last)
		print_stretch(v, next, c->last + 1, next == c->first, true);
	if (unknown)
		print_line(v, 0, unknown);
}

static void print_head(const struct view *v, uint32_t row)
{
	const struct function_row *function = &v->r->functions.rows[row];
	const struct call_costs *costs = &function->costs;
	uint64_t all = report_samples(v->r);
	bool color = v->style->color;

	fprintf(v->out, "%s  %s:%" PRIu32 "\n", function->name, v->costs->file,
		v->r->profile->functions[function->function].line);
	fprintf(v->out,
		"itself %.1f \xc2\xb1 %.1f %%, with what it calls %.1f \xc2\xb1 %.1f %% of "
		"everything; a bar is a line's part of this function\n",
		estimate_percent(costs->samples, all), estimate_percent_error(costs->samples, all),
		estimate_percent(costs->cumulative_samples, all),
		estimate_percent_error(costs->cumulative_samples, all));
	if (*v->costs->note)
		fprintf(v->out, "%snote: %s%s\n", color ? "\033[33m" : "", v->costs->note,
			color ? "\033[0m" : "");
	fputs(color ? "\033[1m" : "", v->out);
	fputs("   line  self %     \xc2\xb1   cum %     \xc2\xb1\n", v->out);
	fputs(color ? "\033[0m" : "", v->out);
}

int report_print_lines(const struct report *r, const struct report_style *style,
		       const uint32_t *rows, size_t row_count, FILE *out)
{
	struct places all = { 0 };
	int err = places_compute(r, PLACE_LINE, true, &all);

	for (size_t i = 0; !err && i < row_count; i++) {
		struct line_costs costs;
		struct view v = { r, style, &costs,
				  r->functions.rows[rows[i]].costs.cumulative_samples, out };

		err = line_costs_compute(r, &all, rows[i], &costs);
		if (err)
			break;
		if (costs.first && costs.first <= costs.source.count)
			v.indent = strspn(costs.source.lines[costs.first - 1], " ");
		if (i)
			fputc('\n', out);
		print_head(&v, rows[i]);
		print_lines(&v);
		line_costs_free(&costs);
	}
	free(all.v);
	return err;
}
