/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/query/query_measure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "userspace/request_table.h"

#define COUNTER "counter."

const char *query_measure_unit(enum request_measure m)
{
	switch (m) {
	case REQUEST_COST:
	case REQUEST_KERNEL_COST:
	case REQUEST_GC_COST:
	case REQUEST_IMPORT_COST:
		return "cost";
	case REQUEST_RSS:
	case REQUEST_BYTES_IN:
	case REQUEST_BYTES_OUT:
		return "bytes";
	case REQUEST_GCS:
	case REQUEST_IMPORTS:
	case REQUEST_THREADS:
	case REQUEST_PROBED_CALLS:
		return "number";
	default:
		return "ns";
	}
}

static bool word_parse(const char *text, struct query_measure *ret)
{
	static const struct {
		const char *name;
		struct query_measure m;
	} words[] = {
		{ "self", { MEASURE_FUNCTIONS, "self", .unit = "cost" } },
		{ "cumulative", { MEASURE_FUNCTIONS, "cumulative", .unit = "cost" } },
		{ "calls", { MEASURE_FUNCTIONS, "calls", .unit = "count" } },
		{ "samples", { MEASURE_FUNCTIONS, "samples", .unit = "count" } },
		{ "requests", { MEASURE_REQUESTS, .unit = "count" } },
		{ "rate", { MEASURE_RATE, .unit = "number" } },
		{ "failed", { MEASURE_FAILED, .unit = "count" } },
		{ "cost", { MEASURE_COST, .unit = "cost" } },
		{ "users", { MEASURE_USERS, .unit = "count" } },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(text, words[i].name)) {
			*ret = words[i].m;
			return true;
		}
	if (strncmp(text, COUNTER, strlen(COUNTER)) || !text[strlen(COUNTER)])
		return false;
	*ret = (struct query_measure){ MEASURE_COUNTER, .name = text + strlen(COUNTER),
				       .unit = "number" };
	return true;
}

static bool distribution_of(enum request_measure m, enum request_distribution *ret)
{
	static const enum request_measure measures[REQUEST_DISTRIBUTIONS] = {
		[DISTRIBUTION_COST] = REQUEST_COST,
		[DISTRIBUTION_LATENCY] = REQUEST_LATENCY,
		[DISTRIBUTION_CPU] = REQUEST_CPU,
	};

	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
		if (measures[d] == m) {
			*ret = d;
			return true;
		}
	return false;
}

/* "latency.p99" */
static bool dotted_parse(const char *text, struct query_measure *ret)
{
	const char *dot = strrchr(text, '.');
	struct query_measure m = { 0 };

	for (int i = 0; dot && !m.unit && i < REQUEST_MEASURES; i++) {
		const char *name = request_measure_name(i);

		if (strlen(name) == (size_t)(dot - text) && !memcmp(name, text, dot - text)) {
			m.measure = i;
			m.unit = query_measure_unit(i);
		}
	}
	if (!m.unit)
		return false;
	if (!strcmp(dot + 1, "sum"))
		m.kind = MEASURE_SUM;
	else if (!strcmp(dot + 1, "mean"))
		m.kind = MEASURE_MEAN;
	for (int q = 0; q < REQUEST_QUANTILES; q++)
		if (!strcmp(dot + 1, request_quantile_names[q]) &&
		    distribution_of(m.measure, &m.distribution)) {
			m.kind = MEASURE_QUANTILE;
			m.level = request_quantile_levels[q];
		}
	*ret = m;
	return m.kind;
}

int query_measure_parse(const char *text, struct query_measure *ret, char *err, size_t errlen)
{
	if (word_parse(text, ret) || dotted_parse(text, ret))
		return 0;
	snprintf(err, errlen,
		 "measure: '%.40s' is none of: self, cumulative, calls, samples (of functions); "
		 "requests, rate, failed, cost, users; a measure of requests with .sum or .mean, as "
		 "gc.mean; cost, latency or cpu with .p50, .p90 or .p99; counter.NAME",
		 text);
	return -EINVAL;
}
