/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samples of requests that nobody watched: whose they are by their view. */
#include <errno.h>
#include <string.h>

#include "tests/unit/received.h"
#include "tests/unit/suites.h"
#include "userspace/view_owner.h"

#define PERIOD 1000

enum function { WSGI = 1, DISPATCH, CHEAP, DEAR, BOTH, RARE, WORK };

/* Whoever is told, and the next node's id. */
struct told {
	struct sink *to;
	uint32_t nodes;
};

static struct told begin(struct sink *to)
{
	static const char *const names[] = { "", "Flask.wsgi_app", "Flask.dispatch_request", "cheap",
					     "dear", "both", "rare", "work" };
	struct sink_meta meta = { .metric = METRIC_TASK_CLOCK, .host = "h", .kernel = "k",
				  .version = "v", .requests = true, .budget = 100,
				  .period = PERIOD, .start_realtime_ns = 1700000000000000000 };

	CU_ASSERT_FATAL(!to->meta(to, &meta));
	for (uint32_t pid = 100; pid < 102; pid++) {
		struct sink_process p = { pid, 0, "", "3.11.2", "/usr/bin/python3", 0 };

		CU_ASSERT_FATAL(!to->process(to, &p));
	}
	for (uint32_t i = WSGI; i <= WORK; i++) {
		bool flask = i <= DISPATCH;
		struct sink_function f = { i, names[i], names[i], flask ? "Flask" : "",
					   flask ? "flask.app" : "views", flask ? "a.py" : "v.py",
					   "", i };

		CU_ASSERT_FATAL(!to->function(to, &f));
	}
	for (uint32_t i = 1; i <= 4; i++) {
		static const char *const paths[] = { "/cheap", "/dear", "/left", "/right" };
		struct sink_endpoint e = { i, ENDPOINT_PATTERN, "GET", paths[i - 1], 0 };

		CU_ASSERT_FATAL(!to->endpoint(to, &e));
	}
	return (struct told){ to, 1 };
}

static uint32_t node(struct told *t, uint32_t parent, uint32_t function, uint32_t pid,
		     uint32_t endpoint)
{
	struct sink_node n = { t->nodes, parent, function, pid, 0, endpoint };

	CU_ASSERT_FATAL(!t->to->node(t->to, &n));
	return t->nodes++;
}

static void samples(struct told *t, uint32_t node, uint64_t count)
{
	struct sink_sample s = { .node = node, .line = 5, .opcode = SINK_NO_OPCODE,
				 .count = count };

	CU_ASSERT_FATAL(!t->to->sample(t->to, &s));
}

/* A root, the framework, the view and what it calls, which was sampled. */
static uint32_t chain(struct told *t, uint32_t pid, uint32_t endpoint, uint32_t view,
		      uint64_t count)
{
	uint32_t root = node(t, 0, 0, pid, endpoint), last;
	struct sink_passage p = { 0, 9, count };

	last = node(t, node(t, root, WSGI, pid, 0), DISPATCH, pid, 0);
	p.node = node(t, last, view, pid, 0);
	last = node(t, p.node, WORK, pid, 0);
	samples(t, last, count);
	CU_ASSERT_FATAL(!t->to->passage(t->to, &p));
	return last;
}

/* One phase, which was a tenth of the time. */
static void phase(struct told *t)
{
	struct sink_phase p = { 900000000, 100000000 };

	CU_ASSERT_FATAL(!t->to->phase(t->to, &p));
}

static uint64_t samples_of(const struct profile *p, uint32_t endpoint, uint32_t function)
{
	uint64_t places = 0, nodes = 0;

	for (size_t i = 0; i < p->sample_count; i++) {
		const struct profile_node *n = &p->nodes[p->samples[i].node];

		if (n->endpoint == endpoint && n->function == function)
			places += p->samples[i].count;
	}
	for (size_t i = 1; i < p->node_count; i++)
		if (p->nodes[i].endpoint == endpoint && p->nodes[i].function == function) {
			nodes += p->nodes[i].samples;
			CU_ASSERT_EQUAL(p->nodes[i].self_raw, PERIOD * p->nodes[i].samples);
		}
	CU_ASSERT_EQUAL(places, nodes);
	return nodes;
}

static uint64_t passages_of(const struct profile *p, uint32_t endpoint, uint32_t function)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < p->passage_count; i++) {
		const struct profile_node *n = &p->nodes[p->passages[i].node];

		if (n->endpoint == endpoint && n->function == function)
			sum += p->passages[i].count;
	}
	return sum;
}

