// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store-load STORE [HOSTS [DAYS [MINUTES [SECONDS]]]]: what it takes to keep a fleet's facts in a
 * directory or on a ClickHouse server, and to ask for them. Default: 1000 hosts, 30 days, 3 minutes, in groups of what
 * comes in 5 seconds.
 *
 * Twenty services of twenty endpoints and a thousand functions each, a new version of each
 * service every day, which changes one function in twenty. Each endpoint runs through 250
 * functions and 100 call paths; what they cost is spread over five powers of ten.
 *
 * First some minutes come in as they would, a batch of each host, in groups;
 * then the days, as what hours add up to: one minute in each hour has what all hosts of the
 * hour come to. Hours and days are made of it as always. Then it is asked for.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "userspace/store/rows.h"
#include "userspace/store/store.h"

#define SERVICES 20
#define ENDPOINTS 20
#define FUNCTIONS 1000 /* of a service */
#define FUNCTIONS_EACH 250 /* of an endpoint */
#define PATHS_EACH 100
#define BINS_EACH 20
#define DAY 86400ull
#define BEGIN_S 1761955200ull /* a midnight */

struct host {
	struct batch batch;
	char texts[ENDPOINTS + 3][32];
	struct batch_tag tags[ENDPOINTS][6];
	struct batch_slice slices[ENDPOINTS];
	struct batch_function functions[FUNCTIONS];
	char names[FUNCTIONS][48];
	struct batch_path paths[FUNCTIONS];
	struct batch_cost costs[ENDPOINTS * FUNCTIONS_EACH];
	struct batch_path_cost path_costs[ENDPOINTS * PATHS_EACH];
	struct batch_requests requests[ENDPOINTS];
	struct sink_bin bins[ENDPOINTS][REQUEST_DISTRIBUTIONS][BINS_EACH];
};

static uint64_t state = 88172645463325252ull;

