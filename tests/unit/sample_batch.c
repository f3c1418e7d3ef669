/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/sample_batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void sample_slices(struct sample_batch *s)
{
	static const struct batch_tag tags[3][6] = {
		{ { "endpoint", "GET /shop/*" }, { "host", "web-1" }, { "metric", "instructions:u" },
		  { "mode", "exact" }, { "service", "shop" } },
		{ { "endpoint", "GET /shop/*" }, { "host", "web-1" }, { "metric", "instructions:u" },
		  { "service", "shop" }, { "status", "200" }, { "tenant", "\xc3\xa4\xc3\xb6" } },
		{ { "host", "web-1" }, { "metric", "instructions:u" }, { "service", "shop" } },
	};
	static const uint32_t counts[] = { 5, 6, 3 };

	memcpy(s->tags, tags, sizeof(tags));
	for (int i = 0; i < 3; i++)
		s->slices[i] = (struct batch_slice){
			.id = batch_slice_id(s->tags[i], counts[i], NULL),
			.fleet = batch_slice_id(s->tags[i], counts[i], TAG_KEY_HOST),
			.tags = s->tags[i],
			.tag_count = counts[i],
		};
}

static void sample_costs(struct sample_batch *s)
{
	s->functions[0] = (struct batch_function){ 0, "checkout", "Shop.checkout", "Shop", "shop",
						   "/srv/shop.py", "", 10 };
	s->functions[1] = (struct batch_function){ 0, "price", "price", "", "shop",
						   "/srv/shop.py", "", 3 };
	for (int i = 0; i < 2; i++)
		s->functions[i].id = batch_function_id(&s->functions[i]);
	s->paths[0] = (struct batch_path){ batch_path_id(0, s->functions[0].id), 0,
					   s->functions[0].id };
	s->paths[1] = (struct batch_path){ batch_path_id(s->paths[0].id, s->functions[1].id),
					   s->paths[0].id, s->functions[1].id };
	s->costs[0] = (struct batch_cost){ 0, s->functions[0].id, 3, 0, 1000, 7000, 1.5, 2.25 };
	s->costs[1] = (struct batch_cost){ 0, s->functions[1].id, 300, 0, 6000, 6000, 0.1, 0.1 };
	s->costs[2] = (struct batch_cost){ 0, 0, 0, 0, UINT64_MAX, UINT64_MAX, 0, 0 };
	s->path_costs[0] = (struct batch_path_cost){ 0, s->paths[0].id, 3, 0, 1000 };
	s->path_costs[1] = (struct batch_path_cost){ 0, s->paths[1].id, 300, 0, 6000 };
}

static void sample_requests(struct sample_batch *s)
{
	s->bins[0] = (struct sink_bin){ 0, 1 };
	s->bins[1] = (struct sink_bin){ 700, 40 };
	s->bins[2] = (struct sink_bin){ 1919, 1 };
	s->backends[0] = (struct batch_backend){ "postgresql", 84, 5000000 };
	s->backends[1] = (struct batch_backend){ "redis", 7, 123 };
	s->requests[0] = (struct batch_requests){
		.slice = 1,
		.count = 42,
		.estimate = 84,
		.estimate_variance = 84,
		.backends = s->backends,
		.backend_count = 2,
		.bins = { s->bins, s->bins, NULL },
		.bin_counts = { 3, 2, 0 },
	};
	for (int m = 0; m < REQUEST_MEASURES; m++) {
		s->requests[0].sums[m] = m == REQUEST_RSS ? -4096 : m * 1000;
		s->requests[0].squares[m] = m * 1e9;
	}
	s->requests[1] = (struct batch_requests){ .slice = 1, .count = 1, .estimate = 1 };
}

struct batch *sample_batch(struct sample_batch *s)
{
	*s = (struct sample_batch){ 0 };
	sample_slices(s);
	sample_costs(s);
	sample_requests(s);
	s->registers[0] = (struct batch_register){ 0, 1 };
	s->registers[1] = (struct batch_register){ 17, 9 };
	s->registers[2] = (struct batch_register){ SKETCH_REGISTERS - 1, 53 };
	s->users[0] = (struct batch_users){ 2, s->registers, 3 };
	s->counters[0] = (struct batch_counter){ 2, "loss.nodes", 12 };
	s->counters[1] = (struct batch_counter){ 2, "workers.born", 2 };
	s->batch = (struct batch){
		.id = "0123456789abcde",
		.sender = "web-1",
		.begin_s = 1700000040,
		.seconds = BATCH_SECONDS,
		.slices = s->slices,
		.functions = s->functions,
		.paths = s->paths,
		.costs = s->costs,
		.path_costs = s->path_costs,
		.requests = s->requests,
		.users = s->users,
		.counters = s->counters,
		.slice_count = 3,
		.function_count = 2,
		.path_count = 2,
		.cost_count = 3,
		.path_cost_count = 2,
		.request_count = 2,
		.user_count = 1,
		.counter_count = 2,
	};
	return &s->batch;
}

int sample_batch_write(const char *path)
{
	struct sample_batch sample;
	void *bytes;
	size_t size;
	FILE *file;
	int err = batch_pack(sample_batch(&sample), &bytes, &size);

	if (err)
		return err;
	file = fopen(path, "we");
	if (!file || fwrite(bytes, 1, size, file) != size)
		err = -EIO;
	if (file && fclose(file))
		err = -EIO;
	free(bytes);
	return err;
}
