/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts of requests, in recordings and profiles: written, read back, added up, refused. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/sample.h"
#include "tests/unit/suites.h"
#include "userspace/profile.h"
#include "userspace/recording.h"
#include "userspace/recording_format.h"

static uint8_t file[64 << 10];

static void check_names(const struct profile_requests *r)
{
	CU_ASSERT_EQUAL_FATAL(r->endpoint_count, 4);
	CU_ASSERT_STRING_EQUAL(r->endpoints[1].name, "/shop/product/*");
	CU_ASSERT_STRING_EQUAL(r->endpoints[2].method, "POST");
	CU_ASSERT(r->endpoints[2].source == ENDPOINT_HEURISTIC && r->endpoints[2].tags == 4);
	CU_ASSERT_EQUAL_FATAL(r->tag_count, 5);
	CU_ASSERT(r->common_tags == 1 && r->tags[2].count == 2 && r->tags[4].count == 1);
	CU_ASSERT_STRING_EQUAL(r->tags[3].keys[1], "user");
	CU_ASSERT_STRING_EQUAL(r->tags[3].values[0], "B");
	CU_ASSERT_EQUAL_FATAL(r->backend_count, 4);
	CU_ASSERT_STRING_EQUAL(r->backends[2].name, "postgresql");
}

static void check_groups(const struct profile_requests *r)
{
	const struct profile_group *g;

	CU_ASSERT_EQUAL_FATAL(r->group_count, 5);
	g = &r->groups[1];
	CU_ASSERT(g->of.endpoint == 1 && g->of.pid == 100 && g->of.tags == 2 && g->of.status == 200);
	/* Told twice: 1 + 2 + ... + 100 is 5,050, of the squares it is 338,350. */
	CU_ASSERT(g->count == 200 && g->sums[REQUEST_COST] == 2 * 5050 * 10000ll);
	CU_ASSERT(g->squares[REQUEST_COST] == 2 * 338350 * 1e8);
	CU_ASSERT(g->sums[REQUEST_RSS] == 100 * (4096ll - 8192));
	CU_ASSERT(g->sums[REQUEST_KERNEL_COST] == 0 && g->sums[REQUEST_GCS] == 2);
	CU_ASSERT(g->backend_calls[0] == 400 && g->backend_ns[0] == 30000 && !g->backend_calls[1]);
	CU_ASSERT(bins_total(g->distributions[DISTRIBUTION_LATENCY].bins,
			     g->distributions[DISTRIBUTION_LATENCY].count) == 200);
	CU_ASSERT(fabs(bins_quantile(g->distributions[DISTRIBUTION_COST].bins,
				     g->distributions[DISTRIBUTION_COST].count, 0.5) - 5e5) <= 5e5 / 64);
	CU_ASSERT(r->groups[2].backend_ns[1] == 40 * 900 && r->groups[2].sums[REQUEST_GIL] == 20000);
	CU_ASSERT(r->groups[3].of.flags == GROUP_ABORTED && r->groups[4].of.flags == GROUP_TASK);
	CU_ASSERT(r->groups[4].count == 3 && r->groups[4].of.status == 0);
}

static void check_workers(const struct profile_requests *r)
{
	CU_ASSERT_EQUAL_FATAL(r->worker_count, 3);
	CU_ASSERT(r->workers[0].exit_status == -1 && r->workers[0].requests == 200);
	CU_ASSERT(r->workers[1].exit_status == 9 && r->workers[1].died_ns == 900000000);
	CU_ASSERT(r->workers[2].born_ns == 910000000 && r->workers[2].peak_rss == 40 << 20);
}

