/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In which native code the samples were. */
#include <inttypes.h>
#include <stdlib.h>

#include "userspace/estimate.h"
#include "userspace/places.h"
#include "userspace/saturate.h"
#include "userspace/table.h"
#include "userspace/text.h"

#define CELL_SIZE 32
#define HOT_PERCENT 10

static const struct column columns[] = {
	{ "samples" }, { "share %" }, { "\xc2\xb1" }, { "in kernel" },
	{ "native function", true }, { "object", true },
};
#define COLUMNS (sizeof(columns) / sizeof(*columns))

static void place_add(struct table *t, const struct report *r, const struct place *place,
		      uint64_t all)
{
	const struct sink_native *n = &r->profile->natives[place->place];
	char samples[CELL_SIZE], share[CELL_SIZE], error[CELL_SIZE], kernel[CELL_SIZE] = "";
	const char *symbol = !place->place ? "(unknown)" : *n->symbol ? n->symbol : "(no symbol)";
	const char *cells[COLUMNS] = { samples, share, error, kernel, symbol, n->object };

	snprintf(samples, sizeof(samples), "%" PRIu64, place->samples);
	snprintf(share, sizeof(share), "%.1f", estimate_percent(place->samples, all));
	snprintf(error, sizeof(error), "%.1f", estimate_percent_error(place->samples, all));
	if (place->in_kernel)
		snprintf(kernel, sizeof(kernel), "%" PRIu64, place->in_kernel);
	table_add(t, estimate_percent(place->samples, all) >= HOT_PERCENT, cells);
}

static int print_places(const struct report *r, const struct report_style *style,
			const struct place *v, size_t count, FILE *out)
{
	struct table t = { .columns = columns, .column_count = COLUMNS };
	size_t shown = style->limit && style->limit < count ? style->limit : count;
	uint64_t all = 0;
	int err;

	if (!count) {
		fputs("  no samples\n", out);
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		all = saturating_add(all, v[i].samples);
	for (size_t i = 0; i < shown; i++)
		place_add(&t, r, &v[i], all);
	err = table_print(&t, out, style->width, style->color);
	if (shown < count)
		fprintf(out, "... and %zu more (--limit 0 shows all)\n", count - shown);
	return err;
}

int report_print_natives(const struct report *r, const struct report_style *style,
			 const uint32_t *rows, size_t row_count, FILE *out)
{
	struct places places;
	int err = places_compute(r, PLACE_NATIVE, row_count > 0, &places);

	if (err)
		return err;
	if (!row_count)
		err = print_places(r, style, places.v, places.count, out);
	for (size_t i = 0; !err && i < row_count; i++) {
		size_t count;
		const struct place *v = places_of(&places, rows[i], &count);

		fprintf(out, "%s%s itself was in:\n", i ? "\n" : "",
			r->functions.rows[rows[i]].name);
		err = print_places(r, style, v, count, out);
	}
	free(places.v);
	return err;
}
