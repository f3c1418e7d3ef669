/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otlp.pb-c.h"
#include "userspace/collector/otlp.h"
#include "userspace/collector/otlp_items.h"
#include "userspace/fleet/batch.h"
#include "userspace/query/minute.h"
#include "userspace/sink.h"

#define SECOND_NS 1000000000ull
#define POINT_ATTRIBUTES 3
#define NAME_SIZE 96

/* The messages point to each other; all that they are made of is in the arena. */
struct making {
	struct otlp_items items;
	const struct minute *minute;
	double bounds[MINUTE_BOUNDS];
	Otlp__Metrics all;
};

/* ---- points ---- */

static Otlp__Attribute **point_attributes(struct making *m, const struct minute_row *r)
{
	Otlp__Attribute **ret = otlp_items(&m->items, POINT_ATTRIBUTES, sizeof(*ret));

	if (!ret)
		return NULL;
	ret[0] = otlp_attribute(&m->items, TAG_KEY_ENDPOINT, r->endpoint);
	ret[1] = otlp_attribute(&m->items, TAG_KEY_STATUS, r->status);
	ret[2] = otlp_attribute(&m->items, TAG_KEY_METRIC, r->metric);
	return ret;
}

static Otlp__Number *number(struct making *m, Otlp__Attribute **attributes, size_t count, double value)
{
	Otlp__Number *n = OTLP_NEW(&m->items, Otlp__Number, OTLP__NUMBER__INIT);

	if (!n)
		return NULL;
	n->start_ns = m->minute->begin_s * SECOND_NS;
	n->time_ns = n->start_ns + MINUTE_S * SECOND_NS;
	n->value_case = OTLP__NUMBER__VALUE_NUMBER;
	n->number = value;
	n->attributes = attributes;
	n->n_attributes = count;
	return n;
}

static Otlp__Spread *spread(struct making *m, const struct minute_row *r)
{
	Otlp__Spread *s = OTLP_NEW(&m->items, Otlp__Spread, OTLP__SPREAD__INIT);

	if (!s)
		return NULL;
	s->start_ns = m->minute->begin_s * SECOND_NS;
	s->time_ns = s->start_ns + MINUTE_S * SECOND_NS;
	s->count = r->watched;
	s->has_sum_case = OTLP__SPREAD__HAS_SUM_SUM;
	s->sum = r->latency_s;
	s->counts = (uint64_t *)r->latency;
	s->n_counts = MINUTE_BOUNDS + 1;
	s->bounds = m->bounds;
	s->n_bounds = MINUTE_BOUNDS;
	s->attributes = point_attributes(m, r);
	s->n_attributes = POINT_ATTRIBUTES;
	return s;
}

/* ---- metrics ---- */

static Otlp__Metric *metric(struct making *m, const char *name, const char *unit, const char *what)
{
	Otlp__Metric *ret = OTLP_NEW(&m->items, Otlp__Metric, OTLP__METRIC__INIT);

	if (!ret)
		return NULL;
	ret->name = (char *)name;
	ret->unit = (char *)unit;
	ret->description = (char *)what;
	return ret;
}

static Otlp__Metric *sum(struct making *m, const char *name, const char *unit, const char *what,
			 Otlp__Number **points, size_t count)
{
	Otlp__Metric *ret = metric(m, name, unit, what);
	Otlp__Sum *s = OTLP_NEW(&m->items, Otlp__Sum, OTLP__SUM__INIT);

	if (!s)
		return NULL;
	s->points = points;
	s->n_points = count;
	s->temporality = OTLP__TEMPORALITY__DELTA;
	s->monotonic = true;
	ret->data_case = OTLP__METRIC__DATA_SUM;
	ret->sum = s;
	return ret;
}