static void test_round_trip(void)
{
	size_t size = sample_written("shop-requests", file, sizeof(file));
	struct profile *p;

	CU_ASSERT_FATAL(!sample_replay(file, size, &p));
	CU_ASSERT(p->meta.requests && !p->meta.no_functions && p->losses[LOSS_CONNECTIONS] == 2);
	check_names(&p->requests);
	check_groups(&p->requests);
	check_workers(&p->requests);
	/* A node is of its root's endpoint. */
	CU_ASSERT(p->nodes[1].endpoint == 0 && p->nodes[2].endpoint == 1 &&
		  p->nodes[4].endpoint == 1 && p->nodes[6].endpoint == 2);
	CU_ASSERT_EQUAL_FATAL(p->requests.import_count, 2);
	CU_ASSERT_STRING_EQUAL(p->requests.imports[0].module, "decimal");
	CU_ASSERT(p->requests.imports[0].count == 2 && p->requests.imports[0].ns == 1000000);
	CU_ASSERT(p->requests.imports[0].self_cost == 400000 && p->requests.imports[1].endpoint == 0);
	CU_ASSERT_EQUAL_FATAL(p->requests.collection_count, 2);
	CU_ASSERT(p->requests.collections[0].count == 5 && p->requests.collections[0].collected == 8);
	CU_ASSERT(p->requests.collections[1].generation == 2);
	CU_ASSERT_STRING_EQUAL(profile_tag(p, 2, "user"), "9f86d081884c7d65");
	CU_ASSERT_PTR_NULL(profile_tag(p, 2, "service"));
	CU_ASSERT_PTR_NULL(profile_tag(p, 0, "user"));
	CU_ASSERT_PTR_NULL(profile_tag(p, 99, "user"));
	profile_free(p);
}

static void test_requests_only(void)
{
	size_t size = sample_written("shop-requests-only", file, sizeof(file));
	struct profile *p;

	CU_ASSERT_FATAL(!sample_replay(file, size, &p));
	CU_ASSERT(p->meta.requests && p->meta.no_functions && p->node_count == 1);
	check_groups(&p->requests);
	profile_free(p);
}

/* As version 3 of the format had it: by `unit --write-sample shop-sampled` of then. */
static void test_version_3(void)
{
	FILE *f = fopen("tests/unit/shop-sampled-3.pycost", "r");
	struct profile *p;
	size_t size;

	CU_ASSERT_FATAL(f != NULL);
	size = fread(file, 1, sizeof(file), f);
	fclose(f);
	CU_ASSERT_EQUAL(file[RECORDING_MAGIC_SIZE], 3);
	CU_ASSERT_FATAL(!sample_replay(file, size, &p));
	CU_ASSERT(p->ended && p->node_count == 12 && p->meta.period == 1000 && !p->meta.requests);
	CU_ASSERT(p->native_count == 5 && p->nodes[5].samples == 70);
	profile_free(p);
}

static void test_every_truncation(void)
{
	size_t size = sample_written("shop-requests", file, sizeof(file));

	for (size_t cut = RECORDING_HEADER_SIZE; cut < size; cut++) {
		uint8_t *bytes = malloc(cut);
		struct profile *p;

		memcpy(bytes, file, cut);
		CU_ASSERT_FATAL(!sample_replay(bytes, cut, &p));
		CU_ASSERT(!p->ended &&
			  (p->requests.group_count == 1 || p->requests.groups[1].count == 100));
		profile_free(p);
		free(bytes);
	}
}

static void test_keep_pid(void)
{
	size_t size = sample_written("shop-requests", file, sizeof(file));
	struct profile *p;

	CU_ASSERT_FATAL(!sample_replay(file, size, &p) && !profile_keep_pid(p, 101));
	CU_ASSERT(p->requests.group_count == 4 && p->requests.groups[1].of.endpoint == 2);
	CU_ASSERT(p->requests.worker_count == 1 && p->requests.workers[0].pid == 101);
	CU_ASSERT(p->node_count == 3 && p->nodes[2].endpoint == 2);
	/* They are not told by process. */
	CU_ASSERT(!p->requests.import_count && !p->requests.collection_count);
	profile_free(p);
}

#define META(flags) FACT_META, METRIC_CYCLES, flags, 0, 0, 0, 0
#define ON META(META_REQUESTS)
#define ENDPOINT FACT_ENDPOINT, 1, 0, 0, 1, '/'
#define GROUP FACT_GROUP, 1, 7, 0, 200, 1, 0
#define ONE_BIN 1, 3, 2

/* Its flags need two bytes. */
#define PHASED FACT_META, METRIC_CYCLES, 0xa0, 1, 0, 0, 0, 0, 100

