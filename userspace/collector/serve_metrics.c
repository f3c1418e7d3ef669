/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OpenMetrics 1.0 text: a family's HELP and TYPE, its samples, and "# EOF" at the end. The
 * format before it (Prometheus' text 0.0.4) has no units and no end, and calls a family of
 * counters what its samples are called.
 */
#include "userspace/collector/serve_metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *const result_names[BATCH_RESULTS] = {
	[BATCH_NEW] = "new",
	[BATCH_DUPLICATE] = "duplicate",
	[BATCH_MALFORMED] = "malformed",
	[BATCH_TOO_LARGE] = "too_large",
	[BATCH_UNAUTHORIZED] = "unauthorized",
	[BATCH_FORBIDDEN] = "forbidden",
	[BATCH_CLOCK] = "clock",
	[BATCH_EXPIRED] = "expired",
	[BATCH_RATE] = "rate",
	[BATCH_BUSY] = "busy",
	[BATCH_STORE] = "store",
	[BATCH_DRAINING] = "draining",
	[BATCH_BROKEN_OFF] = "broken_off",
};

static const struct {
	const char *name, *help;
} counts[SERVE_COUNTS] = {
	[COUNT_BYTES] = { "received_bytes", "Bytes of batches as they came." },
	[COUNT_SHIFTED] = { "batches_shifted", "Batches moved in time, as their sender's clock was off." },
	[COUNT_GROUPS] = { "groups", "Groups of batches written to the store." },
	[COUNT_GROUP_ERRORS] = { "group_errors", "Groups that the store did not take." },
	[COUNT_MAINTAIN_ERRORS] = { "maintain_errors", "Rounds of maintenance that failed." },
	[COUNT_QUERIES] = { "queries", "Queries that were asked." },
	[COUNT_QUERY_ERRORS] = { "query_errors", "Queries without an answer, but for those below." },
	[COUNT_QUERY_TIMEOUTS] = { "query_timeouts", "Queries that took too long." },
	[COUNT_QUERY_BUSY] = { "query_busy", "Queries refused as too many waited." },
	[COUNT_REFUSED] = { "requests_refused", "Requests but for batches that were not allowed." },
	[COUNT_CUT] = { "connections_cut", "Connections that took too long for a request." },
	[COUNT_OTLP] = { "otlp_exports", "Minutes of metrics that were sent to a receiver." },
	[COUNT_OTLP_ERRORS] = { "otlp_errors", "The same, not taken by the receiver." },
	[COUNT_RELOADS] = { "reloads", "Tokens and certificates read again." },
	[COUNT_RELOAD_ERRORS] = { "reload_errors", "The same, failed: the old ones stay." },
};

static const struct {
	const char *name, *help;
} gauges[SERVE_GAUGES] = {
	[GAUGE_CONNECTIONS] = { "connections", "Connections that are open." },
	[GAUGE_IN_FLIGHT_BYTES] = { "in_flight_bytes", "Memory of batches that are not yet stored." },
	[GAUGE_WAITING] = { "batches_waiting", "Batches that wait for the store." },
	[GAUGE_QUERIES] = { "queries_running", "Queries that wait or run." },
	[GAUGE_SENDERS] = { "senders", "Senders of which the rate is known." },
};

static const struct {
	const char *name, *help;
} times[SERVE_TIMES] = {
	[TIME_GROUP] = { "group_seconds", "Time to write a group." },
	[TIME_BATCH] = { "batch_seconds", "Time from a batch's arrival to its answer." },
	[TIME_QUERY] = { "query_seconds", "Time to answer a query." },
};

static const double bounds[TIME_BUCKETS] = {
	0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
};

void metrics_time(struct serve_metrics *m, enum serve_time t, uint64_t ns)
{
	unsigned n = 0;

	while (n < TIME_BUCKETS && ns > bounds[n] * 1e9)
		n++;
	__atomic_add_fetch(&m->times[t].buckets[n], 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&m->times[t].ns, ns, __ATOMIC_RELAXED);
}

#define PREFIX "pycost_serve_"
#define READ(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)

struct page {
	FILE *out;
	bool older;
};

static void family(const struct page *p, const char *name, const char *type, const char *unit,
		   const char *help)
{
	const char *tail = p->older && !strcmp(type, "counter") ? "_total" : "";

	fprintf(p->out, "# TYPE %s%s %s\n", name, tail, type);
	if (unit && !p->older)
		fprintf(p->out, "# UNIT %s %s\n", name, unit);
	fprintf(p->out, "# HELP %s%s %s\n", name, tail, help);
}

