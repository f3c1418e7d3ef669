/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/collector/minute_metrics.h"

#include <inttypes.h>

#define PREFIX "pycost_minute_"
#define LATENCY PREFIX "latency_seconds"

struct page {
	const struct minute *minute;
	bool older;
	FILE *out;
};

static void family(const struct page *p, const char *name, const char *type, const char *unit,
		   const char *help)
{
	fprintf(p->out, "# TYPE %s %s\n", name, type);
	if (unit && !p->older)
		fprintf(p->out, "# UNIT %s %s\n", name, unit);
	fprintf(p->out, "# HELP %s %s\n", name, help);
}

static void label(const struct page *p, const char *name, const char *value)
{
	fprintf(p->out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			putc('\\', p->out);
		if (*value == '\n')
			fputs("\\n", p->out);
		else
			putc(*value, p->out);
	}
	putc('"', p->out);
}

static void row_labels(const struct page *p, const struct minute_row *r)
{
	label(p, "service", r->service);
	label(p, ",version", r->version);
	label(p, ",endpoint", r->endpoint);
	label(p, ",status", r->status);
	label(p, ",metric", r->metric);
}

/* Seconds, and before OpenMetrics milliseconds. */
static void value(const struct page *p, double v)
{
	fprintf(p->out, "} %.17g %" PRIu64 "%s\n", v, p->minute->begin_s + MINUTE_S,
		p->older ? "000" : "");
}

static void row_sample(const struct page *p, const char *name, const struct minute_row *r, double v)
{
	fprintf(p->out, "%s{", name);
	row_labels(p, r);
	value(p, v);
}

static void write_buckets(const struct page *p, const struct minute_row *r)
{
	uint64_t sum = 0;
	char bound[32];

	for (int n = 0; n <= MINUTE_BOUNDS; n++) {
		sum += r->latency[n];
		if (n < MINUTE_BOUNDS)
			snprintf(bound, sizeof(bound), "%g", minute_bounds[n]);
		fprintf(p->out, LATENCY "_bucket{");
		row_labels(p, r);
		label(p, ",le", n < MINUTE_BOUNDS ? bound : "+Inf");
		value(p, sum);
	}
}

static void write_latency(const struct page *p)
{
	const struct minute *m = p->minute;

	family(p, LATENCY, p->older ? "histogram" : "gaugehistogram", "seconds",
	       "Latency of the minute's requests, of those that were watched.");
	for (size_t i = 0; i < m->row_count; i++) {
		write_buckets(p, &m->rows[i]);
		if (p->older)
			continue;
		row_sample(p, LATENCY "_gcount", &m->rows[i], m->rows[i].watched);
		row_sample(p, LATENCY "_gsum", &m->rows[i], m->rows[i].latency_s);
	}
	if (!p->older)
		return;
	family(p, LATENCY "_gcount", "gauge", NULL, "Requests that were watched.");
	for (size_t i = 0; i < m->row_count; i++)
		row_sample(p, LATENCY "_gcount", &m->rows[i], m->rows[i].watched);
	family(p, LATENCY "_gsum", "gauge", NULL, "Seconds of all of them.");
	for (size_t i = 0; i < m->row_count; i++)
		row_sample(p, LATENCY "_gsum", &m->rows[i], m->rows[i].latency_s);
}

static void write_users(const struct page *p)
{
	const struct minute *m = p->minute;

	family(p, PREFIX "users", "gauge", NULL, "Distinct users in the minute.");
	for (size_t i = 0; i < m->user_count; i++) {
		fputs(PREFIX "users{", p->out);
		label(p, "service", m->users[i].service);
		label(p, ",version", m->users[i].version);
		label(p, ",metric", m->users[i].metric);
		value(p, m->users[i].users);
	}
}

void minute_metrics_write(const struct minute *m, bool older, FILE *out)
{
	const struct page p = { m, older, out };

	family(&p, PREFIX "requests", "gauge", NULL, "Requests in the minute.");
	for (size_t i = 0; i < m->row_count; i++)
		row_sample(&p, PREFIX "requests", &m->rows[i], m->rows[i].requests);
	family(&p, PREFIX "cost", "gauge", NULL, "What they cost, in units of the label metric.");
	for (size_t i = 0; i < m->row_count; i++)
		row_sample(&p, PREFIX "cost", &m->rows[i], m->rows[i].cost);
	write_latency(&p);
	write_users(&p);
	family(&p, PREFIX "cut", "gauge", NULL, "Rows that were put together as other, or left out.");
	fprintf(out, PREFIX "cut %zu\n", m->cut);
	family(&p, PREFIX "end_seconds", "gauge", "seconds", "When the minute ended, Unix time.");
	fprintf(out, PREFIX "end_seconds %" PRIu64 "\n", m->begin_s + MINUTE_S);
	fputs(older ? "" : "# EOF\n", out);
}