static const struct {
	int ret;
	uint8_t version, size;
	uint8_t facts[64];
} cases[] = {
#define CASE(ret, version, ...) \
	{ ret, version, sizeof((uint8_t[]){ __VA_ARGS__ }), { __VA_ARGS__ } }
	CASE(0, 4, ON, ENDPOINT, GROUP, FACT_REQUESTS, 1, 2, 0, 0, ONE_BIN, 0, 0),
	CASE(-EPROTO, 3, ON),			/* before there were any */
	CASE(-EPROTO, 4, META(META_NO_FUNCTIONS)), /* nothing at all */
	CASE(-EPROTO, 4, META(META_NO_FUNCTIONS | META_REQUESTS | META_SAMPLED), 5),
	CASE(-EPROTO, 4, META(0), ENDPOINT),	/* not a recording of requests */
	CASE(-EPROTO, 4, ON, FACT_ENDPOINT, 0, 0, 0, 0),
	CASE(-EPROTO, 4, ON, FACT_ENDPOINT, 5, 0, 0, 0), /* no such source */
	CASE(-EPROTO, 4, ON, FACT_ENDPOINT, 1, 1, 0, 0), /* no such tags */
	CASE(0, 4, ON, FACT_TAGS, 2, 1, 'a', 0, 1, 'b', 0, FACT_COMMON_TAGS, 1),
	CASE(-EPROTO, 4, ON, FACT_TAGS, 2, 1, 'b', 0, 1, 'a', 0), /* out of order */
	CASE(-EPROTO, 4, ON, FACT_TAGS, 2, 1, 'a', 0, 1, 'a', 0), /* twice */
	CASE(-EPROTO, 4, ON, FACT_TAGS, 1, 0, 0),	/* no key */
	CASE(-EPROTO, 4, ON, FACT_TAGS, TAGS_MAX + 1),
	CASE(-EPROTO, 4, ON, FACT_COMMON_TAGS, 1),
	CASE(-EPROTO, 4, ON, GROUP),		/* of no endpoint */
	CASE(-EPROTO, 4, ON, ENDPOINT, FACT_GROUP, 0, 7, 0, 0, 0),
	CASE(-EPROTO, 4, ON, ENDPOINT, FACT_GROUP, 1, 7, 1, 0, 0), /* no such tags */
	CASE(-EPROTO, 4, ON, ENDPOINT, FACT_GROUP, 1, 7, 0, 0, GROUP_FLAGS + 1),
	CASE(-EPROTO, 4, ON, ENDPOINT, GROUP, FACT_REQUESTS, 2, 2, 0, 0, 0, 0, 0),
	CASE(-EPROTO, 4, ON, ENDPOINT, GROUP, FACT_REQUESTS, 1, 0, 0, 0, 0, 0, 0),
	/* A measure of the future; a back end that was not told; NaN; below 0. */
	CASE(-EPROTO, 4, ON, ENDPOINT, GROUP, FACT_REQUESTS, 1, 2, 0x80, 0x80, 0x20, 0, 0, 0, 0),
	CASE(-EPROTO, 4, ON, ENDPOINT, GROUP, FACT_REQUESTS, 1, 2, 0, 1, 1, 1, 0, 0, 0),
	CASE(-EPROTO, 4, ON, ENDPOINT, GROUP, FACT_REQUESTS, 1, 2, 1, 2, 0, 0, 0, 0, 0, 0, 0xf8,
	     0x7f, 0, 0, 0, 0),
	CASE(-EPROTO, 4, ON, ENDPOINT, GROUP, FACT_REQUESTS, 1, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0,
	     0, 0, 0, 0),
	CASE(0, 4, ON, ENDPOINT, GROUP, FACT_REQUESTS, 1, 2, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	     0, 0),
	/* Bins of fewer than all requests, an empty one, one beyond the last. */
	CASE(-EPROTO, 4, ON, ENDPOINT, GROUP, FACT_REQUESTS, 1, 3, 0, 0, ONE_BIN, 0, 0),
	CASE(-EPROTO, 4, ON, ENDPOINT, GROUP, FACT_REQUESTS, 1, 2, 0, 0, 2, 3, 2, 0, 0, 0, 0),
	CASE(-EPROTO, 4, ON, ENDPOINT, GROUP, FACT_REQUESTS, 1, 2, 0, 0, 1, 0x80, 0x0f, 2, 0, 0),
	CASE(0, 4, ON, ENDPOINT, GROUP, FACT_REQUESTS, 1, 2, 0, 0, 1, 0xff, 0x0e, 2, 0, 0),
	CASE(-EPROTO, 4, ON, ENDPOINT, GROUP, FACT_REQUESTS, 1, 2, 0, 0, ONE_BIN), /* cut */
	CASE(-EPROTO, 4, ON, FACT_IMPORT, 0, 1, 1, 'm', 1, 0, 0, 0, 0), /* no such function */
	CASE(-EPROTO, 4, ON, FACT_IMPORT, 1, 0, 1, 'm', 1, 0, 0, 0, 0), /* nor endpoint */
	CASE(0, 4, ON, FACT_IMPORT, 0, 0, 1, 'm', 1, 0, 0, 0, 0),
	CASE(-EPROTO, 4, ON, FACT_COLLECTION, 0, 1, 0, 1, 0, 0, 0),
	CASE(-EPROTO, 4, ON, FACT_COLLECTION, 0, 0, 0, 0, 0, 0, 0), /* none */
	CASE(0, 4, ON, FACT_WORKER, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0),
	CASE(-EPROTO, 4, ON, FACT_WORKER, 7, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0,
	     0, 0, 0), /* an exit status beyond 32 bits */
	/* Phases: of a version, a meta and a length that there are. */
	CASE(0, 5, PHASED, FACT_PHASE, 3, 1, 0, 0, FACT_PHASE, 3, 0, 0, 0),
	CASE(-EPROTO, 4, PHASED),
	CASE(-EPROTO, 5, FACT_META, METRIC_CYCLES, 0xa0, 1, 0, 0, 0, 0, 0), /* no budget */
	CASE(-EPROTO, 5, FACT_META, METRIC_CYCLES, 0x80, 1, 0, 0, 0, 0, 100), /* of nothing */
	CASE(-EPROTO, 5, ON, FACT_PHASE, 3, 1, 0, 0),
	CASE(-EPROTO, 5, PHASED, FACT_PHASE, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	     0, 0),
	CASE(-EPROTO, 5, PHASED, FACT_PHASE, 3, 1, 0), /* cut */
	/* Nodes: of an endpoint that was not told, below a root, and nothing but requests. */
	CASE(0, 4, ON, ENDPOINT, FACT_PROCESS, 7, 0, 0, 0, 0, 0, FACT_NODE, 0, 0, 7, 0, 1),
	CASE(-EPROTO, 4, ON, FACT_PROCESS, 7, 0, 0, 0, 0, 0, FACT_NODE, 0, 0, 7, 0, 1),
	CASE(-EPROTO, 4, ON, ENDPOINT, FACT_PROCESS, 7, 0, 0, 0, 0, 0, FACT_FUNCTION, 1, 0, 0, 0,
	     0, 0, 0, 0, FACT_NODE, 0, 0, 7, 0, 1, FACT_NODE, 1, 1, 7, 0, 1),
	CASE(-EPROTO, 4, META(META_REQUESTS | META_NO_FUNCTIONS), FACT_PROCESS, 7, 0, 0, 0, 0, 0,
	     FACT_NODE, 0, 0, 7, 0, 0, FACT_COST, 1, 1, 1),
};

