/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samples in profiles and recordings: added up, written, read back, refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/sample.h"
#include "tests/unit/suites.h"
#include "userspace/profile.h"
#include "userspace/recording.h"
#include "userspace/recording_format.h"

static void check_shop(const struct profile *p)
{
	uint64_t all = 0;

	CU_ASSERT(p->meta.period == 1000 && p->losses[LOSS_UNWALKED] == 2);
	/* Told in two parts, and one place. */
	CU_ASSERT(p->sample_count == 9 && p->passage_count == 7);
	CU_ASSERT(p->nodes[5].samples == 70 && p->nodes[5].self_raw == 70000);
	CU_ASSERT(p->nodes[11].samples == 15 && !p->nodes[11].calls);
	for (size_t i = 0; i < p->sample_count; i++)
		all += p->samples[i].count;
	CU_ASSERT_EQUAL(all, 120);
	CU_ASSERT(p->samples[3].count == 30 && p->samples[3].native == 1);
	CU_ASSERT(p->samples[3].opcode == 171 && p->samples[3].line == 12);
	CU_ASSERT(p->samples[6].state == SAMPLE_GIL && p->samples[6].in_kernel);
	CU_ASSERT(p->samples[0].opcode == SINK_NO_OPCODE && p->samples[8].node == 11);
	CU_ASSERT(p->passages[6].node == 10 && p->passages[6].count == 15);
	CU_ASSERT_EQUAL_FATAL(p->native_count, 5);
	CU_ASSERT(p->natives[2].parent == 1 && !p->natives[3].parent);
	CU_ASSERT_STRING_EQUAL(p->natives[2].symbol, "sha256_compress");
	CU_ASSERT_STRING_EQUAL(p->natives[4].object, "[vdso]");
}

static void test_profile(void)
{
	struct profile *p;

	CU_ASSERT_FATAL(!profile_create(&p) &&
			!sample_shop_sampled(&p->sink, METRIC_INSTRUCTIONS));
	check_shop(p);
	CU_ASSERT(!profile_keep_pid(p, 101));
	CU_ASSERT(p->sample_count == 1 && p->samples[0].node == 3 && p->samples[0].count == 15);
	CU_ASSERT(p->passage_count == 1 && p->passages[0].node == 2);
	profile_free(p);
}

static void test_round_trip(void)
{
	static uint8_t data[8192];
	size_t size = sample_written("shop-sampled", data, sizeof(data));
	struct profile *p;

	CU_ASSERT_FATAL(!sample_replay(data, size, &p));
	check_shop(p);
	profile_free(p);
	for (size_t cut = RECORDING_HEADER_SIZE; cut < size; cut++) {
		CU_ASSERT_FATAL(!sample_replay(data, cut, &p));
		CU_ASSERT(!p->ended && (p->sample_count == 0 || p->sample_count == 8));
		profile_free(p);
	}
}

/* What breaks the contract, told to a sink that knows node 1 and native 1. */
static void check_refusals(struct sink *s, uint64_t period)
{
	struct sink_meta meta = { METRIC_CYCLES, .host = "", .kernel = "", .version = "",
				  .period = period };
	struct sink_process process = { .pid = 1 };
	struct sink_node root = { .id = 1, .pid = 1 };
	struct sink_native native = { .id = 1, .symbol = "f" }, child = { .id = 2, .parent = 2 };
	struct sink_sample good = { .node = 1, .count = 1 }, bad[5];
	struct sink_passage passage = { .node = 1, .count = 1 };
	struct sink_cost cost = { .node = 1, .calls = 1 };
	int ok = period ? 0 : -EINVAL;

	CU_ASSERT(!s->meta(s, &meta) && !s->process(s, &process) && !s->node(s, &root));
	CU_ASSERT(s->native(s, &native) == ok && s->sample(s, &good) == ok);
	CU_ASSERT(s->passage(s, &passage) == ok);
	CU_ASSERT(s->cost(s, &cost) == (period ? -EINVAL : 0));
	for (int i = 0; i < 5; i++)
		bad[i] = good;
	bad[0].node = 2;
	bad[1].node = 0;
	bad[2].native = 2;
	bad[3].state = SAMPLE_STATES;
	bad[4].count = 0;
	for (int i = 0; i < 5; i++)
		CU_ASSERT(s->sample(s, &bad[i]) == -EINVAL);
	passage.node = 2;
	CU_ASSERT(s->passage(s, &passage) == -EINVAL);
	CU_ASSERT(s->native(s, &native) == -EINVAL && s->native(s, &child) == -EINVAL);
}

static void test_contract(void)
{
	for (uint64_t period = 0; period < 2; period++) {
		struct profile *p;
		struct sink *s;

		CU_ASSERT_FATAL(!profile_create(&p) && !recording_create("/dev/null", &s));
		check_refusals(&p->sink, period);
		check_refusals(s, period);
		profile_free(p);
		recording_close(s);
	}
}

