/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What requests cost, by keys. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/confidence.h"
#include "userspace/query/query_kind.h"
#include "userspace/query/query_measure.h"
#include "userspace/query/query_groups.h"
#include "userspace/request_table.h"

static const struct query_slices slices = { .keys = true, .metric = true };
static const char *const distribution_names[REQUEST_DISTRIBUTIONS] = { "cost", "latency", "cpu" };

static int quantile_columns(struct query_run *r, int d, enum query_column_use use)
{
	const char *unit = d == DISTRIBUTION_COST ? "cost" : "ns";
	char name[64];
	int err = 0;

	for (int q = 0; !err && q < REQUEST_QUANTILES; q++) {
		snprintf(name, sizeof(name), "%s_%s", distribution_names[d],
			 request_quantile_names[q]);
		err = query_column(r, name, unit, use);
	}
	for (int high = 0; !err && high < 2; high++) {
		snprintf(name, sizeof(name), "%s_p99_%s", distribution_names[d],
			 high ? "high" : "low");
		err = query_column(r, name, unit, QUERY_DETAIL);
	}
	return err;
}

static int columns_add(struct query_run *r)
{
	static const struct {
		const char *name, *unit;
		enum query_column_use use;
	} columns[] = {
		{ "requests", "count", QUERY_SHOWN },
		{ "estimate", "number", QUERY_DETAIL },
		{ "estimate_error", "number", QUERY_DETAIL },
		{ "rate", "number", QUERY_SHOWN },
		{ "failed", "count", QUERY_SHOWN },
		{ "cost", "cost", QUERY_DETAIL },
		{ "cost_error", "cost", QUERY_DETAIL },
		{ "cost_share", "percent", QUERY_SHOWN },
		{ "cost_mean", "cost", QUERY_SHOWN },
		{ "cost_mean_error", "cost", QUERY_ERROR },
	};
	char name[64];
	int err = query_key_columns(r, &slices);

	for (size_t i = 0; !err && i < sizeof(columns) / sizeof(*columns); i++)
		err = query_column(r, columns[i].name, columns[i].unit, columns[i].use);
	for (int d = 0; !err && d < REQUEST_DISTRIBUTIONS; d++)
		err = quantile_columns(r, d, d == DISTRIBUTION_CPU ? QUERY_DETAIL : QUERY_SHOWN);
	for (int m = 0; !err && m < REQUEST_MEASURES; m++) {
		if (m == REQUEST_COST)
			continue;
		snprintf(name, sizeof(name), "%s_mean", request_measure_name(m));
		err = query_column(r, name, query_measure_unit(m), QUERY_DETAIL);
		snprintf(name, sizeof(name), "%s_mean_error", request_measure_name(m));
		if (!err)
			err = query_column(r, name, query_measure_unit(m), QUERY_DETAIL);
	}
	if (!err)
		err = query_column(r, "blocked_mean", "ns", QUERY_DETAIL);
	return err ? err : query_column(r, "backends", "backends", QUERY_DETAIL);
}

static double mean_of(const struct query_group *g, enum request_measure m)
{
	return g->count ? g->sums[m] / g->count : 0;
}

/* Neither on a CPU nor waiting for one: latency without both, never below 0. */
static double blocked_of(const struct query_group *g)
{
	return fmax(mean_of(g, REQUEST_LATENCY) - mean_of(g, REQUEST_CPU) -
			    mean_of(g, REQUEST_RUN_QUEUE), 0);
}

static double quantile_of(const struct query_group *g, int d, int q)
{
	return bins_quantile(g->bins[d].bins, g->bins[d].count, request_quantile_levels[q]);
}

static void quantiles_add(const struct query_group *g, int d, json_t *row)
{
	const struct histogram *h = &g->bins[d];
	uint64_t low, high;
	bool bounded = bins_quantile_range(h->bins, h->count, request_quantile_levels[QUANTILE_99],
					   &low, &high);

	for (int q = 0; q < REQUEST_QUANTILES; q++)
		json_array_append_new(row, h->count ? query_amount(quantile_of(g, d, q)) : json_null());
	json_array_append_new(row, bounded ? query_amount(low) : json_null());
	json_array_append_new(row, bounded ? query_amount(high) : json_null());
}