static uint64_t any(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

static uint64_t any_cost(uint64_t scale)
{
	uint64_t cost = 10 + any(90);

	for (uint64_t power = any(5); power; power--)
		cost *= 10;
	return (cost + any(cost)) * scale;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void make_slices(struct host *h, unsigned int host, unsigned int service, unsigned int day)
{
	snprintf(h->texts[0], sizeof(*h->texts), "host-%u.example", host);
	snprintf(h->texts[1], sizeof(*h->texts), "service-%u", service);
	snprintf(h->texts[2], sizeof(*h->texts), "1.%u", day);
	for (uint32_t e = 0; e < ENDPOINTS; e++) {
		struct batch_tag *t = h->tags[e];

		snprintf(h->texts[3 + e], sizeof(*h->texts), "GET /area-%u/*", e);
		t[0] = (struct batch_tag){ TAG_KEY_ENDPOINT, h->texts[3 + e] };
		t[1] = (struct batch_tag){ TAG_KEY_HOST, h->texts[0] };
		t[2] = (struct batch_tag){ TAG_KEY_METRIC, "instructions:u" };
		t[3] = (struct batch_tag){ TAG_KEY_MODE, "sampled" };
		t[4] = (struct batch_tag){ TAG_KEY_SERVICE, h->texts[1] };
		t[5] = (struct batch_tag){ TAG_KEY_VERSION, h->texts[2] };
		h->slices[e] = (struct batch_slice){ batch_slice_id(t, 6, NULL),
						     batch_slice_id(t, 6, TAG_KEY_HOST), t, 6 };
	}
}

/* One in twenty is another than the day before, by its line. */
static void make_functions(struct host *h, unsigned int service, unsigned int day)
{
	for (uint32_t i = 0; i < FUNCTIONS; i++) {
		struct batch_function *f = &h->functions[i];
		unsigned int changed = day >= i % 20 ? (day - i % 20) / 20 + 1 : 0;

		snprintf(h->names[i], sizeof(*h->names), "service_%u.views.Area.method_%u", service, i);
		*f = (struct batch_function){ .name = strrchr(h->names[i], '.') + 1,
			.qualname = strchr(h->names[i], '.') + 7, .class_name = "Area",
			.module = "views", .file = h->names[i], .wraps = "", .line = i + changed };
		f->id = batch_function_id(f);
		h->paths[i].parent = i ? h->paths[(i - 1) / 3].id : 0;
		h->paths[i].function = f->id;
		h->paths[i].id = batch_path_id(h->paths[i].parent, f->id);
	}
}

static void make_costs(struct host *h, uint64_t scale)
{
	for (uint32_t e = 0; e < ENDPOINTS; e++) {
		for (uint32_t i = 0; i < FUNCTIONS_EACH; i++) {
			uint64_t self = any_cost(scale);

			h->costs[e * FUNCTIONS_EACH + i] = (struct batch_cost){ .slice = e,
				.function = h->functions[(e * 37 + i) % FUNCTIONS].id,
				.samples = self / 1000 + 1, .self = self, .cumulative = 3 * self,
				.self_variance = (double)self, .cumulative_variance = 3.0 * self };
		}
		for (uint32_t i = 0; i < PATHS_EACH; i++)
			h->path_costs[e * PATHS_EACH + i] = (struct batch_path_cost){ .slice = e,
				.path = h->paths[(e * 37 + i) % FUNCTIONS].id, .samples = scale,
				.self = any_cost(scale) };
	}
}

static void make_requests(struct host *h, uint64_t scale)
{
	for (uint32_t e = 0; e < ENDPOINTS; e++) {
		struct batch_requests *r = &h->requests[e];

		*r = (struct batch_requests){ .slice = e, .count = scale * (100 + any(100)) };
		r->estimate = (double)r->count;
		for (int m = 0; m <= REQUEST_GIL; m++) {
			r->sums[m] = (int64_t)any_cost(scale);
			r->squares[m] = (double)r->sums[m] * 1000;
		}
		for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++) {
			r->bins[d] = h->bins[e][d];
			r->bin_counts[d] = BINS_EACH;
			for (uint32_t i = 0; i < BINS_EACH; i++)
				h->bins[e][d][i] = (struct sink_bin){ (uint16_t)(400 + 3 * i), scale };
		}
	}
}

/* scale: how many hosts' minutes it stands for. */
static void make_host(struct host *h, unsigned int host, unsigned int service, uint64_t t,
		      uint64_t scale)
{
	static uint64_t number;
	unsigned int day = (unsigned int)((t - BEGIN_S) / DAY);

	make_slices(h, host, service, day);
	make_functions(h, service, day);
	make_costs(h, scale);
	make_requests(h, scale);
	h->batch = (struct batch){ .sender = h->texts[0], .begin_s = t, .seconds = 60,
		.slices = h->slices, .slice_count = ENDPOINTS, .functions = h->functions,
		.function_count = FUNCTIONS, .paths = h->paths, .path_count = FUNCTIONS,
		.costs = h->costs, .cost_count = ENDPOINTS * FUNCTIONS_EACH,
		.path_costs = h->path_costs, .path_cost_count = ENDPOINTS * PATHS_EACH,
		.requests = h->requests, .request_count = ENDPOINTS };
	number++;
	uint64_t spread[] = { number * 0x9e3779b97f4a7c15ull, number * 0xd1b54a32d192ed03ull };

	memcpy(h->batch.id, spread, sizeof(spread));
}

static void die(const char *what, const char *err)
{
	fprintf(stderr, "store-load: %s: %s\n", what, err);
	exit(1);
}

static double processor(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

/* Writes h[0..n) and adds what that took. */
static void write_group(struct store *s, struct host *h, size_t n, double *took, uint64_t *rows)
{
	const struct batch **b = calloc(n, sizeof(*b));
	enum store_written *w = calloc(n, sizeof(*w));
	double began = seconds();
	char err[512];

	for (size_t i = 0; i < n; i++) {
		b[i] = &h[i].batch;
		*rows += rows_count(b[i]);
	}
	if (store_write(s, b, n, w, err, sizeof(err)))
		die("write", err);
	*took += seconds() - began;
	free(b);
	free(w);
}

static void maintain(struct store *s, uint64_t now, double *took)
{
	double began = seconds();
	char err[512];

	if (store_maintain(s, now, err, sizeof(err)))
		die("maintain", err);
	*took += seconds() - began;
}

static uint64_t size_of(struct store *s)
{
	struct store_status status;
	char err[512];

	store_status(s, &status, err, sizeof(err));
	return status.bytes;
}

static int ignore(void *arg, const struct store_value *v, size_t count)
{
	++*(uint64_t *)arg;
	return 0;
}

static void run(struct store *s, const char *sql)
{
	uint64_t rows = 0;
	char err[512];

	if (store_select(s, sql, ignore, &rows, err, sizeof(err)))
		die(sql, err);
}

/* So that the size is told of all; ClickHouse writes when it is told to. */
static void settle(struct store *s, const char *where)
{
	if (strncmp(where, "http", 4))
		run(s, "CHECKPOINT");
}

static void load_minutes(struct store *s, const char *where, unsigned int hosts,
			 unsigned int minutes, unsigned int group_s, uint64_t since)
{
	unsigned int each = (hosts * group_s + 59) / 60;
	struct host *group = calloc(each, sizeof(*group));
	double took = 0, rolling = 0, worst = 0;
	uint64_t rows = 0;

	for (unsigned int m = 0; m < minutes; m++) {
		for (unsigned int first = 0; first < hosts; first += each) {
			size_t n = hosts - first < each ? hosts - first : each;
			double before = took;

			for (size_t i = 0; i < n; i++)
				make_host(&group[i], first + i, (first + i) % SERVICES, since + 60 * m, 1);
			write_group(s, group, n, &took, &rows);
			worst = took - before > worst ? took - before : worst;
		}
		maintain(s, since + 60 * m + 60, &rolling);
	}
	printf("%.1f MB before the last are packed\n", (double)size_of(s) / 1e6);
	maintain(s, since + 60 * minutes + 180, &rolling);
	settle(s, where);
	printf("%u minutes of %u hosts: %" PRIu64 " rows in %.1f s (%.0f rows/s, %.1f s a minute;"
	       " a group of %u: %.3f s, at worst %.3f), maintained in %.1f s; %.1f MB\n", minutes,
	       hosts, rows, took, (double)rows / took, took / minutes, each, took * each / hosts /
	       minutes, worst, rolling, (double)size_of(s) / 1e6);
	free(group);
}

static void load_days(struct store *s, const char *where, unsigned int hosts, unsigned int days)
{
	struct host *all = calloc(SERVICES, sizeof(*all));
	double took = 0, rolling = 0;
	uint64_t rows = 0;

	for (uint64_t t = BEGIN_S; t < BEGIN_S + days * DAY; t += 3600) {
		for (unsigned int service = 0; service < SERVICES; service++)
			make_host(&all[service], service, service, t, 60ull * hosts / SERVICES);
		write_group(s, all, SERVICES, &took, &rows);
		if (t % DAY == 0)
			maintain(s, t + 300, &rolling);
		if (t % (5 * DAY) == 0)
			fprintf(stderr, "day %u\n", (unsigned int)((t - BEGIN_S) / DAY));
	}
	maintain(s, BEGIN_S + days * DAY + 300, &rolling);
	maintain(s, BEGIN_S + days * DAY + 3900, &rolling);
	settle(s, where);
	printf("%u days of %u hosts, by the hour: %" PRIu64 " rows in %.1f s (%.0f rows/s), hours and"
	       " days made in %.1f s; %.1f MB\n", days, hosts, rows, took, (double)rows / took,
	       rolling, (double)size_of(s) / 1e6);
	free(all);
}

/* The other days are like the first: of hours and days, whatever there is of the fact. */
static void copy_days(struct store *s, const char *where, unsigned int days)
{
	static const char *const steps[] = { "hour", "day" };
	double began = seconds();

	for (int fact = 0; fact < STORE_FACTS; fact++)
		for (int i = 0; i < 2; i++)
			for (unsigned int d = 1; d < days; d++) {
				struct schema_column columns[SCHEMA_COLUMNS_MAX];
				size_t size, n = schema_fact_columns(fact, i ? 86400 : 3600, columns);
				char *sql = NULL;
				FILE *out = open_memstream(&sql, &size);

				fprintf(out, "INSERT INTO %s_%s SELECT t + %llu", schema_fact(fact)->name,
					steps[i], d * DAY);
				for (size_t c = 1; c < n; c++)
					fprintf(out, ", %s", columns[c].name);
				fprintf(out, " FROM %s_%s WHERE t < %llu ORDER BY 1, 2, 3",
					schema_fact(fact)->name, steps[i], BEGIN_S + DAY);
				fclose(out);
				run(s, sql);
				free(sql);
			}
	settle(s, where);
	printf("%u more days like it in %.1f s; %.1f MB\n", days - 1, seconds() - began,
	       (double)size_of(s) / 1e6);
}

static void ask(struct store *s, const char *what, uint64_t since, uint64_t until, uint32_t step_s,
		const char *columns, const char *rest)
{
	struct store_source source;
	double best = 1e9, first = 0;
	uint64_t rows = 0;
	char err[512], *sql = NULL;
	size_t size;
	FILE *out;

	if (store_source(s, since, until, step_s, false, &source, err, sizeof(err)))
		die("source", err);
	out = open_memstream(&sql, &size);
	fprintf(out, "SELECT %s FROM ", columns);
	store_from(s, &source, FACT_COSTS, out);
	fprintf(out, " AS facts %s", rest);
	fclose(out);
	for (int i = 0; i < 3; i++) {
		double began = seconds(), took;

		rows = 0;
		if (store_select(s, sql, ignore, &rows, err, sizeof(err)))
			die(sql, err);
		took = seconds() - began;
		first = i ? first : took;
		best = took < best ? took : best;
	}
	printf("%s: %.2f s, again %.2f s (%" PRIu64 " rows)\n", what, first, best, rows);
	free(sql);
}

#define TOP "function, sum(self) AS self, sum(cumulative) AS cumulative, sum(samples) AS samples"
#define ONE "JOIN (SELECT slice FROM tags WHERE key = 'service' AND value = 'service-7') AS wanted" \
	    " USING (slice) "
#define BEST "GROUP BY function ORDER BY self DESC LIMIT 50"

static void ask_all(struct store *s, unsigned int days)
{
	uint64_t since = BEGIN_S, until = BEGIN_S + days * DAY;

	ask(s, "functions of the fleet, by days", since, until, 86400, TOP, BEST);
	ask(s, "functions of the fleet, from half an hour past", since + 1800, until - 1800, 86400, TOP,
	    BEST);
	ask(s, "functions of one service, by days", since, until, 86400, TOP, ONE BEST);
	ask(s, "functions of the fleet, by hours", since, until, 3600, TOP, BEST);
	ask(s, "functions of one service, by hours", since, until, 3600, TOP, ONE BEST);
	ask(s, "one service hour by hour", since, until, 3600, "t, sum(self)", ONE "GROUP BY t ORDER BY t");
	ask(s, "functions of the fleet, of one day", until - DAY, until, 3600, TOP, BEST);
}

int main(int argc, char **argv)
{
	unsigned int hosts = argc > 2 ? (unsigned int)atoi(argv[2]) : 1000;
	unsigned int days = argc > 3 ? (unsigned int)atoi(argv[3]) : 30;
	unsigned int minutes = argc > 4 ? (unsigned int)atoi(argv[4]) : 3;
	unsigned int group_s = argc > 5 ? (unsigned int)atoi(argv[5]) : 5;
	struct store *s;
	char err[512];

	if (argc < 2)
		die("STORE", "missing");
	if (store_open(argv[1], NULL, &s, err, sizeof(err)))
		die("open", err);
	setvbuf(stdout, NULL, _IOLBF, 0);
	load_days(s, argv[1], hosts, 1);
	copy_days(s, argv[1], days);
	load_minutes(s, argv[1], hosts, minutes, group_s, BEGIN_S + days * DAY);
	ask_all(s, days);
	printf("processor: %.1f s\n", processor());
	store_close(s);
	return 0;
}