/* OpenMetrics wants a unit to be the end of the name. */
static const char *unit_of(const char *name)
{
	static const char *const units[] = { "bytes", "seconds" };

	for (int i = 0; i < 2; i++) {
		const char *at = name;

		while (*at && strcmp(at, units[i]))
			at++;
		if (*at)
			return units[i];
	}
	return NULL;
}

static void write_own(const struct serve_metrics *m, const struct page *p)
{
	char name[64];

	family(p, PREFIX "batches", "counter", NULL, "Batches by what became of them.");
	for (int i = 0; i < BATCH_RESULTS; i++)
		fprintf(p->out, PREFIX "batches_total{result=\"%s\"} %" PRIu64 "\n", result_names[i],
			READ(m->batches[i]));
	for (int i = 0; i < SERVE_COUNTS; i++) {
		snprintf(name, sizeof(name), PREFIX "%s", counts[i].name);
		family(p, name, "counter", unit_of(name), counts[i].help);
		fprintf(p->out, "%s_total %" PRIu64 "\n", name, READ(m->counts[i]));
	}
	for (int i = 0; i < SERVE_GAUGES; i++) {
		snprintf(name, sizeof(name), PREFIX "%s", gauges[i].name);
		family(p, name, "gauge", unit_of(name), gauges[i].help);
		fprintf(p->out, "%s %" PRId64 "\n", name, READ(m->gauges[i]));
	}
}

static void write_times(const struct serve_metrics *m, const struct page *p)
{
	for (int i = 0; i < SERVE_TIMES; i++) {
		uint64_t sum = 0;
		char name[64];

		snprintf(name, sizeof(name), PREFIX "%s", times[i].name);
		family(p, name, "histogram", "seconds", times[i].help);
		for (int n = 0; n <= TIME_BUCKETS; n++) {
			sum += READ(m->times[i].buckets[n]);
			if (n < TIME_BUCKETS)
				fprintf(p->out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, bounds[n], sum);
			else
				fprintf(p->out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, sum);
		}
		fprintf(p->out, "%s_count %" PRIu64 "\n%s_sum %.9f\n", name, sum, name,
			READ(m->times[i].ns) / 1e9);
	}
}

static unsigned open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n > 3 ? n - 3 : 0; /* "." and ".." and itself */
}

static uint64_t resident(void)
{
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%*u %llu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

/* By the names that all exporters use for them. */
static void write_process(const struct serve_state *s, const struct page *p)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	family(p, "process_cpu_seconds", "counter", "seconds", "Processor time used.");
	fprintf(p->out, "process_cpu_seconds_total %.6f\n",
		u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
	family(p, "process_resident_memory_bytes", "gauge", "bytes", "Resident memory.");
	fprintf(p->out, "process_resident_memory_bytes %" PRIu64 "\n", resident());
	family(p, "process_open_fds", "gauge", NULL, "Open files.");
	fprintf(p->out, "process_open_fds %u\n", open_files());
	family(p, "process_start_time_seconds", "gauge", "seconds", "When it started, Unix time.");
	fprintf(p->out, "process_start_time_seconds %" PRIu64 "\n", s->started_s);
}

static void gauge(const struct page *p, const char *name, const char *help, uint64_t value)
{
	family(p, name, "gauge", unit_of(name), help);
	fprintf(p->out, "%s %" PRIu64 "\n", name, value);
}

void metrics_write(const struct serve_metrics *m, const struct serve_state *s, bool older,
		   FILE *out)
{
	const struct page p = { out, older };

	write_own(m, &p);
	write_times(m, &p);
	gauge(&p, PREFIX "ready", "1: it takes batches.", s->ready);
	if (s->certificate_expires)
		gauge(&p, PREFIX "certificate_expires_seconds", "When its certificate ends, Unix time.",
		      s->certificate_expires);
	gauge(&p, "pycost_store_bytes", "Size of the store, as far as known.", s->store.bytes);
	gauge(&p, "pycost_store_rolled_until_seconds", "Until when hours are made, Unix time.",
	      s->store.rolled_until_s);
	family(&p, "pycost_store_batches", "counter", NULL, "Batches written since the start.");
	fprintf(out, "pycost_store_batches_total %" PRIu64 "\n", s->store.batches);
	family(&p, "pycost_store_rows", "counter", NULL, "Rows written since the start.");
	fprintf(out, "pycost_store_rows_total %" PRIu64 "\n", s->store.rows);
	write_process(s, &p);
	fputs(p.older ? "" : "# EOF\n", out);
}
