/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's events of requests, told to a profile. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/wire_request.h"
#include "tests/unit/suites.h"
#include "userspace/profile.h"
#include "userspace/request_config.h"
#include "userspace/request_groups.h"
#include "userspace/requests.h"
#include "userspace/worker_life.h"

#define BEGIN_NS 1000000

static struct profile *p;
static struct request_config config;
static struct requests *requests;
static int each_count;
static char each_last[256];

static void on_each(void *arg, const struct request_seen *r)
{
	each_count++;
	snprintf(each_last, sizeof(each_last), "%s %s %u %s %s %s", r->method, r->path, r->status,
		 r->endpoint_name, tag_list_get(r->tags, "platform") ?: "-",
		 tag_list_get(r->tags, "service") ?: "-");
}

static bool with_each;

static void begin(uint32_t max_tag_sets)
{
	struct sink_meta meta = { .metric = METRIC_INSTRUCTIONS, .requests = true };
	struct requests_options o = { .config = &config, .each = with_each ? on_each : NULL };
	char err[256];

	CU_ASSERT_FATAL(!profile_create(&p) && !p->sink.meta(&p->sink, &meta));
	request_config_init(&config);
	CU_ASSERT(!request_config_route(&config, "/product/*", err, sizeof(err)));
	CU_ASSERT(!request_config_field(&config, "header:x-platform=platform", err, sizeof(err)));
	CU_ASSERT(!request_config_field(&config, "arg:u=user,user", err, sizeof(err)));
	CU_ASSERT(!request_config_tag(&config, "service=shop", err, sizeof(err)));
	if (max_tag_sets)
		config.max_tag_sets = max_tag_sets;
	CU_ASSERT_FATAL(!request_config_finish(&config, err, sizeof(err)));
	CU_ASSERT_FATAL(!requests_open(&o, &p->sink, &requests, err, sizeof(err)));
	CU_ASSERT_FATAL(!requests_begin(requests, "web1", BEGIN_NS));
	each_count = 0;
}

static void end(void)
{
	requests_close(requests);
	request_config_clear(&config);
	profile_free(p);
}

static struct wire_request request_of(uint32_t pid, const char *path, uint64_t cost)
{
	struct wire_request q = { .head = { WIRE_EVENT_REQUEST, pid }, .id = 1, .class_id = 99,
				  .tid = pid, .threads = 1, .status = 200,
				  .protocol = WIRE_PROTOCOL_HTTP, .begin = 5000000, .latency = 3 * cost,
				  .cost = cost, .cost_kernel = 17, .cpu_ns = 2 * cost,
				  .bytes_out = 1000, .rss = -4096 };

	q.method_length = strlen(strcpy(q.method, "GET"));
	q.path_length = strlen(strcpy(q.path, path));
	q.route_length = strlen(strcpy(q.route, path));
	memset(q.field_lengths, 0xff, sizeof(q.field_lengths));
	return q;
}

static void send_whole(const struct wire_request *q)
{
	requests_event(requests, q, sizeof(*q));
}

static const struct profile_group *group_of(uint32_t pid, uint16_t status)
{
	for (size_t i = 1; i < p->requests.group_count; i++)
		if (p->requests.groups[i].of.pid == pid && p->requests.groups[i].of.status == status)
			return &p->requests.groups[i];
	return &p->requests.groups[0];
}

static void test_sums(void)
{
	const struct profile_group *g;
	struct wire_request q;

	begin(0);
	for (int i = 1; i <= 10; i++) {
		q = request_of(1, "/product/7", 100 * i);
		q.backends[1].calls = 2;
		q.backends[1].ns = 500;
		send_whole(&q);
	}
	q = request_of(1, "/product/8", 5);
	q.status = 404;
	send_whole(&q);
	CU_ASSERT(p->requests.group_count == 1); /* not yet */
	CU_ASSERT(!requests_pass(requests, false));
	CU_ASSERT(p->requests.group_count == 3 && p->requests.endpoint_count == 2);
	CU_ASSERT_STRING_EQUAL(p->requests.endpoints[1].name, "/product/*");
	g = group_of(1, 200);
	CU_ASSERT(g->count == 10 && g->sums[REQUEST_COST] == 5500 && g->sums[REQUEST_CPU] == 11000);
	CU_ASSERT(g->squares[REQUEST_COST] == 385 * 1e4 && g->sums[REQUEST_RSS] == -40960);
	CU_ASSERT(g->sums[REQUEST_KERNEL_COST] == 0); /* it is not counted here */
	CU_ASSERT(g->backend_calls[1] == 20 && g->backend_ns[1] == 5000 && !g->backend_calls[0]);
	CU_ASSERT(bins_total(g->distributions[DISTRIBUTION_CPU].bins,
			     g->distributions[DISTRIBUTION_CPU].count) == 10);
	/* The same group a pass later, and nothing in a pass without requests. */
	q = request_of(1, "/product/9", 1);
	send_whole(&q);
	CU_ASSERT(!requests_pass(requests, false) && !requests_pass(requests, false));
	CU_ASSERT(p->requests.group_count == 3 && group_of(1, 200)->count == 11);
	CU_ASSERT(requests_seen(requests) == 12);
	end();
}

