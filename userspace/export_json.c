/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers in full, for programs; functions come in the order of the report.
 *
 * A sampled recording has "exact": false and, which an exact one has not, "mode":
 * "sampled", "period" (units of the metric from one sample to the next), "samples" and
 * "states" (samples in each state; "kernel" are those in kernel mode).  Each function
 * has "samples", "cumulative_samples", "self", "self_error", "cumulative",
 * "cumulative_error" (standard errors, estimate.h), "states" and "natives" (the
 * innermost native functions); "calls" and "primitive_calls" are null, and nothing is
 * raw, as nothing was taken out.
 */
#include <errno.h>
#include <stdlib.h>

#include "userspace/counter_share.h"
#include "userspace/export.h"
#include "userspace/export_json_parts.h"

static void costs_set(json_t *object, const struct call_costs *costs)
{
	json_object_set_new(object, "calls", json_count(costs->calls));
	json_object_set_new(object, "primitive_calls", json_count(costs->primitive_calls));
	json_object_set_new(object, "self", json_count(costs->self));
	json_object_set_new(object, "cumulative", json_count(costs->cumulative));
	json_object_set_new(object, "self_raw", json_count(costs->self_raw));
	json_object_set_new(object, "cumulative_raw", json_count(costs->cumulative_raw));
	json_object_set_new(object, "self_error", json_real(costs->self_error));
	json_object_set_new(object, "cumulative_error", json_real(costs->cumulative_error));
}

static void kernel_costs_set(json_t *object, const struct call_costs *costs)
{
	json_object_set_new(object, "kernel_self", json_count(costs->kernel_self));
	json_object_set_new(object, "kernel_cumulative", json_count(costs->kernel_cumulative));
	json_object_set_new(object, "kernel_self_raw", json_count(costs->kernel_self_raw));
	json_object_set_new(object, "kernel_cumulative_raw",
			    json_count(costs->kernel_cumulative_raw));
	json_object_set_new(object, "kernel_self_error", json_real(costs->kernel_self_error));
	json_object_set_new(object, "kernel_cumulative_error",
			    json_real(costs->kernel_cumulative_error));
}

static void estimates_set(json_t *object, const struct call_costs *costs)
{
	json_object_set_new(object, "calls", json_null());
	json_object_set_new(object, "primitive_calls", json_null());
	json_object_set_new(object, "samples", json_count(costs->samples));
	json_object_set_new(object, "cumulative_samples", json_count(costs->cumulative_samples));
	json_object_set_new(object, "self", json_count(costs->self));
	json_object_set_new(object, "cumulative", json_count(costs->cumulative));
	json_object_set_new(object, "self_error", json_real(costs->self_error));
	json_object_set_new(object, "cumulative_error", json_real(costs->cumulative_error));
}

/* Where a sampled function's own samples were; empty of an exact recording. */
struct sampled {
	struct places states, natives;
};

static void sampled_set(json_t *object, const struct report *r, const struct sampled *s,
			uint32_t row)
{
	size_t count;
	const struct place *v = places_of(&s->states, row, &count);

	json_object_set_new(object, "states", json_states(v, count));
	v = places_of(&s->natives, row, &count);
	json_object_set_new(object, "natives", json_natives(r, v, count));
}

/* s: NULL leaves out where samples were. */
static json_t *functions_json(const struct report *r, const struct sampled *s)
{
	json_t *functions = json_array();

	for (size_t i = 0; functions && i < r->order_count; i++) {
		const struct function_row *row = &r->functions.rows[r->order[i]];
		const struct sink_function *f = &r->profile->functions[row->function];
		json_t *object = json_pack("{s:I, s:s, s:s, s:o, s:s, s:s, s:I, s:o, s:b}",
					   "id", (json_int_t)row->function,
					   "name", f->name,
					   "qualname", f->qualname,
					   "class", json_string_or_null(f->class_name),
					   "module", f->module,
					   "file", f->file,
					   "line", (json_int_t)f->line,
					   "wraps", json_string_or_null(f->wraps),
					   "unresolved", f->unresolved);

		if (object && report_is_sampled(r)) {
			estimates_set(object, &row->costs);
			if (s)
				sampled_set(object, r, s, r->order[i]);
		} else if (object) {
			costs_set(object, &row->costs);
		}
		if (object && report_has_kernel(r))
			kernel_costs_set(object, &row->costs);
		if (json_array_append_new(functions, object) < 0) {
			json_decref(functions);
			return NULL;
		}
	}
	return functions;
}

