/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "tests/unit/sample_batch.h"
#include "tests/unit/suites.h"

#define LIMIT ((size_t)1 << 20)

static void test_ids(void)
{
	static const struct batch_tag with[] = { { "host", "a" }, { "service", "shop" } };
	static const struct batch_tag without[] = { { "service", "shop" } };
	static const struct batch_tag shifted[] = { { "hosta", "" }, { "service", "shop" } };
	struct batch_function f = { 0, "f", "C.f", "C", "m", "/m.py", "", 7 }, g = f;

	CU_ASSERT_EQUAL(batch_slice_id(with, 2, TAG_KEY_HOST), batch_slice_id(without, 1, NULL));
	CU_ASSERT_NOT_EQUAL(batch_slice_id(with, 2, NULL), batch_slice_id(without, 1, NULL));
	CU_ASSERT_NOT_EQUAL(batch_slice_id(with, 2, NULL), batch_slice_id(shifted, 2, NULL));
	g.line = 8;
	CU_ASSERT_NOT_EQUAL(batch_function_id(&f), batch_function_id(&g));
	CU_ASSERT_NOT_EQUAL(batch_path_id(1, 2), batch_path_id(2, 1));
	/* On disk and on other hosts: never to change. From Python's hashlib.blake2b(). */
	CU_ASSERT_EQUAL(batch_path_id(1, 2), 0x2fb5fc1bf5f99df5);
	CU_ASSERT_EQUAL(batch_slice_id(without, 1, NULL), 0x47ef88ebb6dce519);
	CU_ASSERT_EQUAL(batch_function_id(&f), 0x6af819ac4e2a001c);
}

static void assert_slices(const struct batch *a, const struct batch *b)
{
	CU_ASSERT_FATAL(a->slice_count == b->slice_count);
	for (uint32_t i = 0; i < a->slice_count; i++) {
		CU_ASSERT(a->slices[i].id == b->slices[i].id);
		CU_ASSERT(a->slices[i].fleet == b->slices[i].fleet);
		CU_ASSERT_FATAL(a->slices[i].tag_count == b->slices[i].tag_count);
		for (uint32_t k = 0; k < a->slices[i].tag_count; k++) {
			CU_ASSERT_STRING_EQUAL(a->slices[i].tags[k].key, b->slices[i].tags[k].key);
			CU_ASSERT_STRING_EQUAL(a->slices[i].tags[k].value,
					       b->slices[i].tags[k].value);
		}
	}
}

static void assert_names(const struct batch *a, const struct batch *b)
{
	CU_ASSERT_FATAL(a->function_count == b->function_count);
	for (uint32_t i = 0; i < a->function_count; i++) {
		CU_ASSERT(a->functions[i].id == b->functions[i].id);
		CU_ASSERT_STRING_EQUAL(a->functions[i].qualname, b->functions[i].qualname);
		CU_ASSERT_STRING_EQUAL(a->functions[i].file, b->functions[i].file);
		CU_ASSERT(a->functions[i].line == b->functions[i].line);
	}
	CU_ASSERT_FATAL(a->path_count == b->path_count);
	CU_ASSERT(!memcmp(a->paths, b->paths, a->path_count * sizeof(*a->paths)));
}

static void assert_costs(const struct batch *a, const struct batch *b)
{
	CU_ASSERT_FATAL(a->cost_count == b->cost_count);
	for (uint32_t i = 0; i < a->cost_count; i++) {
		const struct batch_cost *x = &a->costs[i], *y = &b->costs[i];

		CU_ASSERT(x->slice == y->slice && x->function == y->function);
		CU_ASSERT(x->calls == y->calls && x->samples == y->samples);
		CU_ASSERT(x->self == y->self && x->cumulative == y->cumulative);
		CU_ASSERT(x->self_variance == y->self_variance &&
			  x->cumulative_variance == y->cumulative_variance);
	}
	CU_ASSERT_FATAL(a->path_cost_count == b->path_cost_count);
	for (uint32_t i = 0; i < a->path_cost_count; i++) {
		const struct batch_path_cost *x = &a->path_costs[i], *y = &b->path_costs[i];

		CU_ASSERT(x->slice == y->slice && x->path == y->path && x->calls == y->calls &&
			  x->samples == y->samples && x->self == y->self);
	}
}

static void assert_request(const struct batch_requests *x, const struct batch_requests *y)
{
	CU_ASSERT(x->slice == y->slice && x->count == y->count && x->estimate == y->estimate &&
		  x->estimate_variance == y->estimate_variance);
	CU_ASSERT(!memcmp(x->sums, y->sums, sizeof(x->sums)));
	CU_ASSERT(!memcmp(x->squares, y->squares, sizeof(x->squares)));
	CU_ASSERT_FATAL(x->backend_count == y->backend_count);
	for (uint32_t i = 0; i < x->backend_count; i++) {
		CU_ASSERT_STRING_EQUAL(x->backends[i].name, y->backends[i].name);
		CU_ASSERT(x->backends[i].calls == y->backends[i].calls);
		CU_ASSERT(x->backends[i].ns == y->backends[i].ns);
	}
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++) {
		CU_ASSERT_FATAL(x->bin_counts[d] == y->bin_counts[d]);
		for (uint32_t i = 0; i < x->bin_counts[d]; i++)
			CU_ASSERT(x->bins[d][i].bin == y->bins[d][i].bin &&
				  x->bins[d][i].count == y->bins[d][i].count);
	}
}

