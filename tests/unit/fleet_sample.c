/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "tests/unit/fleet_sample.h"

static void make_slice(struct fleet_sample *f, int n, const char *endpoint)
{
	const struct batch_tag tags[] = { { TAG_KEY_ENDPOINT, endpoint }, { TAG_KEY_HOST, f->host },
					  { TAG_KEY_METRIC, "instructions:u" },
					  { TAG_KEY_MODE, "exact" }, { TAG_KEY_SERVICE, "shop" } };
	size_t count = sizeof(tags) / sizeof(*tags);

	memcpy(f->tags[n], tags, sizeof(tags));
	f->slices[n] = (struct batch_slice){ .id = batch_slice_id(f->tags[n], count, NULL),
		.fleet = batch_slice_id(f->tags[n], count, TAG_KEY_HOST), .tags = f->tags[n],
		.tag_count = count };
}

static void make_names(struct fleet_sample *f)
{
	for (int i = 0; i < FLEET_FUNCTIONS; i++) {
		struct batch_function *one = &f->function[i];

		snprintf(f->functions[i], sizeof(f->functions[i]), "Shop.it's_%d", i);
		*one = (struct batch_function){ .name = f->functions[i] + 5,
			.qualname = f->functions[i], .class_name = "Shop", .module = "shop",
			.file = "/srv/\303\244/shop.py", .wraps = "", .line = 10u + i };
		one->id = batch_function_id(one);
	}
	f->paths[0].function = f->function[0].id;
	f->paths[0].id = batch_path_id(0, f->paths[0].function);
	f->paths[1].parent = f->paths[0].id;
	f->paths[1].function = f->function[1].id;
	f->paths[1].id = batch_path_id(f->paths[1].parent, f->paths[1].function);
}

static void make_costs(struct fleet_sample *f, unsigned int host, uint64_t minute)
{
	for (uint32_t i = 0; i < 2 * FLEET_FUNCTIONS; i++)
		f->costs[i] = (struct batch_cost){ .slice = i / FLEET_FUNCTIONS,
			.function = f->function[i % FLEET_FUNCTIONS].id, .calls = host + 1,
			.self = 1000 * (host + 1) + minute + i, .cumulative = 5000 + i,
			.self_variance = 0.5, .cumulative_variance = 2 };
	for (uint32_t i = 0; i < 2; i++)
		f->path_costs[i] = (struct batch_path_cost){ .path = f->paths[i].id, .calls = 1,
							     .self = host + minute };
}

uint64_t fleet_sample_self(unsigned int host, uint64_t minute)
{
	uint64_t n = 2 * FLEET_FUNCTIONS;

	return n * (1000 * (host + 1) + minute) + n * (n - 1) / 2;
}

static void make_requests(struct fleet_sample *f, unsigned int host, uint64_t minute)
{
	f->backend = (struct batch_backend){ "postgresql", 3, 4000 };
	f->bins[0] = (struct sink_bin){ 7, 1 };
	f->bins[1] = (struct sink_bin){ 70, host + 1 };
	f->requests = (struct batch_requests){ .slice = 2, .count = host + 2, .estimate = host + 2.5,
		.backends = &f->backend, .backend_count = 1, .bins[DISTRIBUTION_COST] = f->bins,
		.bin_counts[DISTRIBUTION_COST] = 2 };
	f->requests.sums[REQUEST_COST] = 100 + (int64_t)minute;
	f->requests.sums[REQUEST_RSS] = -4096;
	f->requests.squares[REQUEST_COST] = 0.25;
	f->registers[0] = (struct batch_register){ (uint16_t)(host % SKETCH_REGISTERS), 2 };
	f->registers[1] = (struct batch_register){ SKETCH_REGISTERS - 1, (uint8_t)(host % 40 + 1) };
	f->users = (struct batch_users){ .slice = 0, .registers = f->registers, .register_count = 2 };
	f->counter = (struct batch_counter){ .slice = 0, .name = "loss.nodes", .value = 2 };
}

void fleet_sample_make(struct fleet_sample *f, unsigned int host, uint64_t minute)
{
	struct batch *b = &f->batch;

	memset(f, 0, sizeof(*f));
	snprintf(f->host, sizeof(f->host), "host-%u", host);
	make_slice(f, 0, "");
	make_slice(f, 1, "GET /shop/*");
	make_slice(f, 2, "GET /cart/*");
	make_names(f);
	make_costs(f, host, minute);
	make_requests(f, host, minute);
	*b = (struct batch){ .sender = f->host, .begin_s = FLEET_BEGIN_S + 60 * minute,
		.seconds = 60, .slices = f->slices, .slice_count = 3, .functions = f->function,
		.function_count = FLEET_FUNCTIONS, .paths = f->paths, .path_count = 2,
		.costs = f->costs, .cost_count = 2 * FLEET_FUNCTIONS, .path_costs = f->path_costs,
		.path_cost_count = 2, .requests = &f->requests, .request_count = 1,
		.users = &f->users, .user_count = 1, .counters = &f->counter, .counter_count = 1 };
	memcpy(b->id, &host, sizeof(host));
	memcpy(b->id + 8, &minute, sizeof(minute));
}
