/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of a table's rows is the greatest, and what is said of a row. */
#include <stdlib.h>
#include <string.h>

#include "userspace/request_table.h"

const char *const request_sort_names[REQUEST_SORTS] = {
	[REQUEST_SORT_COST] = "cost",
	[REQUEST_SORT_COUNT] = "count",
	[REQUEST_SORT_MEAN] = "mean",
	[REQUEST_SORT_P50] = "p50",
	[REQUEST_SORT_P90] = "p90",
	[REQUEST_SORT_P99] = "p99",
	[REQUEST_SORT_LATENCY] = "latency",
	[REQUEST_SORT_LATENCY_P99] = "latency-p99",
	[REQUEST_SORT_CPU] = "cpu",
	[REQUEST_SORT_BLOCKED] = "blocked",
	[REQUEST_SORT_GC] = "gc",
	[REQUEST_SORT_IMPORTS] = "imports",
	[REQUEST_SORT_RSS] = "rss",
	[REQUEST_SORT_FAILED] = "failed",
	[REQUEST_SORT_NAME] = "name",
};

double request_row_part(const struct request_row *r, uint64_t seen)
{
	return r->count ? r->estimate * ((double)seen / r->count) : 0;
}

double request_row_sum(const struct request_row *r, enum request_measure m)
{
	return r->estimate == r->count ? r->sums[m] : r->estimate * request_row_mean(r, m);
}

double request_row_mean(const struct request_row *r, enum request_measure m)
{
	return r->count ? (double)r->sums[m] / r->count : 0;
}

double request_row_blocked(const struct request_row *r)
{
	double blocked = request_row_mean(r, REQUEST_LATENCY) - request_row_mean(r, REQUEST_CPU) -
			 request_row_mean(r, REQUEST_RUN_QUEUE);

	return blocked > 0 ? blocked : 0;
}

double request_row_share(const struct request_table *t, const struct request_row *r)
{
	return t->total.cost > 0 ? 100 * r->cost / t->total.cost : 0;
}

static double sort_key(const struct request_row *r, enum request_sort sort)
{
	switch (sort) {
	case REQUEST_SORT_COST:
		return r->cost;
	case REQUEST_SORT_COUNT:
		return r->estimate;
	case REQUEST_SORT_MEAN:
		return r->cost_mean;
	case REQUEST_SORT_P50:
	case REQUEST_SORT_P90:
	case REQUEST_SORT_P99:
		return r->quantiles[DISTRIBUTION_COST][QUANTILE_50 + sort - REQUEST_SORT_P50];
	case REQUEST_SORT_LATENCY:
		return r->quantiles[DISTRIBUTION_LATENCY][QUANTILE_50];
	case REQUEST_SORT_LATENCY_P99:
		return r->quantiles[DISTRIBUTION_LATENCY][QUANTILE_99];
	case REQUEST_SORT_CPU:
		return request_row_mean(r, REQUEST_CPU);
	case REQUEST_SORT_BLOCKED:
		return request_row_blocked(r);
	case REQUEST_SORT_GC:
		return request_row_mean(r, REQUEST_GC);
	case REQUEST_SORT_IMPORTS:
		return request_row_mean(r, REQUEST_IMPORT);
	case REQUEST_SORT_RSS:
		return request_row_mean(r, REQUEST_RSS);
	case REQUEST_SORT_FAILED:
		return r->failed;
	case REQUEST_SORT_NAME:
	case REQUEST_SORTS:
		break;
	}
	return 0;
}

static int row_compare(const void *x, const void *y, void *arg)
{
	const struct request_row *a = x, *b = y;
	enum request_sort sort = *(enum request_sort *)arg;
	double p = sort_key(a, sort), q = sort_key(b, sort);
	int order = 0;

	if (p != q)
		return p > q ? -1 : 1;
	for (size_t i = 0; !order && i < REQUEST_BY_MAX && a->keys[i]; i++)
		order = strcmp(a->keys[i], b->keys[i]);
	return order;
}

void request_table_sort(struct request_table *t, enum request_sort sort)
{
	qsort_r(t->rows, t->row_count, sizeof(*t->rows), row_compare, &sort);
}
