/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Costs in kernel mode, in recordings: written, read back, refused. */
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
	CU_ASSERT(p->meta.kernel_mode && p->nodes[5].kernel_raw == 8500);
	CU_ASSERT(p->nodes[11].kernel_raw == 5000 && p->nodes[11].self_raw == 60000000);
	CU_ASSERT(p->calibrations[1].kernel_entry == 50 && p->calibrations[1].kernel_exit == 10);
	CU_ASSERT(p->calibrations[1].kernel_entry_error == 2);
	CU_ASSERT(p->calibrations[1].kernel_exit_error == 1);
	CU_ASSERT(p->calibrations[1].kernel_total_error == 1.5 && p->calibrations[1].entry == 100);
}

/* As version 2 of the format had it: by `unit --write-sample shop-kernel` of then. */
static void test_version_2(void)
{
	static uint8_t data[8192];
	FILE *f = fopen("tests/unit/shop-kernel-2.pycost", "r");
	struct profile *p;
	size_t size;

	CU_ASSERT_FATAL(f != NULL);
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	CU_ASSERT_EQUAL(data[RECORDING_MAGIC_SIZE], 2);
	CU_ASSERT_FATAL(!sample_replay(data, size, &p));
	CU_ASSERT(p->ended && p->node_count == 12 && !p->meta.period);
	check_shop(p);
	profile_free(p);
}

static void test_round_trip(void)
{
	static uint8_t with[8192], without[8192];
	size_t size = sample_written("shop-kernel", with, sizeof(with));
	size_t plain = sample_written("shop", without, sizeof(without));
	struct profile *p;

	CU_ASSERT_FATAL(!sample_replay(with, size, &p));
	check_shop(p);
	profile_free(p);
	/* Five doubles, and at least a byte for each of eleven costs. */
	CU_ASSERT(size >= plain + 5 * 8 + 11);
	CU_ASSERT_FATAL(!sample_replay(without, plain, &p));
	CU_ASSERT(!p->meta.kernel_mode && !p->nodes[5].kernel_raw);
	profile_free(p);
	for (size_t cut = RECORDING_HEADER_SIZE; cut < size; cut++) {
		CU_ASSERT_FATAL(!sample_replay(with, cut, &p));
		CU_ASSERT(!p->ended && (p->node_count == 1 || p->node_count == 9));
		profile_free(p);
	}
}

static void test_lone_hits_round_trip(void)
{
	char path[] = "/tmp/pycost-unit-XXXXXX", err[256];
	struct sink_meta meta = { .metric = METRIC_TASK_CLOCK, .kernel_mode = true };
	struct sink_process process = { .pid = 1 };
	struct sink_node root = { .id = 1, .pid = 1 };
	struct sink_cost cost = { .node = 1, .calls = 1, .lone_self = 3, .lone_caller = -2 };
	struct recording_status status;
	struct profile *p;
	struct sink *s;
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0 && !recording_create(path, &s));
	CU_ASSERT(s->meta(s, &meta) == -EINVAL);
	meta.metric = METRIC_CYCLES;
	CU_ASSERT(!s->meta(s, &meta) && !s->process(s, &process) && !s->node(s, &root));
	CU_ASSERT(!s->cost(s, &cost) && !s->cost(s, &cost) && !s->end(s, 1));
	recording_close(s);
	CU_ASSERT_FATAL(!profile_create(&p));
	CU_ASSERT_FATAL(!recording_read(path, &p->sink, &status, err, sizeof(err)));
	CU_ASSERT(p->nodes[1].lone_self == 6 && p->nodes[1].lone_caller == -4);
	CU_ASSERT_EQUAL(p->nodes[1].calls, 2);
	profile_free(p);
	close(fd);
	unlink(path);
}

#define META(metric, flags) FACT_META, metric, flags, 0, 0, 0, 0
#define PROCESS FACT_PROCESS, 1, 0, 0, 0, 0, 0
#define ROOT FACT_NODE, 0, 0, 1, 0
#define DOUBLE 0, 0, 0, 0, 0, 0, 0, 0
#define DOUBLES5 DOUBLE, DOUBLE, DOUBLE, DOUBLE, DOUBLE
#define NAN_DOUBLE 0, 0, 0, 0, 0, 0, 0xf8, 0x7f
#define CALIBRATION FACT_CALIBRATION, 1, 0, 0, DOUBLE, DOUBLES5
#define ON META(METRIC_INSTRUCTIONS, META_USER_ONLY | META_KERNEL_MODE)
#define OFF META(METRIC_INSTRUCTIONS, META_USER_ONLY)

static void test_facts(void)
{
	static const struct {
		int ret;
		uint32_t version;
		uint8_t size;
		uint8_t facts[192];
	} cases[] = {
#define CASE(ret, version, ...) \
	{ ret, version, sizeof((uint8_t[]){ __VA_ARGS__ }), { __VA_ARGS__ } }
		CASE(0, 1, OFF, CALIBRATION, PROCESS, ROOT, FACT_COST, 1, 2, 3),
		CASE(-EPROTO, 1, ON, CALIBRATION, PROCESS, ROOT, FACT_COST, 1, 2, 3, 4),
		CASE(0, 2, OFF, CALIBRATION, DOUBLE, PROCESS, ROOT, FACT_COST, 1, 2, 3),
		CASE(0, 2, ON, CALIBRATION, DOUBLE, DOUBLES5, PROCESS, ROOT, FACT_COST, 1, 2, 3, 4),
		CASE(0, 2, ON, PROCESS, ROOT, FACT_LONE, 1, 3, 4),
		CASE(-EPROTO, 2, OFF, PROCESS, ROOT, FACT_LONE, 1, 3, 4),
		CASE(-EPROTO, 2, ON, PROCESS, ROOT, FACT_LONE, 2, 3, 4),
		CASE(-EPROTO, 2, ON, PROCESS, ROOT, FACT_LONE, 1, 3), /* cut */
		CASE(-EPROTO, 2, ON, PROCESS, ROOT, FACT_COST, 1, 2, 3), /* cut */
		CASE(-EPROTO, 2, ON, CALIBRATION, DOUBLE), /* cut */
		CASE(-EPROTO, 2, ON, CALIBRATION, DOUBLE, DOUBLE, DOUBLE, DOUBLE, DOUBLE, NAN_DOUBLE),
		CASE(-EPROTO, 2, META(METRIC_TASK_CLOCK, META_KERNEL_MODE)),
		/* a flag of the future: META_FLAGS + 1 */
		CASE(-EPROTO, 2, FACT_META, METRIC_CYCLES, 0x80, 2, 0, 0, 0, 0),
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

static void test_fields_of_a_version_1(void)
{
	static const uint8_t facts[] = { OFF, CALIBRATION, PROCESS, ROOT, FACT_COST, 1, 2, 3 };
	struct profile *p;

	CU_ASSERT_FATAL(!sample_replay_facts(1, facts, sizeof(facts), &p));
	CU_ASSERT(!p->meta.kernel_mode && p->nodes[1].calls == 2 && p->nodes[1].self_raw == 3);
	CU_ASSERT(!p->nodes[1].kernel_raw && !p->calibrations[1].kernel_entry);
	profile_free(p);
}

int suite_kernel_recording(void)
{
	CU_TestInfo tests[] = {
		{ "version 2", test_version_2 },
		{ "round trip", test_round_trip },
		{ "round trip of lone hits", test_lone_hits_round_trip },
		{ "facts", test_facts },
		{ "fields of a version 1", test_fields_of_a_version_1 },
		CU_TEST_INFO_NULL,
	};

	return suite_register("kernel_recording", tests);
}