static void test_sums_saturate(void)
{
	struct sink_meta meta = { METRIC_CYCLES, .host = "", .kernel = "", .version = "",
				  .period = 1000 };
	struct sink_process process = { .pid = 1 };
	struct sink_node root = { .id = 1, .pid = 1 };
	struct sink_sample sample = { .node = 1, .count = UINT64_MAX - 1 };
	struct profile *p;

	CU_ASSERT_FATAL(!profile_create(&p));
	CU_ASSERT(!p->sink.meta(&p->sink, &meta) && !p->sink.process(&p->sink, &process));
	CU_ASSERT(!p->sink.node(&p->sink, &root) && !p->sink.sample(&p->sink, &sample));
	CU_ASSERT(!p->sink.sample(&p->sink, &sample));
	CU_ASSERT(p->nodes[1].samples == UINT64_MAX && p->nodes[1].self_raw == UINT64_MAX);
	CU_ASSERT(p->samples[0].count == UINT64_MAX);
	profile_free(p);
}

#define META(flags) FACT_META, METRIC_CYCLES, flags, 0, 0, 0, 0
#define ON META(META_SAMPLED), 100
#define HEAD FACT_PROCESS, 1, 0, 0, 0, 0, 0, FACT_NODE, 0, 0, 1, 0
#define NATIVE FACT_NATIVE, 0, 1, 'f', 1, 'o'

static void test_facts(void)
{
	static const struct {
		int ret;
		uint32_t version;
		uint8_t size;
		uint8_t facts[96];
	} cases[] = {
#define CASE(ret, version, ...) \
	{ ret, version, sizeof((uint8_t[]){ __VA_ARGS__ }), { __VA_ARGS__ } }
		CASE(0, 3, ON, HEAD, NATIVE, FACT_SAMPLE, 1, 9, 1, 0, 3, 1, 4, FACT_PASSAGE, 1, 9, 5),
		CASE(0, 3, ON, HEAD, FACT_SAMPLE, 1, 0, 0, 0xff, 0xff, 3, 0, 0, 1), /* opcode 0xfffe */
		CASE(0, 3, ON, HEAD, NATIVE, FACT_NATIVE, 1, 0, 0),
		CASE(-EPROTO, 2, ON, HEAD), /* not yet */
		CASE(-EPROTO, 3, META(META_SAMPLED)), /* cut */
		CASE(-EPROTO, 3, META(META_SAMPLED), 0), /* no period */
		CASE(-EPROTO, 3, META(META_SAMPLED | META_KERNEL_MODE), 100),
		CASE(-EPROTO, 3, META(0), HEAD, NATIVE), /* not sampled */
		CASE(-EPROTO, 3, META(0), HEAD, FACT_SAMPLE, 1, 0, 0, 0, 0, 0, 1),
		CASE(-EPROTO, 3, META(0), HEAD, FACT_PASSAGE, 1, 0, 1),
		CASE(-EPROTO, 3, ON, HEAD, FACT_COST, 1, 1, 1), /* of an exact one */
		CASE(-EPROTO, 3, ON, HEAD, FACT_SEARCH, 1, 1, 1),
		CASE(-EPROTO, 3, ON, HEAD, FACT_NATIVE, 1, 0, 0), /* its own parent */
		CASE(-EPROTO, 3, ON, HEAD, FACT_SAMPLE, 2, 0, 0, 0, 0, 0, 1), /* no such node */
		CASE(-EPROTO, 3, ON, HEAD, FACT_SAMPLE, 0, 0, 0, 0, 0, 0, 1),
		CASE(-EPROTO, 3, ON, HEAD, FACT_SAMPLE, 1, 0, 1, 0, 0, 0, 1), /* native */
		CASE(-EPROTO, 3, ON, HEAD, FACT_SAMPLE, 1, 0, 0, 0x80, 0x80, 4, 0, 0, 1), /* opcode */
		CASE(-EPROTO, 3, ON, HEAD, FACT_SAMPLE, 1, 0, 0, 0, SAMPLE_STATES, 0, 1),
		CASE(-EPROTO, 3, ON, HEAD, FACT_SAMPLE, 1, 0, 0, 0, 0, 2, 1),
		CASE(-EPROTO, 3, ON, HEAD, FACT_SAMPLE, 1, 0, 0, 0, 0, 0, 0), /* none */
		CASE(-EPROTO, 3, ON, HEAD, FACT_SAMPLE, 1, 0, 0, 0, 0, 0), /* cut */
		CASE(-EPROTO, 3, ON, HEAD, FACT_PASSAGE, 2, 0, 1),
		CASE(-EPROTO, 3, ON, HEAD, FACT_PASSAGE, 1, 0, 0),
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct profile *p;
		int ret = sample_replay_facts(cases[i].version, cases[i].facts, cases[i].size, &p);

		if (ret != cases[i].ret)
			fprintf(stderr, "case %zu: %d\n", i, ret);
		CU_ASSERT(ret == cases[i].ret);
		profile_free(p);
	}
}

int suite_sampled(void)
{
	CU_TestInfo tests[] = {
		{ "profile", test_profile },
		{ "round trip", test_round_trip },
		{ "contract", test_contract },
		{ "sums saturate", test_sums_saturate },
		{ "facts", test_facts },
		CU_TEST_INFO_NULL,
	};

	return suite_register("sampled", tests);
}
