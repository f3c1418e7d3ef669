/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/received.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/suites.h"

#define LIMIT ((size_t)64 << 20)

static int receive(void *arg, const struct batch *b)
{
	struct received *r = arg;
	char err[256] = "";
	void *bytes;
	size_t size;

	CU_ASSERT_FATAL(r->count < BATCHES_MAX);
	CU_ASSERT_FATAL(!batch_pack(b, &bytes, &size));
	CU_ASSERT_FATAL(!batch_unpack(bytes, size, LIMIT, &r->batches[r->count++], err,
				      sizeof(err)));
	free(bytes);
	return 0;
}

static bool is_known(void *arg, uint64_t id)
{
	return ((struct received *)arg)->knows;
}

void received_free(struct received *r)
{
	for (int i = 0; i < r->count; i++)
		batch_free(&r->batches[i]);
}

static const struct batch_tag shop_tags[] = { { "service", "shop" }, { "version", "1.2" } };

struct fold *shop_fold(struct received *r, struct fold_options o)
{
	struct fold *f;

	*r = (struct received){ .knows = r->knows };
	o.sender = "web-1";
	if (!o.tags) {
		o.tags = shop_tags;
		o.tag_count = 2;
	}
	o.is_known = is_known;
	o.emit = receive;
	o.arg = r;
	CU_ASSERT_FATAL(!fold_create(&o, &f));
	return f;
}

const struct batch_function *function_of(const struct received *r, uint64_t id)
{
	for (int i = 0; i < r->count; i++)
		for (uint32_t k = 0; k < r->batches[i].function_count; k++)
			if (r->batches[i].functions[k].id == id)
				return &r->batches[i].functions[k];
	return NULL;
}

/* Each path that costs anything can be followed to its outermost caller; their sum. */
uint64_t paths_sum(const struct received *r)
{
	uint64_t sum = 0;

	for (int i = 0; i < r->count; i++)
		for (uint32_t k = 0; k < r->batches[i].path_cost_count; k++) {
			uint64_t path = r->batches[i].path_costs[k].path;
			int steps = 0;

			sum += r->batches[i].path_costs[k].self;
			while (path && steps++ < 1000) {
				const struct batch *b = &r->batches[i];
				uint32_t at = 0;

				while (at < b->path_count && b->paths[at].id != path)
					at++;
				CU_ASSERT_FATAL(at < b->path_count);
				path = b->paths[at].parent;
				CU_ASSERT(!b->paths[at].function ||
					  function_of(r, b->paths[at].function));
			}
			CU_ASSERT(!path);
		}
	return sum;
}

double counter(const struct received *r, const char *name)
{
	double sum = 0;

	for (int i = 0; i < r->count; i++)
		for (uint32_t k = 0; k < r->batches[i].counter_count; k++)
			if (!strcmp(r->batches[i].counters[k].name, name))
				sum += r->batches[i].counters[k].value;
	return sum;
}

uint64_t costs_sum(const struct received *r)
{
	uint64_t sum = 0;

	for (int i = 0; i < r->count; i++)
		for (uint32_t k = 0; k < r->batches[i].cost_count; k++)
			sum += r->batches[i].costs[k].self;
	return sum;
}