static void assert_others(const struct batch *a, const struct batch *b)
{
	CU_ASSERT_FATAL(a->request_count == b->request_count);
	for (uint32_t i = 0; i < a->request_count; i++)
		assert_request(&a->requests[i], &b->requests[i]);
	CU_ASSERT_FATAL(a->user_count == b->user_count);
	for (uint32_t i = 0; i < a->user_count; i++) {
		const struct batch_users *x = &a->users[i], *y = &b->users[i];

		CU_ASSERT_FATAL(x->register_count == y->register_count);
		CU_ASSERT(x->slice == y->slice);
		for (uint32_t k = 0; k < x->register_count; k++)
			CU_ASSERT(x->registers[k].index == y->registers[k].index &&
				  x->registers[k].rank == y->registers[k].rank);
	}
	CU_ASSERT_FATAL(a->counter_count == b->counter_count);
	for (uint32_t i = 0; i < a->counter_count; i++) {
		CU_ASSERT(a->counters[i].slice == b->counters[i].slice);
		CU_ASSERT_STRING_EQUAL(a->counters[i].name, b->counters[i].name);
		CU_ASSERT(a->counters[i].value == b->counters[i].value);
	}
}

static void test_there_and_back(void)
{
	struct sample_batch sample;
	const struct batch *b = sample_batch(&sample);
	struct batch back;
	char err[256] = "";
	void *bytes;
	size_t size;

	CU_ASSERT_FATAL(!batch_pack(b, &bytes, &size));
	CU_ASSERT_FATAL(!batch_unpack(bytes, size, LIMIT, &back, err, sizeof(err)));
	CU_ASSERT(!memcmp(back.id, b->id, sizeof(b->id)));
	CU_ASSERT_STRING_EQUAL(back.sender, b->sender);
	CU_ASSERT(back.begin_s == b->begin_s && back.seconds == b->seconds);
	assert_slices(b, &back);
	assert_names(b, &back);
	assert_costs(b, &back);
	assert_others(b, &back);
	batch_free(&back);
	batch_free(&back);
	free(bytes);
}

/* Every length that is cut, and each byte that is turned over, is told or makes no harm. */
static void test_damaged(void)
{
	struct sample_batch sample;
	struct batch back;
	char err[256];
	uint8_t *bytes;
	size_t size;

	CU_ASSERT_FATAL(!batch_pack(sample_batch(&sample), (void **)&bytes, &size));
	for (size_t n = 0; n < size; n++)
		CU_ASSERT(batch_unpack(bytes, n, LIMIT, &back, err, sizeof(err)) == -EBADMSG);
	for (size_t n = 0; n < size; n++) {
		bytes[n] ^= 0xff;
		if (!batch_unpack(bytes, size, LIMIT, &back, err, sizeof(err)))
			batch_free(&back);
		bytes[n] ^= 0xff;
	}
	free(bytes);
}

/* What is refused must be found before memory is made. */
static void test_bomb(void)
{
	size_t plain_size = 64 << 20, bound = ZSTD_compressBound(plain_size), size;
	void *plain = calloc(1, plain_size), *bytes = malloc(bound);
	struct sample_batch sample;
	struct batch back;
	char err[256] = "";

	size = ZSTD_compress(bytes, bound, plain, plain_size, 3);
	CU_ASSERT(size < 10000);
	CU_ASSERT(batch_unpack(bytes, size, LIMIT, &back, err, sizeof(err)) == -EFBIG);
	CU_ASSERT(strstr(err, "more than") != NULL);
	free(bytes);
	free(plain);
	CU_ASSERT_FATAL(!batch_pack(sample_batch(&sample), &bytes, &size));
	CU_ASSERT(batch_unpack(bytes, size, 1000, &back, err, sizeof(err)) == -EFBIG);
	free(bytes);
}

static void assert_refused(const struct batch *b)
{
	size_t size;
	void *bytes;

	CU_ASSERT(batch_pack(b, &bytes, &size) == -EINVAL);
}

static void test_refused(void)
{
	struct sample_batch s;
	struct batch *b = sample_batch(&s);

	s.slices[0].id++;
	assert_refused(b);
	sample_batch(&s);
	s.tags[0][0].value = "a\nb";
	assert_refused(b);
	sample_batch(&s);
	s.costs[0].slice = 99;
	assert_refused(b);
	sample_batch(&s);
	s.costs[0].self_variance = NAN;
	assert_refused(b);
	sample_batch(&s);
	s.bins[1].bin = s.bins[0].bin;
	assert_refused(b);
	sample_batch(&s);
	s.registers[1].index = s.registers[0].index;
	assert_refused(b);
	sample_batch(&s);
	s.requests[0].sums[REQUEST_COST] = -1;
	assert_refused(b);
	sample_batch(&s);
	b->begin_s++;
	assert_refused(b);
	sample_batch(&s);
	s.slices[0].tag_count--; /* service is the last */
	s.slices[0].id = batch_slice_id(s.slices[0].tags, s.slices[0].tag_count, NULL);
	assert_refused(b);
}

int suite_batch(void)
{
	static CU_TestInfo tests[] = {
		{ "ids are what they were", test_ids },
		{ "there and back", test_there_and_back },
		{ "damaged bytes", test_damaged },
		{ "bombs", test_bomb },
		{ "what is no batch", test_refused },
		CU_TEST_INFO_NULL,
	};

	return suite_register("batch", tests);
}