static void test_facts_that_break_the_contract(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct profile *p;
		int ret = sample_replay_facts(cases[i].version, cases[i].facts, cases[i].size, &p);

		if (ret != cases[i].ret)
			fprintf(stderr, "case %zu: %d\n", i, ret);
		CU_ASSERT(ret == cases[i].ret);
		profile_free(p);
	}
}

static void test_writer_contract(void)
{
	struct sink_meta meta = { .metric = METRIC_CYCLES, .no_functions = true };
	struct sink_endpoint endpoint = { .id = 1, .source = ENDPOINT_MARK };
	struct sink_group group = { .id = 1, .endpoint = 1 };
	struct sink_bin two[] = { { 3, 1 }, { 4, 1 } };
	struct sink_requests requests = { .group = 1, .count = 1 };
	struct sink_backend backend = { .id = 2 };
	struct sink_node node = { .id = 1, .endpoint = 2 };
	struct sink_import import = { .function = 1, .count = 1, .module = "m" };
	struct sink_worker worker = { .pid = 1 };
	struct sink *s;

	CU_ASSERT_FATAL(!recording_create("/dev/null", &s));
	CU_ASSERT(s->meta(s, &meta) == -EINVAL);
	CU_ASSERT(s->endpoint(s, &endpoint) == -EINVAL); /* not measured */
	meta.requests = true;
	CU_ASSERT(!s->meta(s, &meta) && s->group(s, &group) == -EINVAL);
	CU_ASSERT(!s->endpoint(s, &endpoint) && s->endpoint(s, &endpoint) == -EINVAL);
	CU_ASSERT(s->requests(s, &requests) == -EINVAL && !s->group(s, &group));
	CU_ASSERT(!s->requests(s, &requests));
	requests.bins[0] = two;
	requests.bin_counts[0] = 2;
	CU_ASSERT(s->requests(s, &requests) == -EINVAL);
	requests.count = 2;
	CU_ASSERT(!s->requests(s, &requests));
	requests.sums[REQUEST_COST] = -1;
	CU_ASSERT(s->requests(s, &requests) == -EINVAL);
	CU_ASSERT(s->common_tags(s, 1) == -EINVAL && s->backend(s, &backend) == -EINVAL);
	CU_ASSERT(s->node(s, &node) == -EINVAL && s->import(s, &import) == -EINVAL);
	CU_ASSERT(!s->worker(s, &worker) && !s->end(s, 1));
	CU_ASSERT(s->worker(s, &worker) == -EINVAL);
	recording_close(s);
}

