/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What samples tell beyond costs: parts of the whole document, and documents of their
 * own for --lines, --opcodes and --natives.  Those are
 *
 *	{"mode": "sampled", "metric", "unit", "period", "samples",
 *	 "functions": [{"name", "qualname", "module", "file", "line", ...}]}
 *
 * with one function for each that was asked for, and in it "lines", "opcodes" or
 * "natives".  Without any function these are beside "samples", of everything.
 */
#include <errno.h>
#include <stdlib.h>

#include "symbolizer/opcodes.h"
#include "userspace/estimate.h"
#include "userspace/export.h"
#include "userspace/export_json_parts.h"
#include "userspace/line_costs.h"
#include "userspace/saturate.h"

json_t *json_states(const struct place *v, size_t count)
{
	uint64_t states[SAMPLE_STATES] = { 0 }, kernel = 0;
	json_t *object = json_object();

	for (size_t i = 0; i < count; i++) {
		uint64_t *sum = &states[v[i].place];

		*sum = saturating_add(*sum, v[i].samples);
		kernel = saturating_add(kernel, v[i].in_kernel);
	}
	for (int i = 0; object && i < SAMPLE_STATES; i++)
		json_object_set_new(object, sample_state_name(i), json_count(states[i]));
	json_object_set_new(object, "kernel", json_count(kernel));
	return object;
}

json_t *json_natives(const struct report *r, const struct place *v, size_t count)
{
	json_t *natives = json_array();

	for (size_t i = 0; natives && i < count; i++) {
		const struct sink_native *n = &r->profile->natives[v[i].place];
		json_t *object = json_pack("{s:o, s:o, s:o, s:o}",
					   "symbol", json_string_or_null(n->symbol),
					   "object", json_string_or_null(n->object),
					   "samples", json_count(v[i].samples),
					   "kernel", json_count(v[i].in_kernel));

		if (json_array_append_new(natives, object) < 0) {
			json_decref(natives);
			return NULL;
		}
	}
	return natives;
}

/* Shares are of the samples of the same Python, in percent. */
static void minors_add_up(const struct place *v, size_t count, uint64_t samples[PLACE_MINORS])
{
	for (size_t i = 0; i < count; i++) {
		uint64_t *sum = &samples[place_minor(v[i].place)];

		*sum = saturating_add(*sum, v[i].samples);
	}
}

json_t *json_opcodes(const struct place *v, size_t count)
{
	uint64_t minor_samples[PLACE_MINORS] = { 0 };
	json_t *opcodes = json_array();

	minors_add_up(v, count, minor_samples);
	for (size_t i = 0; opcodes && i < count; i++) {
		int minor = place_minor(v[i].place);
		uint16_t opcode = v[i].place & 0xffff;
		const char *name = opcode_name(minor, opcode);
		const char *family = opcode_family(minor, opcode);
		uint64_t all = minor_samples[minor];
		char python[16] = "";
		json_t *object;

		if (minor)
			snprintf(python, sizeof(python), "3.%d", minor);
		object = json_pack("{s:o, s:o, s:o, s:o, s:o, s:f, s:f}",
				   "python", json_string_or_null(python),
				   "opcode", opcode == SINK_NO_OPCODE ? json_null()
								      : json_integer(opcode),
				   "name", json_string_or_null(name ? name : ""),
				   "family", json_string_or_null(family ? family : ""),
				   "samples", json_count(v[i].samples),
				   "share", estimate_percent(v[i].samples, all),
				   "share_error", estimate_percent_error(v[i].samples, all));
		if (json_array_append_new(opcodes, object) < 0) {
			json_decref(opcodes);
			return NULL;
		}
	}
	return opcodes;
}