static void test_names_told(void)
{
	begin(0);
	CU_ASSERT(p->requests.backend_count == 7 && p->requests.common_tags);
	CU_ASSERT_STRING_EQUAL(p->requests.backends[1].name, "memcache");
	CU_ASSERT_STRING_EQUAL(p->requests.backends[6].name, "other");
	CU_ASSERT_STRING_EQUAL(profile_tag(p, p->requests.common_tags, "service"), "shop");
	CU_ASSERT_STRING_EQUAL(profile_tag(p, p->requests.common_tags, "host"), "web1");
	end();
}

static void test_tags_of_a_request(void)
{
	struct wire_request q;
	const struct profile_group *g;

	begin(0);
	CU_ASSERT(!requests_process(requests, 999999999, "3.12.1"));
	q = request_of(999999999, "/product/7", 1);
	q.field_lengths[0] = strlen(strcpy(q.fields[0], "ios"));
	q.field_lengths[1] = strlen(strcpy(q.fields[1], "alice"));
	memcpy(q.marks, "arm\0B\0", 6);
	q.marks_length = 6;
	q.flags = WIRE_REQUEST_TLS | WIRE_REQUEST_DIED;
	send_whole(&q);
	CU_ASSERT(!requests_pass(requests, false) && p->requests.group_count == 2);
	g = &p->requests.groups[1];
	CU_ASSERT(g->of.flags == (GROUP_TLS | GROUP_ABORTED));
	CU_ASSERT_STRING_EQUAL(profile_tag(p, g->of.tags, "platform"), "ios");
	CU_ASSERT_STRING_EQUAL(profile_tag(p, g->of.tags, "arm"), "B");
	CU_ASSERT_STRING_EQUAL(profile_tag(p, g->of.tags, "python"), "3.12.1");
	CU_ASSERT(strlen(profile_tag(p, g->of.tags, "user")) == 16);
	end();
}

/* No tags are too many for who is told each request. */
static void test_each(void)
{
	uint64_t losses[LOSS_MAX] = { 0 };
	struct wire_request q;

	with_each = true;
	begin(3);
	with_each = false;
	CU_ASSERT(!requests_process(requests, 999999999, "3.12.1"));
	for (int i = 0; i < 100; i++) {
		q = request_of(999999999, "/product/7", 1);
		q.field_lengths[0] = sprintf(q.fields[0], "ios%d", i);
		send_whole(&q);
	}
	CU_ASSERT(each_count == 100);
	CU_ASSERT_STRING_EQUAL(each_last, "GET /product/7 200 /product/* ios99 -");
	CU_ASSERT(!requests_pass(requests, false) && p->requests.group_count == 2);
	CU_ASSERT(p->requests.groups[1].count == 100);
	requests_losses(requests, losses);
	CU_ASSERT(!losses[LOSS_TAGS]);
	end();
}

/* When there are too many sets of tags, users go first, and it is counted. */
static void test_too_many_tags(void)
{
	uint64_t losses[LOSS_MAX] = { 0 };
	char name[16];

	begin(4);
	CU_ASSERT(!requests_process(requests, 999999999, "3.12.1"));
	for (int i = 0; i < 50; i++) {
		struct wire_request q = request_of(999999999, "/product/7", 1);

		q.field_lengths[0] = strlen(strcpy(q.fields[0], "ios"));
		snprintf(name, sizeof(name), "user%d", i);
		q.field_lengths[1] = i ? strlen(strcpy(q.fields[1], name)) : WIRE_FIELD_ABSENT;
		send_whole(&q);
	}
	CU_ASSERT(!requests_pass(requests, false));
	/* Common ones, the process's, without a user, and one user's. */
	CU_ASSERT(p->requests.tag_count == 5 && p->requests.group_count == 3);
	CU_ASSERT(p->requests.groups[1].count == 49 && p->requests.groups[2].count == 1);
	CU_ASSERT_STRING_EQUAL(profile_tag(p, p->requests.groups[1].of.tags, "platform"), "ios");
	requests_losses(requests, losses);
	CU_ASSERT(losses[LOSS_TAGS] == 48);
	end();
}

