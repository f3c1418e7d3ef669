/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests that never happened: see sample.h. */
#include <math.h>

#include "tests/unit/sample.h"
#include "userspace/histogram.h"

#define TRY(call)                    \
	do {                         \
		int err_ = call;     \
		if (err_)            \
			return err_; \
	} while (0)

static int tell_meta(struct sink *to, bool only)
{
	struct sink_meta meta = { .metric = METRIC_INSTRUCTIONS, .user_only = true,
				  .start_realtime_ns = 1700000000000000000, .host = "testhost",
				  .kernel = "6.1.0", .version = "0.1.0", .requests = true,
				  .no_functions = only };
	struct sink_process first = { 100, 0, "gunicorn", "3.12.1", "/usr/bin/python3", 0 };
	struct sink_process second = { 101, 100, "gunicorn", "3.12.1", "/usr/bin/python3", 0 };

	TRY(to->meta(to, &meta));
	TRY(to->process(to, &first));
	return to->process(to, &second);
}

static int tell_names(struct sink *to)
{
	static const char *const common_keys[] = { "host", "service" };
	static const char *const common_values[] = { "testhost", "shop" };
	static const char *const keys[] = { "arm", "user" };
	static const char *const a[] = { "A", "9f86d081884c7d65" }, *const b[] = { "B", "60303ae22b998861" };
	struct sink_tags common = { 1, 2, common_keys, common_values };
	struct sink_tags tags[] = { { 2, 2, keys, a }, { 3, 2, keys, b }, { 4, 1, keys, a } };
	struct sink_endpoint endpoints[] = {
		{ 1, ENDPOINT_PATTERN, "GET", "/shop/product/*", 0 },
		{ 2, ENDPOINT_HEURISTIC, "POST", "/shop/cart", 4 },
		{ 3, ENDPOINT_MARK, "", "shop.tasks.mail", 0 },
	};
	struct sink_backend backends[] = { { 1, "memcache" }, { 2, "postgresql" }, { 3, "other" } };

	TRY(to->tags(to, &common));
	TRY(to->common_tags(to, 1));
	for (int i = 0; i < 3; i++)
		TRY(to->tags(to, &tags[i]));
	for (int i = 0; i < 3; i++)
		TRY(to->endpoint(to, &endpoints[i]));
	for (int i = 0; i < 3; i++)
		TRY(to->backend(to, &backends[i]));
	return 0;
}

/* So many requests, whose measures are multiples of their number. */
static int tell_requests(struct sink *to, uint32_t group, uint64_t n, uint64_t cost)
{
	struct histogram spread[REQUEST_DISTRIBUTIONS] = { { 0 } };
	struct sink_requests r = { .group = group, .count = n };
	int err = 0;

	for (uint64_t i = 1; i <= n && !err; i++) {
		int64_t values[REQUEST_MEASURES] = {
			[REQUEST_COST] = cost * i, [REQUEST_LATENCY] = 3000 * i,
			[REQUEST_CPU] = 1000 * i, [REQUEST_RUN_QUEUE] = 70,
			[REQUEST_SYSCALL] = 200, [REQUEST_GIL] = group == 2 ? 500 : 0,
			[REQUEST_GC] = i == 1 ? 400 : 0, [REQUEST_GCS] = i == 1,
			[REQUEST_GC_COST] = i == 1 ? cost / 10 : 0,
			[REQUEST_RSS] = i % 2 ? 4096 : -8192, [REQUEST_BYTES_IN] = 300,
			[REQUEST_BYTES_OUT] = 2000 * i, [REQUEST_THREADS] = 1,
			[REQUEST_HEAD] = 2500 * i,
		};

		for (int m = 0; m < REQUEST_MEASURES; m++) {
			r.sums[m] += values[m];
			r.squares[m] += (double)values[m] * values[m];
		}
		for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
			err = err ? err : histogram_add(&spread[d],
							values[(int[]){ REQUEST_COST, REQUEST_LATENCY,
									REQUEST_CPU }[d]]);
	}
	r.backend_calls[0] = 2 * n;
	r.backend_ns[0] = 150 * n;
	r.backend_calls[1] = group == 2 ? n : 0;
	r.backend_ns[1] = group == 2 ? 900 * n : 0;
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++) {
		r.bins[d] = spread[d].bins;
		r.bin_counts[d] = spread[d].count;
	}
	err = err ? err : to->requests(to, &r);
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
		histogram_free(&spread[d]);
	return err;
}