/*
 * Only edges between functions: calls from outside are the rest.  self is the
 * callee's own cost under that caller.
 */
static json_t *edges_json(const struct report *r)
{
	const struct function_costs *fc = &r->functions;
	json_t *edges = json_array();

	for (size_t i = 0; edges && i < fc->edge_count; i++) {
		const struct function_edge *edge = &fc->edges[i];
		json_t *object;

		if (!edge->caller || (!edge->costs.calls && !edge->costs.cumulative_raw &&
				      !edge->costs.kernel_cumulative_raw))
			continue;
		object = json_pack("{s:I, s:I, s:o, s:o, s:o}",
				   "caller", (json_int_t)fc->rows[edge->caller].function,
				   "callee", (json_int_t)fc->rows[edge->callee].function,
				   "calls", report_is_sampled(r)
						    ? json_null()
						    : json_count(edge->costs.calls),
				   "self", json_count(edge->costs.self),
				   "cumulative", json_count(edge->costs.cumulative));
		if (object && report_has_kernel(r)) {
			json_object_set_new(object, "kernel_self",
					    json_count(edge->costs.kernel_self));
			json_object_set_new(object, "kernel_cumulative",
					    json_count(edge->costs.kernel_cumulative));
		}
		if (object && report_is_sampled(r)) {
			json_object_set_new(object, "self_error",
					    json_real(edge->costs.self_error));
			json_object_set_new(object, "cumulative_error",
					    json_real(edge->costs.cumulative_error));
		}
		if (json_array_append_new(edges, object) < 0) {
			json_decref(edges);
			return NULL;
		}
	}
	return edges;
}

static json_t *processes_json(const struct profile *p)
{
	json_t *processes = json_array();

	for (size_t i = 0; processes && i < p->process_count; i++) {
		const struct sink_process *process = &p->processes[i];
		uint32_t calibration = profile_calibration(p, process) - p->calibrations;
		json_t *object = json_pack("{s:I, s:I, s:s, s:s, s:s, s:I}",
					   "pid", (json_int_t)process->pid,
					   "ppid", (json_int_t)process->ppid,
					   "comm", process->comm,
					   "python", process->python,
					   "exe", process->exe,
					   "calibration", (json_int_t)calibration);

		if (json_array_append_new(processes, object) < 0) {
			json_decref(processes);
			return NULL;
		}
	}
	return processes;
}

static int pid_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* A pid that was reused or called exec is there once. */
static json_t *pids_json(const struct profile *p)
{
	uint32_t *sorted = calloc(p->process_count + 1, sizeof(*sorted));
	json_t *pids = sorted ? json_array() : NULL;

	for (size_t i = 0; pids && i < p->process_count; i++)
		sorted[i] = p->processes[i].pid;
	if (pids)
		qsort(sorted, p->process_count, sizeof(*sorted), pid_compare);
	for (size_t i = 0; pids && i < p->process_count; i++)
		if (!i || sorted[i] != sorted[i - 1])
			json_array_append_new(pids, json_integer(sorted[i]));
	free(sorted);
	return pids;
}

static void kernel_calibration_set(json_t *object, const struct sink_calibration *c, double scale)
{
	json_object_set_new(object, "kernel_entry", json_real(c->kernel_entry));
	json_object_set_new(object, "kernel_exit", json_real(c->kernel_exit));
	json_object_set_new(object, "kernel_entry_error", json_real(c->kernel_entry_error));
	json_object_set_new(object, "kernel_exit_error", json_real(c->kernel_exit_error));
	json_object_set_new(object, "kernel_total_error", json_real(c->kernel_total_error));
	json_object_set_new(object, "kernel_scale", json_real(scale));
}