/* What is empty at an event's end is not sent; what makes no sense is counted. */
static void test_sizes(void)
{
	struct wire_request q;
	uint64_t losses[LOSS_MAX] = { 0 };
	size_t size;
	int taken = 0, refused = 0;

	begin(0);
	q = request_of(1, "/product/7", 1);
	for (size = 0; size <= sizeof(q) + 1; size++) {
		uint8_t *cut = calloc(1, size + !size);
		uint64_t before = requests_seen(requests);

		memcpy(cut, &q, size < sizeof(q) ? size : sizeof(q));
		requests_event(requests, cut, size);
		taken += requests_seen(requests) != before;
		refused += requests_seen(requests) == before;
		free(cut);
	}
	CU_ASSERT(taken == (int)(sizeof(q) - offsetof(struct wire_request, method) + 1));
	requests_losses(requests, losses);
	CU_ASSERT(losses[LOSS_REQUESTS] == (uint64_t)refused);
#define WRONG(member, value)                            \
	do {                                            \
		q = request_of(1, "/product/7", 1);     \
		q.member = value;                       \
		send_whole(&q);                         \
		refused++;                              \
	} while (0)
	WRONG(method_length, WIRE_METHOD_MAX + 1);
	WRONG(path_length, WIRE_PATH_MAX + 1);
	WRONG(route_length, WIRE_ROUTE_MAX + 1);
	WRONG(marks_length, WIRE_MARKS_MAX + 1);
	WRONG(field_lengths[7], WIRE_FIELD_MAX + 1);
	WRONG(head.kind, 999);
	WRONG(head.kind, WIRE_EVENT_FORK);
	memset(losses, 0, sizeof(losses));
	requests_losses(requests, losses);
	CU_ASSERT(losses[LOSS_REQUESTS] == (uint64_t)refused);
	/* The greatest numbers there are. */
	q = request_of(1, "/product/7", UINT64_MAX);
	q.latency = q.cpu_ns = UINT64_MAX;
	q.rss = INT64_MIN;
	q.status = 599;
	send_whole(&q);
	send_whole(&q);
	CU_ASSERT(!requests_pass(requests, true));
	CU_ASSERT(group_of(1, 599)->sums[REQUEST_COST] == INT64_MAX);
	CU_ASSERT(group_of(1, 599)->sums[REQUEST_RSS] == INT64_MIN);
	end();
}

static void life(uint32_t kind, uint32_t pid, uint32_t parent, uint64_t at, uint32_t exit_code)
{
	struct wire_event_life e = { .head = { kind, pid }, .parent = parent, .at = at,
				     .exit_code = exit_code, .rss = 5 << 20, .peak_rss = 6 << 20 };

	e.served.cost = 12345;
	e.served.cpu_ns = 777;
	requests_event(requests, &e, sizeof(e));
}

