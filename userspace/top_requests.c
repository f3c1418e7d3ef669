// SPDX-License-Identifier: GPL-2.0-or-later
/* What `pycost top` shows of requests. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/request_view.h"
#include "userspace/top.h"

/* By endpoint and view, case aside. */
static bool row_passes(const struct request_row *r, const char *filter)
{
	for (size_t i = 0; i < INTERVAL_FIELDS; i++)
		if (strcasestr(r->keys[i], filter))
			return true;
	return false;
}

int top_print_requests(FILE *out, const struct interval *v, const struct top_state *s,
		       size_t limit, int width)
{
	struct request_style style = {
		.style = {.width = width, .limit = limit},
		.by = interval_fields,
		.by_count = INTERVAL_FIELDS,
		.columns = REQUEST_COLUMNS_COST | REQUEST_COLUMNS_LATENCY,
	};
	/* Its own array of rows: those that pass, in order. */
	struct request_table shown = v->requests;
	int err;

	shown.rows = calloc(v->requests.row_count + 1, sizeof(*shown.rows));
	if (!shown.rows)
		return -ENOMEM;
	shown.row_count = 0;
	for (size_t i = 0; i < v->requests.row_count; i++)
		if (row_passes(&v->requests.rows[i], s->filter))
			shown.rows[shown.row_count++] = v->requests.rows[i];
	request_table_sort(&shown, s->request_sort);
	err = request_print_table(&shown, &style, out);
	free(shown.rows);
	return err;
}