static int tell_groups(struct sink *to)
{
	static const struct sink_group groups[] = {
		{ 1, 1, 100, 2, 200, 0 },
		{ 2, 2, 101, 3, 302, 0 },
		{ 3, 1, 101, 0, 500, GROUP_ABORTED },
		{ 4, 3, 101, 0, 0, GROUP_TASK },
	};

	for (int i = 0; i < 4; i++)
		TRY(to->group(to, &groups[i]));
	TRY(tell_requests(to, 1, 100, 10000));
	TRY(tell_requests(to, 2, 40, 50000));
	TRY(to->flush(to, 1000000000));
	TRY(tell_requests(to, 1, 100, 10000));
	TRY(tell_requests(to, 3, 1, 700));
	return tell_requests(to, 4, 3, 900000);
}

static int tell_workers(struct sink *to)
{
	struct sink_worker workers[] = {
		{ 100, 1, 0, 0, -1, 200, 120000000, 30000000, 101000000, 40 << 20, 48 << 20, 50 << 20 },
		{ 101, 1, 0, 900000000, 9, 44, 60000000, 9000000, 46400000, 40 << 20, 90 << 20, 90 << 20 },
		{ 102, 1, 910000000, 0, -1, 0, 1000000, 100000, 0, 39 << 20, 39 << 20, 40 << 20 },
	};

	for (int i = 0; i < 3; i++)
		TRY(to->worker(to, &workers[i]));
	return 0;
}

/* Two functions, below the roots of two endpoints and of none. */
static int tell_functions(struct sink *to)
{
	static const struct sink_function functions[] = {
		{ 1, "product", "product", "", "shop.views", "/srv/shop/shop/views.py", "", 12 },
		{ 2, "add", "Cart.add", "Cart", "shop.cart", "/srv/shop/shop/cart.py", "", 30 },
	};
	static const struct {
		struct sink_node node;
		uint64_t calls, self;
	} nodes[] = {
		{ { 1, 0, 0, 100 }, 0, 19000000 },
		{ { 2, 0, 0, 100, 0, 1 }, 0, 1000000 },
		{ { 3, 2, 1, 100 }, 200, 90000000 },
		{ { 4, 3, 2, 100 }, 200, 10000000 },
		{ { 5, 0, 0, 101, 0, 2 }, 0, 400000 },
		{ { 6, 5, 2, 101 }, 80, 40000000 },
	};

	for (int i = 0; i < 2; i++)
		TRY(to->function(to, &functions[i]));
	for (int i = 0; i < 6; i++) {
		struct sink_cost cost = { nodes[i].node.id, nodes[i].calls, nodes[i].self };

		TRY(to->node(to, &nodes[i].node));
		TRY(to->cost(to, &cost));
	}
	return 0;
}

static int tell_marks(struct sink *to)
{
	struct sink_import imports[] = { { 1, 1, "decimal", 1, 900000, 800000, 300000, 200000 },
					 { 1, 1, "decimal", 1, 100000, 200000, 100000, 200000 },
					 { 0, 0, "shop.\xe5\xba\x97", 1, 5000, 4000, 5000, 4000 } };
	struct sink_collection collections[] = { { 1, 1, 0, 3, 30000, 20000, 7 },
						 { 1, 1, 2, 1, 500000, 400000, 12 },
						 { 1, 1, 0, 2, 10000, 10000, 1 } };

	for (int i = 0; i < 3; i++)
		TRY(to->import(to, &imports[i]));
	for (int i = 0; i < 3; i++)
		TRY(to->collection(to, &collections[i]));
	return 0;
}

int sample_shop_requests(struct sink *to, bool only)
{
	TRY(tell_meta(to, only));
	TRY(tell_names(to));
	TRY(tell_groups(to));
	if (!only) {
		TRY(tell_functions(to));
		TRY(tell_marks(to));
	}
	TRY(tell_workers(to));
	TRY(to->loss(to, LOSS_CONNECTIONS, 2));
	return to->end(to, 2500000000);
}