static void test_workers(void)
{
	struct wire_request q;
	const struct sink_worker *w;

	begin(0);
	CU_ASSERT(!requests_process(requests, getpid(), "3.12.1"));
	life(WIRE_EVENT_BORN, 2000000001, getpid(), BEGIN_NS + 500, 0);
	q = request_of(2000000001, "/product/7", 40);
	send_whole(&q);
	life(WIRE_EVENT_DIED, 2000000001, getpid(), BEGIN_NS + 900, 9);
	send_whole(&q); /* it was on its way */
	/* The PID again: another life. */
	life(WIRE_EVENT_BORN, 2000000001, getpid(), BEGIN_NS + 950, 0);
	CU_ASSERT(!requests_pass(requests, false) && p->requests.worker_count == 1);
	w = &p->requests.workers[0];
	CU_ASSERT(w->born_ns == 500 && w->died_ns == 900 && w->exit_status == 9);
	CU_ASSERT(w->requests == 2 && w->request_cost == 80 && w->cost == 12345 && w->cpu_ns == 777);
	CU_ASSERT(w->ppid == (uint32_t)getpid() && w->birth_rss == 5 << 20 && w->peak_rss == 6 << 20);
	/* One whose birth was not seen. */
	life(WIRE_EVENT_DIED, 2000000002, 5, BEGIN_NS + 990, 256);
	CU_ASSERT(!requests_pass(requests, true) && p->requests.worker_count == 4);
	w = &p->requests.workers[1];
	CU_ASSERT(w->pid == (uint32_t)getpid() && !w->born_ns && !w->died_ns && w->exit_status == -1);
	CU_ASSERT(w->birth_rss && w->last_rss && w->peak_rss >= w->last_rss);
	w = &p->requests.workers[2];
	CU_ASSERT(w->pid == 2000000001 && w->born_ns == 950 && !w->died_ns && w->exit_status == -1);
	w = &p->requests.workers[3];
	CU_ASSERT(w->pid == 2000000002 && w->ppid == 5 && w->exit_status == 256 && !w->born_ns);
	/* The fork has what its parent has. */
	CU_ASSERT_STRING_EQUAL(profile_tag(p, p->requests.groups[1].of.tags, "python"), "3.12.1");
	end();
}

static void test_classes(void)
{
	struct wire_event_class c = { .head = { WIRE_EVENT_CLASS }, .class_id = 99, .method = "GET",
				      .method_length = 3, .route = "/about", .route_length = 6 };
	uint64_t losses[LOSS_MAX] = { 0 };

	begin(0);
	memset(c.field_lengths, 0xff, sizeof(c.field_lengths));
	CU_ASSERT(requests_endpoint(requests, 99) == 0);
	requests_event(requests, &c, offsetof(struct wire_event_class, fields));
	CU_ASSERT(requests_endpoint(requests, 99) == 1 && p->requests.endpoint_count == 2);
	CU_ASSERT_STRING_EQUAL(p->requests.endpoints[1].name, "/about");
	c.class_id = 100;
	c.route_length = WIRE_ROUTE_MAX + 1;
	requests_event(requests, &c, sizeof(c));
	CU_ASSERT(requests_endpoint(requests, 100) == 0);
	CU_ASSERT(requests_endpoint(requests, WIRE_CLASS_OTHER) == 2);
	requests_losses(requests, losses);
	CU_ASSERT(losses[LOSS_REQUESTS] == 1);
	end();
}

static int refuse_requests(struct sink *s, const struct sink_requests *r)
{
	return -EIO;
}

/* The sink's error comes back from this pass and all that follow. */
static void test_sink_error(void)
{
	struct wire_request q;

	begin(0);
	p->sink.requests = refuse_requests;
	q = request_of(1, "/product/7", 1);
	send_whole(&q);
	CU_ASSERT(requests_pass(requests, false) == -EIO && requests_pass(requests, true) == -EIO);
	end();
}

static void test_too_many_groups(void)
{
	struct sink_group key = { .endpoint = 1 };
	struct request_values v = { { 0 } };
	struct request_groups *g;
	struct sink s = { 0 };

	CU_ASSERT_FATAL(!request_groups_new(&s, &g));
	for (uint32_t i = 0; i < REQUEST_GROUPS_MAX; i++) {
		key.pid = i;
		CU_ASSERT_FATAL(!request_groups_add(g, &key, &v));
		if (i % 1000 == 0)
			CU_ASSERT(!request_groups_tell(g)); /* a sink that does not care */
	}
	key.pid = REQUEST_GROUPS_MAX;
	CU_ASSERT(request_groups_add(g, &key, &v) == -ENOSPC);
	key.pid = 5;
	CU_ASSERT(!request_groups_add(g, &key, &v));
	request_groups_free(g);
}

int suite_requests(void)
{
	CU_TestInfo tests[] = {
		{ "sums", test_sums },
		{ "names told", test_names_told },
		{ "tags of a request", test_tags_of_a_request },
		{ "each", test_each },
		{ "too many tags", test_too_many_tags },
		{ "sizes", test_sizes },
		{ "workers", test_workers },
		{ "classes", test_classes },
		{ "the sink's error", test_sink_error },
		{ "too many groups", test_too_many_groups },
		CU_TEST_INFO_NULL,
	};

	return suite_register("requests", tests);
}
