/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "userspace/collector/otlp.h"
#include "userspace/fleet/batch.h"

#define SECOND_NS 1000000000ull

/* Ours, and what UCUM, which OpenTelemetry asks for, calls them. */
static const struct {
	const char *ours, *theirs;
} units[] = {
	{ "count", "1" }, { "number", "1" }, { "cost", "1" },
	{ "ns", "ns" },	  { "bytes", "By" }, { "percent", "%" },
};
#define UNIT_COUNT (sizeof(units) / sizeof(*units))

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* NULL: no number, or a detail. */
static const char *unit_of(const json_t *column)
{
	if (json_is_true(json_object_get(column, "detail")))
		return NULL;
	for (size_t i = 0; i < UNIT_COUNT; i++)
		if (!strcmp(units[i].ours, text_at(column, "unit")))
			return units[i].theirs;
	return NULL;
}

static json_t *attribute(const char *key, const char *value)
{
	return json_pack("{s:s, s:{s:s}}", "key", key, "value", "stringValue", value);
}

/* The columns of text but for the service, which is the resource. */
static json_t *attributes(const json_t *columns, const json_t *row)
{
	json_t *ret = json_array(), *column;
	size_t i;

	json_array_foreach((json_t *)columns, i, column) {
		const char *value = json_string_value(json_array_get(row, i));

		if (value && strcmp(text_at(column, "name"), TAG_KEY_SERVICE))
			json_array_append_new(ret, attribute(text_at(column, "name"), value));
	}
	return ret;
}

/* 64-bit numbers are text in protobuf's JSON. */
static json_t *time_of(const json_t *answer, const char *key)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu",
		 json_integer_value(json_object_get(answer, key)) * SECOND_NS);
	return json_string(text);
}

static json_t *points(const json_t *answer, const json_t *rows, size_t column)
{
	const json_t *columns = json_object_get(answer, "columns");
	json_t *ret = json_array(), *row;
	size_t i;

	json_array_foreach((json_t *)rows, i, row) {
		const json_t *value = json_array_get(row, column);

		if (!json_is_number(value))
			continue;
		json_array_append_new(ret, json_pack("{s:o, s:o, s:o, s:f}", "attributes",
						     attributes(columns, row), "startTimeUnixNano",
						     time_of(answer, "since"), "timeUnixNano",
						     time_of(answer, "until"), "asDouble",
						     json_number_value(value)));
	}
	return ret;
}

static json_t *metrics_of(const json_t *answer, const json_t *rows)
{
	json_t *ret = json_array(), *column;
	char name[128];
	size_t i;

	json_array_foreach(json_object_get(answer, "columns"), i, column) {
		const char *unit = unit_of(column);
		json_t *data = unit ? points(answer, rows, i) : NULL;

		snprintf(name, sizeof(name), "pycost.requests.%s", text_at(column, "name"));
		if (json_array_size(data))
			json_array_append_new(ret, json_pack("{s:s, s:s, s:{s:O}}", "name", name, "unit", unit,
							     "gauge", "dataPoints", data));
		json_decref(data);
	}
	return ret;
}

/* {service: [row...]} */
static json_t *rows_by_service(const json_t *answer)
{
	json_t *ret = json_object(), *column, *row, *rows;
	size_t i, at = SIZE_MAX;

	json_array_foreach(json_object_get(answer, "columns"), i, column)
		if (!strcmp(text_at(column, "name"), TAG_KEY_SERVICE))
			at = i;
	json_array_foreach(json_object_get(answer, "rows"), i, row) {
		const char *service = json_string_value(json_array_get(row, at));

		service = service ? service : "";
		rows = json_object_get(ret, service);
		if (!rows && !json_object_set_new(ret, service, json_array()))
			rows = json_object_get(ret, service);
		json_array_append(rows, row);
	}
	return ret;
}

json_t *otlp_metrics(const json_t *answer)
{
	json_t *services = rows_by_service(answer), *resources = json_array(), *rows;
	const char *service;

	json_object_foreach(services, service, rows)
		json_array_append_new(
			resources,
			json_pack("{s:{s:[o]}, s:[{s:{s:s, s:s}, s:o}]}", "resource", "attributes",
				  attribute("service.name", service), "scopeMetrics", "scope", "name",
				  "pycost", "version", PYCOST_VERSION, "metrics",
				  metrics_of(answer, rows)));
	json_decref(services);
	return json_pack("{s:o}", "resourceMetrics", resources);
}
