/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/line_costs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int line_compare(const void *a, const void *b)
{
	uint32_t x = ((const struct place *)a)->place, y = ((const struct place *)b)->place;

	return x < y ? -1 : x > y;
}

static void source_find(const struct report *r, struct line_costs *c)
{
	uint64_t start = r->profile->meta.start_realtime_ns;
	int err = *c->file == '/' ? source_text_read(c->file, &c->source) : -ENOENT;

	if (*c->file != '/')
		snprintf(c->note, sizeof(c->note), "no source: the recording has no whole path of it");
	else if (err)
		snprintf(c->note, sizeof(c->note), "no source: %s",
			 err == -EINVAL ? "it is not a regular file" : strerror(-err));
	else if (start && c->source.changed_ns > start)
		snprintf(c->note, sizeof(c->note),
			 "the file is newer than the recording: lines may have moved");
	else if (c->count && c->lines[c->count - 1].place > c->source.count)
		snprintf(c->note, sizeof(c->note),
			 "the file has fewer lines than were sampled: it is not the one that ran");
}

static int indent_of(const char *line)
{
	return strspn(line, " ");
}

/* What is indented deeper than the first line belongs to it, and what closes its head. */
static bool is_within(const char *line, int indent)
{
	int own = indent_of(line);

	return !line[own] || own > indent || (own == indent && strchr(")]}", line[own]));
}

static void region_find(const struct report *r, uint32_t row, struct line_costs *c)
{
	const struct sink_function *f =
		&r->profile->functions[r->functions.rows[row].function];
	uint32_t sampled;
	size_t known = 0;
	int indent;

	while (known < c->count && !c->lines[known].place)
		known++;
	c->first = f->line;
	if (known < c->count) {
		if (!c->first || c->lines[known].place < c->first)
			c->first = c->lines[known].place;
		c->last = c->lines[c->count - 1].place;
	}
	c->last = sampled = c->last < c->first ? c->first : c->last;
	/* Modules and expressions have no block of their own. */
	if (*f->name == '<' || !c->first || c->last > c->source.count)
		return;
	indent = indent_of(c->source.lines[c->first - 1]);
	while (c->last < c->source.count && is_within(c->source.lines[c->last], indent))
		c->last++;
	while (c->last > sampled && !*c->source.lines[c->last - 1])
		c->last--;
}

int line_costs_compute(const struct report *r, const struct places *all, uint32_t row,
		       struct line_costs *ret)
{
	struct line_costs c = { 0 };
	const struct place *lines = places_of(all, row, &c.count);

	c.lines = calloc(c.count + 1, sizeof(*c.lines));
	if (!c.lines)
		return -ENOMEM;
	if (c.count)
		memcpy(c.lines, lines, c.count * sizeof(*c.lines));
	qsort(c.lines, c.count, sizeof(*c.lines), line_compare);
	c.file = r->profile->functions[r->functions.rows[row].function].file;
	source_find(r, &c);
	region_find(r, row, &c);
	*ret = c;
	return 0;
}

void line_costs_free(struct line_costs *c)
{
	free(c->lines);
	source_text_free(&c->source);
	*c = (struct line_costs){ 0 };
}
