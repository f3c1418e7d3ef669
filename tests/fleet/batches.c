/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * batches make DIR COUNT [KEY=VALUE...]   writes batches, DIR/ID, and of each a line of JSON
 *                                         with what it adds to the totals
 *     sender, service, version: texts; begin: Unix time; functions, requests: how many;
 *     seed: of ids and numbers; step: seconds from one to the next (0)
 * batches sums DIR [SINCE UNTIL]          the totals of what a store has, as JSON
 *
 * The numbers are made by a generator of its own, and added up here as they are made: the
 * store and the collector have no part in what is expected of them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "userspace/fleet/batch.h"
#include "userspace/store/store.h"

#define FUNCTIONS_MAX 100000
#define TEXT_SIZE 48

struct wanted {
	const char *sender, *service, *version;
	uint64_t begin, functions, requests, seed, step;
};

struct made {
	struct batch batch;
	struct batch_tag tags[3][6];
	struct batch_slice slices[3];
	struct batch_function *functions;
	char (*texts)[TEXT_SIZE];
	struct batch_path *paths;
	struct batch_cost *costs;
	struct batch_path_cost *path_costs;
	struct batch_requests requests[1];
	struct sink_bin bins[2];
	struct batch_users users[1];
	struct batch_register registers[2];
	struct batch_counter counters[1];
};

struct sums {
	double calls, self, path_self, requests, counter;
};

/* splitmix64, as everybody writes it. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static void make_slices(struct made *m, const struct wanted *w)
{
	const struct batch_tag tags[3][6] = {
		{ { "endpoint", "GET /shop/*" }, { "host", w->sender }, { "metric", "instructions:u" },
		  { "mode", "exact" }, { "service", w->service }, { "version", w->version } },
		{ { "endpoint", "GET /shop/*" }, { "host", w->sender }, { "metric", "instructions:u" },
		  { "service", w->service }, { "status", "200" }, { "version", w->version } },
		{ { "host", w->sender }, { "metric", "instructions:u" }, { "service", w->service },
		  { "version", w->version } },
	};
	static const uint32_t counts[] = { 6, 6, 4 };

	memcpy(m->tags, tags, sizeof(tags));
	for (int i = 0; i < 3; i++)
		m->slices[i] = (struct batch_slice){
			.id = batch_slice_id(m->tags[i], counts[i], NULL),
			.fleet = batch_slice_id(m->tags[i], counts[i], TAG_KEY_HOST),
			.tags = m->tags[i],
			.tag_count = counts[i],
		};
}

static void make_costs(struct made *m, const struct wanted *w, uint64_t *state, struct sums *sums)
{
	for (uint64_t i = 0; i < w->functions; i++) {
		struct batch_function *f = &m->functions[i];
		uint64_t calls = 1 + next(state) % 1000, self = calls * (100 + next(state) % 900);

		snprintf(m->texts[i], TEXT_SIZE, "function_%" PRIu64, i);
		*f = (struct batch_function){ 0, m->texts[i], m->texts[i], "", "shop", "/srv/shop.py", "",
					      1 + i };
		f->id = batch_function_id(f);
		m->paths[i] = (struct batch_path){ batch_path_id(0, f->id), 0, f->id };
		m->costs[i] = (struct batch_cost){ 0, f->id, calls, 0, self, self, 1, 1 };
		m->path_costs[i] = (struct batch_path_cost){ 0, m->paths[i].id, calls, 0, self };
		sums->calls += calls;
		sums->self += self;
		sums->path_self += self;
	}
}

static void make_requests(struct made *m, const struct wanted *w, uint64_t *state, struct sums *sums)
{
	struct batch_requests *r = &m->requests[0];

	m->bins[0] = (struct sink_bin){ 100, 1 };
	m->bins[1] = (struct sink_bin){ 700, 2 };
	*r = (struct batch_requests){ .slice = 1, .count = 1 + next(state) % w->requests };
	r->estimate = r->count;
	for (int i = 0; i < REQUEST_MEASURES; i++) {
		r->sums[i] = r->count * (i + 1);
		r->squares[i] = r->count;
	}
	r->bins[0] = m->bins;
	r->bin_counts[0] = 2;
	m->registers[0] = (struct batch_register){ next(state) % 2000, 1 + next(state) % 20 };
	m->registers[1] = (struct batch_register){ 2000 + next(state) % 2000, 1 + next(state) % 20 };
	m->users[0] = (struct batch_users){ 2, m->registers, 2 };
	m->counters[0] = (struct batch_counter){ 2, "workers.born", 1 + next(state) % 10 };
	sums->requests += r->count;
	sums->counter += m->counters[0].value;
}

static void make(struct made *m, const struct wanted *w, uint64_t number, struct sums *sums)
{
	uint64_t state = w->seed + number * 7919;

	make_slices(m, w);
	make_costs(m, w, &state, sums);
	make_requests(m, w, &state, sums);
	m->batch = (struct batch){
		.sender = w->sender,
		.begin_s = w->begin + number * w->step,
		.seconds = BATCH_SECONDS,
		.slices = m->slices,
		.functions = m->functions,
		.paths = m->paths,
		.costs = m->costs,
		.path_costs = m->path_costs,
		.requests = m->requests,
		.users = m->users,
		.counters = m->counters,
		.slice_count = 3,
		.function_count = w->functions,
		.path_count = w->functions,
		.cost_count = w->functions,
		.path_cost_count = w->functions,
		.request_count = 1,
		.user_count = 1,
		.counter_count = 1,
	};
	for (int i = 0; i < BATCH_ID_SIZE; i++)
		m->batch.id[i] = next(&state);
}

static void write_sums(const struct sums *s)
{
	printf("\"calls\": %.0f, \"self\": %.0f, \"path_self\": %.0f, \"requests\": %.0f, "
	       "\"counter\": %.0f}\n",
	       s->calls, s->self, s->path_self, s->requests, s->counter);
}

static int save(const char *directory, const struct batch *b, const struct sums *sums)
{
	char id[2 * BATCH_ID_SIZE + 1], path[4096];
	void *bytes;
	size_t size;
	FILE *f;
	int err = batch_pack(b, &bytes, &size);

	if (err)
		return err;
	for (int i = 0; i < BATCH_ID_SIZE; i++)
		sprintf(id + 2 * i, "%02x", b->id[i]);
	snprintf(path, sizeof(path), "%s/%s", directory, id);
	f = fopen(path, "we");
	if (!f || fwrite(bytes, 1, size, f) != size || fclose(f))
		return -EIO;
	free(bytes);
	printf("{\"id\": \"%s\", \"begin\": %" PRIu64 ", \"size\": %zu, ", id, b->begin_s, size);
	write_sums(sums);
	return 0;
}

static int take(struct wanted *w, char *text)
{
	char *equals = strchr(text, '='), *value = equals + 1;

	if (!equals)
		return -EINVAL;
	*equals = 0;
	if (!strcmp(text, "sender"))
		w->sender = value;
	else if (!strcmp(text, "service"))
		w->service = value;
	else if (!strcmp(text, "version"))
		w->version = value;
	else if (!strcmp(text, "begin"))
		w->begin = strtoull(value, NULL, 10);
	else if (!strcmp(text, "functions"))
		w->functions = strtoull(value, NULL, 10);
	else if (!strcmp(text, "requests"))
		w->requests = strtoull(value, NULL, 10);
	else if (!strcmp(text, "seed"))
		w->seed = strtoull(value, NULL, 10);
	else if (!strcmp(text, "step"))
		w->step = strtoull(value, NULL, 10);
	else
		return -EINVAL;
	return w->functions > FUNCTIONS_MAX || !w->requests ? -EINVAL : 0;
}

static int make_all(int argc, char **argv)
{
	struct wanted w = { "web-1", "shop", "1.0", time(NULL) / 60 * 60 - 120, 50, 100, time(NULL), 0 };
	struct made m = { 0 };
	int err = 0;

	for (int i = 4; i < argc && !err; i++)
		err = take(&w, argv[i]);
	m.functions = calloc(w.functions + 1, sizeof(*m.functions));
	m.texts = calloc(w.functions + 1, sizeof(*m.texts));
	m.paths = calloc(w.functions + 1, sizeof(*m.paths));
	m.costs = calloc(w.functions + 1, sizeof(*m.costs));
	m.path_costs = calloc(w.functions + 1, sizeof(*m.path_costs));
	for (uint64_t i = 0; i < strtoull(argv[3], NULL, 10) && !err; i++) {
		struct sums sums = { 0 };

		make(&m, &w, i, &sums);
		err = save(argv[2], &m.batch, &sums);
	}
	free(m.functions);
	free(m.texts);
	free(m.paths);
	free(m.costs);
	free(m.path_costs);
	return err;
}

/* ---- what a store has ---- */