static json_t *calibration_json(const struct report *r)
{
	const struct profile *p = r->profile;
	json_t *calibrations = json_array();

	for (size_t i = 1; calibrations && i < p->calibration_count; i++) {
		const struct sink_calibration *c = &p->calibrations[i];
		json_t *object = json_pack("{s:I, s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, "
					   "s:o}",
					   "id", (json_int_t)c->id,
					   "python", c->python,
					   "build_id", c->build_id,
					   "entry", c->entry,
					   "exit", c->exit,
					   "entry_error", c->entry_error,
					   "exit_error", c->exit_error,
					   "total_error", c->total_error,
					   "plain_call", c->plain,
					   "search", r->costs.searched[i],
					   "search_error", c->search_error,
					   "scale", r->costs.scale[i],
					   "calls", json_count(r->costs.calibrated_calls[i]));

		if (object && report_has_kernel(r))
			kernel_calibration_set(object, c, r->kernel.scale[i]);
		if (json_array_append_new(calibrations, object) < 0) {
			json_decref(calibrations);
			return NULL;
		}
	}
	return calibrations;
}

static json_t *outside_json(const struct report *r)
{
	const struct call_costs *costs = &r->functions.rows[0].costs;

	if (report_is_sampled(r))
		return json_pack("{s:o, s:o, s:f}", "samples", json_count(costs->samples),
				 "self", json_count(costs->self), "self_error", costs->self_error);
	return json_pack("{s:o, s:o}", "self", json_count(costs->self),
			 "self_raw", json_count(costs->self_raw));
}

static int sampled_compute(const struct report *r, struct sampled *ret)
{
	int err = report_is_sampled(r) ? places_compute(r, PLACE_STATE, true, &ret->states) : 0;

	if (!err && report_is_sampled(r))
		err = places_compute(r, PLACE_NATIVE, true, &ret->natives);
	return err;
}

/* What is there only of samples; what is there only of exact costs goes. */
static void sampling_set(json_t *json, const struct report *r, const struct sampled *s)
{
	json_object_del(json, "total_raw");
	json_object_set_new(json, "mode", json_string("sampled"));
	json_object_set_new(json, "period", json_count(r->profile->meta.period));
	json_object_set_new(json, "samples", json_count(report_samples(r)));
	json_object_set_new(json, "states", json_states(s->states.v, s->states.count));
}

/* What is there only when kernel mode was counted. */
static void kernel_set(json_t *json, const struct report *r)
{
	const struct call_costs *outside = &r->functions.rows[0].costs;
	json_t *object = json_object_get(json, "outside");

	json_object_set_new(json, "kernel_metric",
			    json_string(metric_kernel_name(r->profile->meta.metric)));
	json_object_set_new(json, "kernel_total", json_count(r->kernel.cumulative[0]));
	json_object_set_new(json, "kernel_total_raw", json_count(r->kernel.cumulative_raw[0]));
	json_object_set_new(object, "kernel_self", json_count(outside->kernel_self));
	json_object_set_new(object, "kernel_self_raw", json_count(outside->kernel_self_raw));
}

static json_t *document_json(const struct report *r, const struct sampled *s)
{
	const struct profile *p = r->profile;
	const struct sink_meta *meta = &p->meta;
	bool complete = !r->status.incomplete && !r->status.corrupt;

	return json_pack(
		"{s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:o, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o, "
		"s:o, s:o, s:o, s:o, s:f, s:o}",
		"metric", metric_name(meta->metric),
		"unit", metric_unit(meta->metric),
		"exact", !report_is_sampled(r),
		"complete", complete,
		"raw", r->raw,
		"user_only", meta->user_only,
		"metric_fallback", meta->metric_fallback,
		"duration_ns", json_count(p->duration_ns),
		"start_realtime_ns", json_count(meta->start_realtime_ns),
		"host", meta->host,
		"kernel", meta->kernel,
		"version", meta->version,
		"pids", pids_json(p),
		"processes", processes_json(p),
		"calibration", calibration_json(r),
		"total", json_count(r->costs.cumulative[0]),
		"total_raw", json_count(r->costs.cumulative_raw[0]),
		"outside", outside_json(r),
		"functions", functions_json(r, s),
		"edges", edges_json(r),
		"counter_running", counter_share(r->losses),
		"losses", json_losses(r->losses));
}