static Otlp__Metric *histogram(struct making *m, Otlp__Spread **points, size_t count)
{
	Otlp__Metric *ret = metric(m, "pycost.request.latency", "s", "Latency of those that were watched.");
	Otlp__Histogram *h = OTLP_NEW(&m->items, Otlp__Histogram, OTLP__HISTOGRAM__INIT);

	if (!h)
		return NULL;
	h->points = points;
	h->n_points = count;
	h->temporality = OTLP__TEMPORALITY__DELTA;
	ret->data_case = OTLP__METRIC__DATA_HISTOGRAM;
	ret->histogram = h;
	return ret;
}

/* Each metric is a name of its own, as what it counts is its unit. */
static Otlp__Metric *cost(struct making *m, const struct minute_row *const *rows, size_t count,
			  const char *of)
{
	Otlp__Number **points = otlp_items(&m->items, count, sizeof(*points));
	char *name = otlp_items(&m->items, 1, NAME_SIZE), unit[NAME_SIZE];
	char *kept = otlp_items(&m->items, 1, NAME_SIZE);
	size_t n = 0;

	for (size_t i = 0; kept && i < count; i++)
		if (!strcmp(rows[i]->metric, of))
			points[n++] = number(m, point_attributes(m, rows[i]), POINT_ATTRIBUTES, rows[i]->cost);
	if (!kept)
		return NULL;
	/* "instructions:u" is what users' code runs; "task-clock" is time. */
	snprintf(name, NAME_SIZE, "pycost.request.%.*s", (int)strcspn(of, ":"), of);
	for (char *c = name; *c; c++)
		*c = *c == '-' ? '_' : *c;
	snprintf(unit, sizeof(unit), "{%.*s}", (int)strcspn(of, ":"), of);
	strcpy(kept, strcmp(of, metric_name(METRIC_TASK_CLOCK)) ? unit : "ns");
	return sum(m, name, kept, "What the requests cost.", points, n);
}

static Otlp__Metric *users(struct making *m, const struct minute_row *of)
{
	const struct minute *minute = m->minute;
	Otlp__Number **points = otlp_items(&m->items, minute->user_count + 1, sizeof(*points));
	Otlp__Metric *ret = metric(m, "pycost.users", "{user}", "Distinct users in the minute.");
	Otlp__Gauge *g = OTLP_NEW(&m->items, Otlp__Gauge, OTLP__GAUGE__INIT);

	if (!g)
		return NULL;
	g->points = points;
	for (size_t i = 0; i < minute->user_count && !m->items.failed; i++) {
		const struct minute_users *u = &minute->users[i];
		Otlp__Attribute **attributes;

		if (strcmp(u->service, of->service) || strcmp(u->version, of->version))
			continue;
		attributes = otlp_items(&m->items, 1, sizeof(*attributes));
		if (!attributes)
			return NULL;
		*attributes = otlp_attribute(&m->items, TAG_KEY_METRIC, u->metric);
		points[g->n_points++] = number(m, attributes, 1, u->users);
	}
	ret->data_case = OTLP__METRIC__DATA_GAUGE;
	ret->gauge = g;
	return g->n_points ? ret : NULL;
}

/* ---- resources: a version of a service each ---- */

static void metrics_make(struct making *m, Otlp__ScopeMetrics *scope,
			 const struct minute_row *const *rows, size_t count)
{
	Otlp__Number **requests = otlp_items(&m->items, count, sizeof(*requests));
	Otlp__Spread **spreads = otlp_items(&m->items, count, sizeof(*spreads));
	Otlp__Metric *of_users = users(m, rows[0]);

	scope->metrics = otlp_items(&m->items, count + 3, sizeof(*scope->metrics));
	for (size_t i = 0; i < count && !m->items.failed; i++) {
		requests[i] = number(m, point_attributes(m, rows[i]), POINT_ATTRIBUTES, rows[i]->requests);
		spreads[i] = spread(m, rows[i]);
	}
	if (m->items.failed)
		return;
	scope->metrics[scope->n_metrics++] = sum(m, "pycost.requests", "{request}",
						 "Requests, watched or not.", requests, count);
	scope->metrics[scope->n_metrics++] = histogram(m, spreads, count);
	if (of_users)
		scope->metrics[scope->n_metrics++] = of_users;
	/* Rows come by metric. */
	for (size_t i = 0; i < count; i++)
		if (!i || strcmp(rows[i]->metric, rows[i - 1]->metric))
			scope->metrics[scope->n_metrics++] = cost(m, rows, count, rows[i]->metric);
}

