/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests as JSON, numbers in full.  A row has its "keys", "requests", "rate" (a second),
 * "share" (of the cost, in percent), "failed", "aborted", "probed", "shared" (as in
 * struct request_row), and for each measure
 * {"sum", "mean", "error"}: half of the mean's 95 % confidence interval, null when nothing
 * bounds it.  "cost", "latency" and "cpu" have "p50", "p90" and "p99" too.  Times are in
 * ns, memory in bytes.  Of "cost", "requests" says of how many "mean", "error" and quantiles
 * are, and "corrected" whether the calibration made them.  "syscall" is an "estimate" where
 * it is by the kernel's ticks.  With a "budget" what is counted or summed up is an "estimate"
 * of all requests: then "error" is the standard error of "requests", "sum_error" that of the
 * cost's sum, and "seen" how many the rest is from.  Else "error" is 0 and all were "seen".
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>

#include "userspace/confidence.h"
#include "userspace/export_json_parts.h"
#include "userspace/phase_plan.h"
#include "userspace/request_view.h"

static json_t *json_finite(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static void quantiles_set(json_t *object, const double *quantiles)
{
	for (int q = 0; q < REQUEST_QUANTILES; q++)
		json_object_set_new(object, request_quantile_names[q], json_real(quantiles[q]));
}

static json_t *cost_json(const struct request_row *r)
{
	json_t *object = json_pack("{s:f, s:f, s:f, s:o, s:o, s:b}", "sum", r->cost, "sum_error",
				   r->total_error, "mean", r->cost_mean, "error",
				   json_finite(r->cost_error), "requests", json_count(r->cost_count),
				   "corrected", r->corrected);

	quantiles_set(object, r->quantiles[DISTRIBUTION_COST]);
	return object;
}

static json_t *measure_json(const struct request_row *r, enum request_measure m)
{
	json_t *object = json_pack("{s:I, s:f, s:o}", "sum",
				   (json_int_t)request_row_sum(r, m), "mean",
				   request_row_mean(r, m), "error",
				   json_finite(confidence_of_mean(r->count, r->sums[m],
								  r->squares[m])));

	if (m == REQUEST_SYSCALL && r->by_ticks)
		json_object_set_new(object, "estimate", json_true());
	if (m == REQUEST_LATENCY)
		quantiles_set(object, r->quantiles[DISTRIBUTION_LATENCY]);
	if (m == REQUEST_CPU)
		quantiles_set(object, r->quantiles[DISTRIBUTION_CPU]);
	return object;
}

static json_t *backends_json(const struct request_table *t, const struct request_row *r)
{
	const struct profile_requests *q = &t->profile->requests;
	json_t *backends = json_object();

	for (size_t b = 1; b < q->backend_count; b++)
		json_object_set_new(backends, q->backends[b].name,
				    json_pack("{s:o, s:o}", "calls",
					      json_count(r->backend_calls[b - 1]), "ns",
					      json_count(r->backend_ns[b - 1])));
	return backends;
}

static json_t *part_json(const struct request_row *r, uint64_t seen)
{
	return json_count(llround(request_row_part(r, seen)));
}

static json_t *row_json(const struct request_table *t, const struct request_style *s,
			const struct request_row *r, bool keyed)
{
	json_t *keys = json_object();
	json_t *row = json_pack("{s:o, s:f, s:o, s:b, s:f, s:f, s:o, s:o, s:o, s:o, s:o, s:{s:f}, s:o}",
				"requests", part_json(r, r->count),
				"error", r->estimate_error,
				"seen", json_count(r->count),
				"estimate", t->estimated,
				"rate", t->seconds > 0 ? r->estimate / t->seconds : 0.0,
				"share", request_row_share(t, r),
				"failed", part_json(r, r->failed),
				"aborted", part_json(r, r->aborted),
				"probed", part_json(r, r->probed),
				"shared", part_json(r, r->shared),
				"cost", cost_json(r),
				"blocked", "mean", request_row_blocked(r),
				"backends", backends_json(t, r));

	for (int m = 0; row && m < REQUEST_MEASURES; m++)
		if (m != REQUEST_COST)
			json_object_set_new(row, request_measure_name(m), measure_json(r, m));
	for (size_t i = 0; keyed && i < s->by_count; i++)
		json_object_set_new(keys, s->by[i].name, json_string_or_null(r->keys[i]));
	if (keyed && row)
		json_object_set(row, "keys", keys);
	json_decref(keys);
	return row;
}

static json_t *rows_json(const struct request_table *t, const struct request_style *s)
{
	size_t limit = s->style.limit;
	json_t *rows = json_array();

	for (size_t i = 0; rows && i < t->row_count && (!limit || i < limit); i++)
		if (json_array_append_new(rows, row_json(t, s, &t->rows[i], true)) < 0) {
			json_decref(rows);
			return NULL;
		}
	return rows;
}

static json_t *tags_json(const struct profile *p)
{
	const struct sink_tags *t = &p->requests.tags[p->requests.common_tags];
	json_t *tags = json_object();

	for (uint32_t i = 0; i < t->count; i++)
		json_object_set_new(tags, t->keys[i], json_string(t->values[i]));
	return tags;
}

static json_t *workers_json(const struct request_table *t)
{
	uint64_t total = t->workers_cost, within = t->workers_request_cost;

	if (!t->has_workers)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "cost", json_count(total), "request_cost",
			 json_count(within), "outside",
			 json_count(within < total ? total - within : 0));
}

/* What was watched of the time, in percent, and what that took of the workers' CPU time. */
static json_t *watched_json(const struct profile *p)
{
	const struct phase_times *t = &p->requests.phases;

	if (!p->meta.budget)
		return json_null();
	return json_pack("{s:f, s:f, s:o, s:f}", "budget", 100.0 * p->meta.budget / BUDGET_UNIT,
			 "percent", 100 * phase_share(t), "phases", json_count(t->phases), "cost",
			 t->cpu_ns ? 100.0 * t->cost_ns / t->cpu_ns : 0.0);
}

static json_t *by_json(const struct request_style *s)
{
	json_t *by = json_array();

	for (size_t i = 0; i < s->by_count; i++)
		json_array_append_new(by, json_string(s->by[i].name));
	return by;
}

int request_json(const struct request_table *t, const struct recording_status *status,
		 const struct request_style *s, FILE *out)
{
	const struct sink_meta *meta = &t->profile->meta;
	json_t *json = json_pack(
		"{s:s, s:s, s:b, s:b, s:f, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"metric", metric_name(meta->metric),
		"unit", metric_unit(meta->metric),
		"complete", !status->corrupt && !status->incomplete,
		"metric_fallback", meta->metric_fallback,
		"seconds", t->seconds,
		"start_realtime_ns", json_count(meta->start_realtime_ns),
		"host", meta->host,
		"kernel", meta->kernel,
		"version", meta->version,
		"watched", watched_json(t->profile),
		"tags", tags_json(t->profile),
		"by", by_json(s),
		"total", row_json(t, s, &t->total, false),
		"workers", workers_json(t),
		"rows", rows_json(t, s),
		"losses", json_losses(t->profile->losses));

	return json_print(json, out);
}