/* Of one endpoint; null in the place of endpoint 0. */
struct endpoints_json {
	json_t *array;
	const struct endpoint_views *views;
	bool functions;
};

static int endpoint_add(void *arg, const struct endpoint_part *part)
{
	const struct sink_endpoint *e =
		&part->report.profile->requests.endpoints[part->endpoint];
	struct endpoints_json *j = arg;
	json_t *object = json_pack("{s:I, s:o, s:o, s:s, s:o, s:o, s:f, s:o, s:o}",
				   "id", (json_int_t)part->endpoint,
				   "method", json_string_or_null(e->method),
				   "name", json_string_or_null(e->name),
				   "source", endpoint_source_name(e->source),
				   "view", json_string_or_null(endpoint_view_text(j->views,
										  part->endpoint)),
				   "total", json_count(part->cost),
				   "share", part->percent,
				   "requests", part->endpoint ? json_count(part->requests)
							      : json_null(),
				   "served", part->endpoint ? json_count(part->served)
							    : json_null());

	if (object && part->by_view)
		json_object_set_new(object, "by_view", json_count(part->by_view));
	if (object && part->served_error > 0)
		json_object_set_new(object, "served_error", json_real(part->served_error));
	if (object && report_has_kernel(&part->report))
		json_object_set_new(object, "kernel_total",
				    json_count(part->report.kernel.cumulative[0]));
	if (object && j->functions)
		json_object_set_new(object, "functions", functions_json(&part->report, NULL));
	return json_array_append_new(j->array, object) < 0 ? -ENOMEM : 0;
}

/* Of how many requests the function costs are, and how many there were; null: of all. */
static json_t *captured_json(const struct profile *p)
{
	struct report_captured c;

	if (!report_captured(p, &c))
		return json_null();
	if (!c.estimate)
		return json_pack("{s:o, s:o}", "requests", json_count(c.captured), "of",
				 json_count(c.of));
	return json_pack("{s:o, s:o, s:b, s:f, s:f}", "requests", json_count(c.captured), "of",
			 json_count(c.of), "estimate", 1, "error", c.error, "watched",
			 100 * phase_share(&p->requests.phases));
}

/* What each endpoint's trees cost; the dearest first. */
static int endpoints_set(json_t *json, struct report *r, enum report_sort sort, bool functions)
{
	struct endpoints_json j = { .array = json_array(), .functions = functions };
	struct endpoint_views views = { 0 };
	int err = endpoint_views_compute(r->profile, &views);

	j.views = &views;
	if (!err)
		err = report_each_endpoint(r, sort, endpoint_add, &j);
	endpoint_views_free(&views);
	if (err) {
		json_decref(j.array);
		return err;
	}
	json_object_set_new(json, "endpoints", j.array);
	json_object_set_new(json, "captured", captured_json(r->profile));
	return 0;
}

static int document_put(struct report *r, enum report_sort sort, bool functions, FILE *out)
{
	struct sampled sampled = { 0 };
	int err = sampled_compute(r, &sampled);
	json_t *json = err ? NULL : document_json(r, &sampled);

	if (!err && !json)
		err = -ENOMEM;
	if (!err && report_has_kernel(r))
		kernel_set(json, r);
	if (!err && report_is_sampled(r))
		sampling_set(json, r, &sampled);
	if (!err && r->profile->meta.requests)
		err = endpoints_set(json, r, sort, functions);
	/* A failed write stays in the stream for its owner to find. */
	if (!err) {
		json_dumpf(json, out, JSON_COMPACT);
		fputc('\n', out);
	}
	json_decref(json);
	free(sampled.states.v);
	free(sampled.natives.v);
	return err;
}

int export_json(const struct report *r, FILE *out)
{
	/* Its arrays change meanwhile, and are as they were afterwards. */
	struct report parts = *r;

	return document_put(&parts, SORT_SELF, false, out);
}

int export_json_endpoints(struct report *r, enum report_sort sort, FILE *out)
{
	return document_put(r, sort, true, out);
}