static int take_sum(void *arg, const struct store_value *values, size_t count)
{
	*(double *)arg = values[0].type == STORE_U64 ? values[0].u64 : values[0].f64;
	return 0;
}

static int sum_of(struct store *s, const struct store_source *source, enum store_fact fact,
		  const char *column, double *ret, char *err, size_t errlen)
{
	char *sql = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&sql, &size);
	int error;

	fprintf(out, "SELECT toFloat64(sum(%s)) AS x FROM ", column);
	store_from(s, source, fact, out);
	fputs(" AS f", out);
	fclose(out);
	*ret = 0;
	error = store_select(s, sql, take_sum, ret, err, errlen);
	free(sql);
	return error;
}

static int sums_of(const char *where, uint64_t since, uint64_t until)
{
	static const struct {
		enum store_fact fact;
		const char *column;
		size_t at;
	} facts[] = {
		{ FACT_COSTS, "calls", offsetof(struct sums, calls) },
		{ FACT_COSTS, "self", offsetof(struct sums, self) },
		{ FACT_PATH_COSTS, "self", offsetof(struct sums, path_self) },
		{ FACT_REQUESTS, "n", offsetof(struct sums, requests) },
		{ FACT_COUNTERS, "value", offsetof(struct sums, counter) },
	};
	struct store_options o = { 0 };
	struct store_source source;
	struct sums sums = { 0 };
	char why[1024] = "";
	struct store *s;
	int err = store_open(where, &o, &s, why, sizeof(why));

	if (!err)
		err = store_source(s, since, until, 60, false, &source, why, sizeof(why));
	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts) && !err; i++)
		err = sum_of(s, &source, facts[i].fact, facts[i].column, (double *)((char *)&sums + facts[i].at),
			     why, sizeof(why));
	if (err) {
		fprintf(stderr, "batches: %s\n", why);
		return err;
	}
	putchar('{');
	write_sums(&sums);
	store_close(s);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t now = time(NULL);

	if (argc >= 4 && !strcmp(argv[1], "make"))
		return make_all(argc, argv) ? 1 : 0;
	if (argc >= 3 && !strcmp(argv[1], "sums"))
		return sums_of(argv[2], argc > 3 ? strtoull(argv[3], NULL, 10) : now - 86400,
			       argc > 4 ? strtoull(argv[4], NULL, 10) : now + 60) ? 1 : 0;
	fputs("usage: batches make DIR COUNT [KEY=VALUE...] | sums DIR [SINCE UNTIL]\n", stderr);
	return 2;
}