/* A view that is known by enough samples, and is one endpoint's, takes what it has elsewhere. */
static void test_given(void)
{
	struct profile *p;
	struct told t;

	CU_ASSERT_FATAL(!profile_create(&p));
	t = begin(&p->sink);
	chain(&t, 100, 1, CHEAP, VIEW_OWNER_SAMPLES);
	chain(&t, 100, 2, DEAR, VIEW_OWNER_SAMPLES - 1);
	chain(&t, 100, 3, BOTH, 50);
	chain(&t, 100, 4, BOTH, 50);
	for (uint32_t view = CHEAP; view <= RARE; view++)
		chain(&t, 101, 0, view, 100);
	samples(&t, node(&t, node(&t, 0, 0, 101, 0), WSGI, 101, 0), 7);
	phase(&t);
	CU_ASSERT(!view_owners_of_profile(p));
	CU_ASSERT_EQUAL(samples_of(p, 1, WORK), VIEW_OWNER_SAMPLES + 100);
	CU_ASSERT_EQUAL(passages_of(p, 1, CHEAP), VIEW_OWNER_SAMPLES + 100);
	CU_ASSERT_EQUAL(samples_of(p, 2, WORK), VIEW_OWNER_SAMPLES - 1);
	CU_ASSERT_EQUAL(samples_of(p, 3, WORK) + samples_of(p, 4, WORK), 100);
	CU_ASSERT_EQUAL(samples_of(p, 0, WORK), 300);
	CU_ASSERT_EQUAL(samples_of(p, 0, WSGI), 7);
	CU_ASSERT_EQUAL(passages_of(p, 0, CHEAP), 0);
	CU_ASSERT_EQUAL(passages_of(p, 0, DEAR), 100);
	CU_ASSERT_EQUAL(p->requests.by_view[0], 100 * PERIOD);
	CU_ASSERT_EQUAL(p->requests.by_view[1], 100 * PERIOD);
	CU_ASSERT_EQUAL(p->requests.by_view[2] + p->requests.by_view[3], 0);
	/* The worker that had none of its own has a tree of that endpoint now. */
	CU_ASSERT(p->nodes[p->node_count - 1].endpoint == 1 &&
		  p->nodes[p->node_count - 1].process == 1);
	profile_free(p);
}

/* One of a hundred may be somebody else's, as the moment of a change may be off. */
static void test_shared(void)
{
	for (int others = 1; others < 3; others++) {
		struct profile *p;
		struct told t;

		CU_ASSERT_FATAL(!profile_create(&p));
		t = begin(&p->sink);
		chain(&t, 100, 1, CHEAP, 100 - others);
		chain(&t, 100, 2, CHEAP, others);
		chain(&t, 100, 0, CHEAP, 100);
		CU_ASSERT(!view_owners_of_profile(p));
		CU_ASSERT_EQUAL(samples_of(p, 1, WORK), others == 1 ? 199 : 98);
		CU_ASSERT_EQUAL(samples_of(p, 2, WORK), others);
		profile_free(p);
	}
}

/* What no framework called is no view, whatever its name. */
static void test_elsewhere(void)
{
	struct profile *p;
	struct told t;

	CU_ASSERT_FATAL(!profile_create(&p));
	t = begin(&p->sink);
	chain(&t, 100, 1, CHEAP, 100);
	samples(&t, node(&t, node(&t, 0, 0, 100, 0), CHEAP, 100, 0), 11);
	/* Nor what a view calls. */
	samples(&t, node(&t, chain(&t, 100, 0, RARE, 5), CHEAP, 100, 0), 12);
	CU_ASSERT(!view_owners_of_profile(p));
	CU_ASSERT_EQUAL(samples_of(p, 0, CHEAP), 23);
	CU_ASSERT_EQUAL(p->requests.by_view[0], 0);
	profile_free(p);
}

/* The framework's own view may be anybody's, but not a class that makes it its own. */
static void test_generic(void)
{
	static const struct sink_function functions[] = {
		{ WORK + 1, "get", "RedirectView.get", "RedirectView", "django.views.generic.base",
		  "b.py", "", 1 },
		{ WORK + 2, "get_url", "Moved.get_url", "Moved", "views", "v.py", "", 2 },
	};
	struct profile *p;
	struct told t;

	CU_ASSERT_FATAL(!profile_create(&p));
	t = begin(&p->sink);
	CU_ASSERT_FATAL(!t.to->function(t.to, &functions[0]) &&
			!t.to->function(t.to, &functions[1]));
	chain(&t, 100, 1, WORK + 1, 100);
	chain(&t, 101, 0, WORK + 1, 10);
	for (uint32_t endpoint = 0; endpoint <= 2; endpoint += 2) {
		uint32_t root = node(&t, 0, 0, 100, endpoint);
		uint32_t get = node(&t, node(&t, root, DISPATCH, 100, 0), WORK + 1, 100, 0);

		samples(&t, get, 20);
		samples(&t, node(&t, get, WORK + 2, 100, 0), 40);
	}
	CU_ASSERT(!view_owners_of_profile(p));
	CU_ASSERT_EQUAL(samples_of(p, 0, WORK), 10);
	CU_ASSERT_EQUAL(samples_of(p, 0, WORK + 1), 20);
	CU_ASSERT_EQUAL(samples_of(p, 0, WORK + 2), 0);
	CU_ASSERT_EQUAL(samples_of(p, 2, WORK + 2), 80);
	profile_free(p);
}