static int ignore_meta(struct sink *s, const struct sink_meta *m) { return 0; }
static int ignore_process(struct sink *s, const struct sink_process *p) { return 0; }
static int ignore_function(struct sink *s, const struct sink_function *f) { return 0; }
static int ignore_node(struct sink *s, const struct sink_node *n) { return 0; }
static int ignore_cost(struct sink *s, const struct sink_cost *c) { return 0; }
static int ignore_loss(struct sink *s, enum loss loss, uint64_t total) { return 0; }
static int ignore_time(struct sink *s, uint64_t duration_ns) { return 0; }

/* A sink that does not care for requests reads such a recording too. */
static void test_indifferent_sink(void)
{
	struct sink s = { .meta = ignore_meta, .process = ignore_process,
			  .function = ignore_function, .node = ignore_node, .cost = ignore_cost,
			  .loss = ignore_loss, .flush = ignore_time, .end = ignore_time };
	size_t size = sample_written("shop-requests", file, sizeof(file));
	struct recording_status status;
	char err[256];

	CU_ASSERT(!recording_read_memory(file, size, &s, &status, err, sizeof(err)));
	CU_ASSERT(!status.incomplete && !status.corrupt);
}

static void test_sums_saturate(void)
{
	struct sink_meta meta = { .metric = METRIC_CYCLES, .requests = true };
	struct sink_endpoint endpoint = { .id = 1, .source = ENDPOINT_MARK };
	struct sink_group group = { .id = 1, .endpoint = 1 };
	struct sink_requests requests = { .group = 1, .count = UINT64_MAX };
	struct profile *p;
	struct sink *s;

	requests.sums[REQUEST_COST] = INT64_MAX;
	requests.sums[REQUEST_RSS] = INT64_MIN;
	requests.squares[REQUEST_COST] = 1.5e308;
	CU_ASSERT_FATAL(!profile_create(&p));
	s = &p->sink;
	CU_ASSERT(!s->meta(s, &meta) && !s->endpoint(s, &endpoint) && !s->group(s, &group));
	CU_ASSERT(!s->requests(s, &requests) && !s->requests(s, &requests));
	CU_ASSERT(p->requests.groups[1].count == UINT64_MAX);
	CU_ASSERT(p->requests.groups[1].sums[REQUEST_COST] == INT64_MAX);
	CU_ASSERT(p->requests.groups[1].sums[REQUEST_RSS] == INT64_MIN);
	CU_ASSERT(isfinite(p->requests.groups[1].squares[REQUEST_COST]));
	profile_free(p);
}

int suite_requests_recording(void)
{
	CU_TestInfo tests[] = {
		{ "round trip", test_round_trip },
		{ "requests only", test_requests_only },
		{ "version 3", test_version_3 },
		{ "every truncation", test_every_truncation },
		{ "keep a process", test_keep_pid },
		{ "facts that break the contract", test_facts_that_break_the_contract },
		{ "writer contract", test_writer_contract },
		{ "a sink that does not care", test_indifferent_sink },
		{ "sums saturate", test_sums_saturate },
		CU_TEST_INFO_NULL,
	};

	return suite_register("requests recording", tests);
}