static int group_add(struct query_run *r, const struct query_group *g, double all)
{
	double seconds = r->source.until - r->source.since;
	json_t *row = json_array();

	for (unsigned i = 0; i < r->q->by_count; i++)
		json_array_append_new(row, query_string(g->values[i]));
	json_array_append_new(row, query_string(g->metric));
	json_array_append_new(row, json_integer(g->count));
	json_array_append_new(row, query_amount(g->estimate));
	json_array_append_new(row, query_amount(sqrt(fmax(g->estimate_variance, 0))));
	json_array_append_new(row, query_amount(g->estimate / seconds));
	json_array_append_new(row, json_integer(g->failed));
	json_array_append_new(row, query_amount(g->cost));
	json_array_append_new(row, query_amount(query_group_cost_error(g)));
	json_array_append_new(row, all > 0 ? json_real(100 * g->cost / all) : json_null());
	json_array_append_new(row, query_amount(query_group_mean(g)));
	json_array_append_new(row, query_amount(confidence_of_mean(g->count, g->sums[REQUEST_COST],
								   g->squares[REQUEST_COST])));
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
		quantiles_add(g, d, row);
	for (int m = 0; m < REQUEST_MEASURES; m++) {
		if (m == REQUEST_COST)
			continue;
		json_array_append_new(row, query_amount(mean_of(g, m)));
		json_array_append_new(row, query_amount(confidence_of_mean(g->count, g->sums[m],
									   g->squares[m])));
	}
	json_array_append_new(row, query_amount(blocked_of(g)));
	json_array_append_new(row, g->backends ? json_incref(g->backends) : json_object());
	return query_row(r, row);
}

static double order_of(const struct query_group *g, enum request_sort sort)
{
	switch (sort) {
	case REQUEST_SORT_COUNT:
		return g->estimate;
	case REQUEST_SORT_MEAN:
		return query_group_mean(g);
	case REQUEST_SORT_P50:
	case REQUEST_SORT_P90:
	case REQUEST_SORT_P99:
		return quantile_of(g, DISTRIBUTION_COST, QUANTILE_50 + sort - REQUEST_SORT_P50);
	case REQUEST_SORT_LATENCY:
		return quantile_of(g, DISTRIBUTION_LATENCY, QUANTILE_50);
	case REQUEST_SORT_LATENCY_P99:
		return quantile_of(g, DISTRIBUTION_LATENCY, QUANTILE_99);
	case REQUEST_SORT_CPU:
		return mean_of(g, REQUEST_CPU);
	case REQUEST_SORT_BLOCKED:
		return blocked_of(g);
	case REQUEST_SORT_GC:
		return mean_of(g, REQUEST_GC);
	case REQUEST_SORT_IMPORTS:
		return mean_of(g, REQUEST_IMPORT);
	case REQUEST_SORT_RSS:
		return mean_of(g, REQUEST_RSS);
	case REQUEST_SORT_FAILED:
		return g->failed;
	case REQUEST_SORT_NAME:
		return 0;
	case REQUEST_SORT_COST:
	case REQUEST_SORTS:
		break;
	}
	return g->cost;
}

/* Costs of two metrics are not compared: one's rows come after the other's. */
static int group_compare(const struct query_group *a, const struct query_group *b)
{
	const char *x = a->key, *y = b->key;
	int order = strcmp(a->metric, b->metric);

	if (!order && a->order != b->order)
		return a->order > b->order ? -1 : 1;
	while (!order && x < a->metric) {
		order = strcmp(x, y);
		x += strlen(x) + 1;
		y += strlen(y) + 1;
	}
	return order;
}

static enum request_sort sort_of(const char *name)
{
	for (int i = 0; i < REQUEST_SORTS; i++)
		if (!strcmp(name, request_sort_names[i]))
			return i;
	return REQUEST_SORT_COST;
}

int query_requests_run(struct query_run *r)
{
	enum request_sort sort = sort_of(r->q->sort);
	struct query_group *groups, *g;
	const char *metric = "";
	uint32_t shown = 0;
	double all = 0;
	int err = columns_add(r);

	if (!err)
		err = query_groups_load(r, &groups);
	if (err)
		return err;
	for (g = groups; g; g = g->hh.next)
		g->order = order_of(g, sort);
	HASH_SORT(groups, group_compare);
	for (g = groups; !err && g; g = g->hh.next) {
		if (strcmp(metric, g->metric)) {
			metric = g->metric;
			all = 0;
			for (struct query_group *o = g; o && !strcmp(o->metric, metric); o = o->hh.next)
				all += o->cost;
			shown = 0;
		}
		if (shown++ < r->q->limit)
			err = group_add(r, g, all);
		else
			json_object_set_new(r->answer, "truncated", json_true());
	}
	query_groups_free(groups);
	return err;
}