/* ---- of an agent ---- */

static double self_of(const struct batch *b, const char *service, const char *endpoint)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < b->cost_count; i++) {
		const struct batch_slice *slice = &b->slices[b->costs[i].slice];

		if (!strcmp(batch_slice_tag(slice, "service"), service) &&
		    !strcmp(batch_slice_tag(slice, "endpoint"), endpoint))
			sum += b->costs[i].self;
	}
	return sum / PERIOD;
}

/* Process 100 is of the one, 101 of the other. */
static int service_of(void *arg, uint32_t pid, struct slice_tags *to)
{
	slice_tags_set(to, "service", pid == 100 ? "one" : "two");
	return 0;
}

/* What was learnt holds from then on, for the same service. */
static void test_fold(void)
{
	struct received r = { 0 };
	struct fold *f = shop_fold(&r, (struct fold_options){ .process = service_of,
							      .path_share = 1e-9 });
	struct told t = begin(fold_sink(f));
	uint32_t early = chain(&t, 100, 0, CHEAP, 3), late;

	chain(&t, 100, 1, CHEAP, VIEW_OWNER_SAMPLES - 10);
	phase(&t);
	CU_ASSERT(!t.to->flush(t.to, 41000000000));
	chain(&t, 100, 1, CHEAP, 10);
	samples(&t, early, 4);
	chain(&t, 101, 0, CHEAP, 8);
	CU_ASSERT(!t.to->flush(t.to, 101000000000));
	/* Nodes that are told after the profile has made some of its own. */
	late = chain(&t, 100, 0, DEAR, 5);
	samples(&t, early, 6);
	samples(&t, late, 1);
	CU_ASSERT(!t.to->end(t.to, 110000000000));
	CU_ASSERT_FATAL(r.count == 3);
	CU_ASSERT_EQUAL(self_of(&r.batches[0], "one", ""), 3);
	CU_ASSERT_EQUAL(self_of(&r.batches[0], "one", "GET /cheap"), VIEW_OWNER_SAMPLES - 10);
	CU_ASSERT_EQUAL(self_of(&r.batches[1], "one", ""), 0);
	CU_ASSERT_EQUAL(self_of(&r.batches[1], "one", "GET /cheap"), 14);
	CU_ASSERT_EQUAL(self_of(&r.batches[1], "two", ""), 8);
	CU_ASSERT_EQUAL(self_of(&r.batches[2], "one", ""), 6);
	CU_ASSERT_EQUAL(self_of(&r.batches[2], "one", "GET /cheap"), 6);
	CU_ASSERT_EQUAL(counter(&r, "costs.by_view"), 10 * PERIOD);
	CU_ASSERT_EQUAL(costs_sum(&r), (3 + VIEW_OWNER_SAMPLES - 10 + 14 + 8 + 12) * PERIOD);
	CU_ASSERT_EQUAL(paths_sum(&r), costs_sum(&r));
	fold_free(f);
	received_free(&r);
}

/* Ids are those that were told, and no others. */
static void test_ids(void)
{
	struct received r = { 0 };
	struct fold *f = shop_fold(&r, (struct fold_options){ 0 });
	struct told t = begin(fold_sink(f));
	struct sink_node twice, ahead;
	struct sink_sample unknown = { .node = 9, .count = 1 };

	chain(&t, 100, 0, CHEAP, 1);
	twice = (struct sink_node){ 5, 1, WORK, 100 };
	ahead = (struct sink_node){ 6, 6, WORK, 100 };
	CU_ASSERT_EQUAL(t.to->node(t.to, &twice), -EINVAL);
	CU_ASSERT_EQUAL(t.to->node(t.to, &ahead), -EINVAL);
	CU_ASSERT_EQUAL(t.to->sample(t.to, &unknown), -EINVAL);
	fold_free(f);
	received_free(&r);
}

int suite_view_owner(void)
{
	static CU_TestInfo tests[] = {
		{ "given to the view's endpoint", test_given },
		{ "a view of two", test_shared },
		{ "no view", test_elsewhere },
		{ "the framework's own", test_generic },
		{ "by minute and service", test_fold },
		{ "ids of nodes", test_ids },
		CU_TEST_INFO_NULL,
	};

	return suite_register("view_owner", tests);
}