static void resource_make(struct making *m, const struct minute_row *const *rows, size_t count)
{
	Otlp__ResourceMetrics *r = OTLP_NEW(&m->items, Otlp__ResourceMetrics, OTLP__RESOURCE_METRICS__INIT);
	Otlp__ScopeMetrics *s = OTLP_NEW(&m->items, Otlp__ScopeMetrics, OTLP__SCOPE_METRICS__INIT);
	Otlp__Scope *scope = OTLP_NEW(&m->items, Otlp__Scope, OTLP__SCOPE__INIT);
	Otlp__Resource *resource = OTLP_NEW(&m->items, Otlp__Resource, OTLP__RESOURCE__INIT);
	Otlp__Attribute **attributes = otlp_items(&m->items, 2, sizeof(*attributes));
	Otlp__ScopeMetrics **scopes = otlp_items(&m->items, 1, sizeof(*scopes));

	if (m->items.failed)
		return;
	attributes[0] = otlp_attribute(&m->items, "service.name", rows[0]->service);
	attributes[1] = otlp_attribute(&m->items, "service.version", rows[0]->version);
	resource->attributes = attributes;
	resource->n_attributes = *rows[0]->version ? 2 : 1;
	scope->name = "pycost";
	scope->version = PYCOST_VERSION;
	s->scope = scope;
	metrics_make(m, s, rows, count);
	*scopes = s;
	r->resource = resource;
	r->scopes = scopes;
	r->n_scopes = 1;
	m->all.resources[m->all.n_resources++] = r;
}

static int by_resource(const void *a, const void *b)
{
	const struct minute_row *x = *(const struct minute_row *const *)a;
	const struct minute_row *y = *(const struct minute_row *const *)b;
	int order = strcmp(x->service, y->service);

	if (!order)
		order = strcmp(x->version, y->version);
	return order ? order : strcmp(x->metric, y->metric);
}

static bool is_of_same(const struct minute_row *a, const struct minute_row *b)
{
	return !strcmp(a->service, b->service) && !strcmp(a->version, b->version);
}

static void all_make(struct making *m)
{
	size_t count = m->minute->row_count, end;
	const struct minute_row **rows = otlp_items(&m->items, count, sizeof(*rows));

	m->all.resources = otlp_items(&m->items, count, sizeof(*m->all.resources));
	if (m->items.failed)
		return;
	for (size_t i = 0; i < count; i++)
		rows[i] = &m->minute->rows[i];
	qsort(rows, count, sizeof(*rows), by_resource);
	for (size_t i = 0; i < count && !m->items.failed; i = end) {
		for (end = i + 1; end < count && is_of_same(rows[i], rows[end]);)
			end++;
		resource_make(m, rows + i, end - i);
	}
}

int otlp_metrics_pack(const struct minute *minute, uint8_t **ret, size_t *ret_size)
{
	struct making m = { .minute = minute, .all = OTLP__METRICS__INIT };
	int err = -ENOMEM;

	if (!minute->row_count)
		return -ENODATA;
	memcpy(m.bounds, minute_bounds, sizeof(m.bounds));
	all_make(&m);
	if (!m.items.failed) {
		*ret_size = otlp__metrics__get_packed_size(&m.all);
		*ret = malloc(*ret_size);
		err = *ret ? 0 : -ENOMEM;
	}
	if (!err)
		otlp__metrics__pack(&m.all, *ret);
	arena_free(&m.items.memory);
	return err;
}