static json_t *line_json(const struct report *r, const struct line_costs *c,
			 const struct place *place)
{
	uint64_t all = report_samples(r), period = r->profile->meta.period;
	bool has_text = place->place && place->place <= c->source.count;

	return json_pack(
		"{s:o, s:o, s:o, s:f, s:o, s:o, s:f, s:o}",
		"line", place->place ? json_integer(place->place) : json_null(),
		"samples", json_count(place->samples),
		"self", json_count(estimate_cost(place->samples, period)),
		"self_error", estimate_error(place->samples, all, period),
		"cumulative_samples", json_count(place->cumulative),
		"cumulative", json_count(estimate_cost(place->cumulative, period)),
		"cumulative_error", estimate_error(place->cumulative, all, period),
		"source", has_text ? json_string(c->source.lines[place->place - 1]) : json_null());
}

static int lines_set(json_t *function, const struct report *r, const struct places *all,
		     uint32_t row)
{
	json_t *lines = json_array();
	struct line_costs c;
	int err = line_costs_compute(r, all, row, &c);

	if (err) {
		json_decref(lines);
		return err;
	}
	for (size_t i = 0; !err && i < c.count; i++)
		if (json_array_append_new(lines, line_json(r, &c, &c.lines[i])) < 0)
			err = -ENOMEM;
	json_object_set_new(function, "note", json_string_or_null(c.note));
	if (json_object_set_new(function, "lines", lines) < 0)
		err = -ENOMEM;
	line_costs_free(&c);
	return err;
}

static json_t *function_json(const struct report *r, uint32_t row)
{
	const struct function_row *function = &r->functions.rows[row];
	const struct sink_function *f = &r->profile->functions[function->function];
	const struct call_costs *costs = &function->costs;

	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:f, s:o, s:o, s:f}",
			 "name", f->name,
			 "qualname", f->qualname,
			 "module", f->module,
			 "file", f->file,
			 "line", (json_int_t)f->line,
			 "samples", json_count(costs->samples),
			 "self", json_count(costs->self),
			 "self_error", costs->self_error,
			 "cumulative_samples", json_count(costs->cumulative_samples),
			 "cumulative", json_count(costs->cumulative),
			 "cumulative_error", costs->cumulative_error);
}

/* What was asked for of one row, or of everything. */
static int places_set(json_t *to, const struct report *r, enum place_kind kind,
		      const struct place *v, size_t count)
{
	bool opcodes = kind == PLACE_OPCODE;

	return json_object_set_new(to, opcodes ? "opcodes" : "natives",
				   opcodes ? json_opcodes(v, count)
					   : json_natives(r, v, count)) < 0
		       ? -ENOMEM
		       : 0;
}

static json_t *functions_json(const struct report *r, enum place_kind kind,
			      const struct places *places, const uint32_t *rows, size_t row_count)
{
	json_t *functions = json_array();
	int err = functions ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < row_count; i++) {
		json_t *function = function_json(r, rows[i]);
		size_t count;
		const struct place *v = places_of(places, rows[i], &count);

		if (kind == PLACE_LINE)
			err = lines_set(function, r, places, rows[i]);
		else
			err = places_set(function, r, kind, v, count);
		if (json_array_append_new(functions, function) < 0)
			err = -ENOMEM;
	}
	if (!err)
		return functions;
	json_decref(functions);
	return NULL;
}

int export_json_places(const struct report *r, enum place_kind kind, const uint32_t *rows,
		       size_t row_count, FILE *out)
{
	const struct sink_meta *meta = &r->profile->meta;
	struct places places;
	json_t *json;
	int err = places_compute(r, kind, row_count > 0, &places);

	if (err)
		return err;
	json = json_pack("{s:s, s:s, s:s, s:o, s:o}", "mode", "sampled",
			 "metric", metric_name(meta->metric), "unit", metric_unit(meta->metric),
			 "period", json_count(meta->period),
			 "samples", json_count(report_samples(r)));
	if (!json)
		err = -ENOMEM;
	else if (!row_count)
		err = places_set(json, r, kind, places.v, places.count);
	else if (json_object_set_new(json, "functions",
				     functions_json(r, kind, &places, rows, row_count)) < 0)
		err = -ENOMEM;
	if (!err) {
		json_dumpf(json, out, JSON_COMPACT);
		fputc('\n', out);
	}
	json_decref(json);
	free(places.v);
	return err;
}
