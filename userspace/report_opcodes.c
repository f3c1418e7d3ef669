/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which opcodes the samples fell on; opcodes of different Pythons do not add up. */
#include <inttypes.h>
#include <stdlib.h>

#include "symbolizer/opcodes.h"
#include "userspace/estimate.h"
#include "userspace/places.h"
#include "userspace/saturate.h"
#include "userspace/table.h"

#define CELL_SIZE 32
#define HOT_PERCENT 10

static const struct column columns[] = {
	{ "samples" }, { "share %" }, { "\xc2\xb1" }, { "opcode", true }, { "family", true },
};
#define COLUMNS (sizeof(columns) / sizeof(*columns))

static void place_add(struct table *t, const struct place *place, uint64_t all)
{
	int minor = place_minor(place->place);
	uint16_t opcode = place->place & 0xffff;
	const char *family = opcode_family(minor, opcode), *known = opcode_name(minor, opcode);
	char samples[CELL_SIZE], share[CELL_SIZE], error[CELL_SIZE], name[CELL_SIZE];
	const char *cells[COLUMNS] = { samples, share, error, known ? known : name,
				       family ? family : "" };

	snprintf(samples, sizeof(samples), "%" PRIu64, place->samples);
	snprintf(share, sizeof(share), "%.1f", estimate_percent(place->samples, all));
	snprintf(error, sizeof(error), "%.1f", estimate_percent_error(place->samples, all));
	if (opcode == SINK_NO_OPCODE)
		snprintf(name, sizeof(name), "(unknown)");
	else
		snprintf(name, sizeof(name), "(number %u)", opcode);
	table_add(t, estimate_percent(place->samples, all) >= HOT_PERCENT, cells);
}

/* Those of one Python, which are not next to each other. */
static int print_minor(const struct place *v, size_t count, int minor, bool several,
		       const struct report_style *style, FILE *out)
{
	struct table t = { .columns = columns, .column_count = COLUMNS };
	size_t found = 0;
	uint64_t all = 0;
	int err;

	for (size_t i = 0; i < count; i++)
		if (place_minor(v[i].place) == minor)
			all = saturating_add(all, v[i].samples);
	for (size_t i = 0; i < count; i++)
		if (place_minor(v[i].place) == minor && (!found++ || !style->limit ||
							 found <= style->limit))
			place_add(&t, &v[i], all);
	if (several && minor)
		fprintf(out, "Python 3.%d:\n", minor);
	else if (several)
		fputs("Python of an unknown version:\n", out);
	err = table_print(&t, out, style->width, style->color);
	if (style->limit && found > style->limit)
		fprintf(out, "... and %zu more (--limit 0 shows all)\n", found - style->limit);
	return err;
}

static int print_places(const struct place *v, size_t count, const struct report_style *style,
			FILE *out)
{
	bool present[PLACE_MINORS] = { false };
	int minors = 0, err = 0;

	if (!count)
		fputs("  no samples\n", out);
	for (size_t i = 0; i < count; i++)
		present[place_minor(v[i].place)] = true;
	for (int i = 0; i < PLACE_MINORS; i++)
		minors += present[i];
	for (int i = 0; !err && i < PLACE_MINORS; i++)
		if (present[i])
			err = print_minor(v, count, i, minors > 1, style, out);
	return err;
}

int report_print_opcodes(const struct report *r, const struct report_style *style,
			 const uint32_t *rows, size_t row_count, FILE *out)
{
	struct places places;
	int err = places_compute(r, PLACE_OPCODE, row_count > 0, &places);

	if (err)
		return err;
	if (!row_count)
		err = print_places(places.v, places.count, style, out);
	for (size_t i = 0; !err && i < row_count; i++) {
		size_t count;
		const struct place *v = places_of(&places, rows[i], &count);

		fprintf(out, "%s%s itself was at:\n", i ? "\n" : "",
			r->functions.rows[rows[i]].name);
		err = print_places(v, count, style, out);
	}
	fputs("\nA sample may lie one opcode late; time in C code counts for the CALL that led "
	      "there;\nforms are those at the moment of the sample.\n",
	      out);
	free(places.v);
	return err;
}
