/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/sample.h"
#include "tests/unit/suites.h"
#include "userspace/bytes.h"
#include "userspace/profile.h"
#include "userspace/recording.h"
#include "userspace/recording_format.h"

struct bytes {
	uint8_t *data;
	size_t size;
};

static void slurp(const char *path, struct bytes *ret)
{
	struct stat st;
	int fd = open(path, O_RDONLY);

	CU_ASSERT_FATAL(fd >= 0 && !fstat(fd, &st));
	ret->size = st.st_size;
	ret->data = malloc(ret->size + 1);
	CU_ASSERT_FATAL(ret->data && read(fd, ret->data, ret->size) == (ssize_t)ret->size);
	close(fd);
}

static struct bytes shop_recording(void)
{
	char path[] = "/tmp/pycost-unit-XXXXXX";
	int fd = mkstemp(path);
	struct bytes ret;

	CU_ASSERT_FATAL(fd >= 0);
	close(fd);
	CU_ASSERT_FATAL(!sample_write("shop", path));
	slurp(path, &ret);
	unlink(path);
	return ret;
}

/* Replays bytes into a new profile; *ret is NULL when that failed. */
static int replay(const void *data, size_t size, struct recording_status *status,
		  struct profile **ret, char err[256])
{
	struct profile *p;
	int ret_err;

	err[0] = 0;
	CU_ASSERT_FATAL(!profile_create(&p));
	ret_err = recording_read_memory(data, size, &p->sink, status, err, 256);
	*ret = p;
	if (ret_err) {
		CU_ASSERT(err[0] != 0);
		profile_free(p);
		*ret = NULL;
	}
	return ret_err;
}

static void test_round_trip(void)
{
	struct bytes bytes = shop_recording();
	struct recording_status status;
	struct profile *p;
	char err[256];

	CU_ASSERT_FATAL(!replay(bytes.data, bytes.size, &status, &p, err));
	CU_ASSERT(!status.incomplete && !status.corrupt && status.size == bytes.size);
	CU_ASSERT(p->ended && p->duration_ns == 2500000000);
	CU_ASSERT(p->meta.metric == METRIC_INSTRUCTIONS && p->meta.user_only);
	CU_ASSERT_STRING_EQUAL(p->meta.host, "testhost");
	CU_ASSERT_EQUAL_FATAL(p->process_count, 2);
	CU_ASSERT(p->processes[1].pid == 101 && p->processes[1].ppid == 100);
	CU_ASSERT_STRING_EQUAL(p->processes[1].python, "3.15.2");
	CU_ASSERT_EQUAL_FATAL(p->calibration_count, 2);
	CU_ASSERT(p->calibrations[1].entry == 100 && p->calibrations[1].exit_error == 4);
	CU_ASSERT_EQUAL_FATAL(p->function_count, 7);
	CU_ASSERT_STRING_EQUAL(p->functions[4].wraps, "Shop.checkout");
	CU_ASSERT_STRING_EQUAL(p->functions[2].class_name, "Shop");
	CU_ASSERT(p->functions[6].unresolved && p->functions[4].line == 7);
	CU_ASSERT_EQUAL_FATAL(p->node_count, 12);
	CU_ASSERT(p->nodes[8].parent == 7 && p->nodes[8].calls == 4 && p->nodes[8].self_raw == 1600);
	CU_ASSERT(p->nodes[9].process == 1 && p->losses[LOSS_DEPTH] == 3);
	profile_free(p);
	free(bytes.data);
}

/* As the first version of the format had it: by `unit --write-sample shop` of then. */
static void test_version_1(void)
{
	struct recording_status status;
	struct bytes bytes;
	struct profile *p;
	char err[256];

	slurp("tests/unit/shop-1.pycost", &bytes);
	CU_ASSERT_EQUAL(bytes.data[RECORDING_MAGIC_SIZE], 1);
	CU_ASSERT_FATAL(!replay(bytes.data, bytes.size, &status, &p, err));
	CU_ASSERT(!status.incomplete && !status.corrupt && status.size == bytes.size);
	CU_ASSERT(p->calibrations[1].entry == 100 && p->calibrations[1].total_error == 5);
	CU_ASSERT(p->calibrations[1].search_error == 0);
	CU_ASSERT(p->node_count == 12 && p->nodes[8].self_raw == 1600);
	CU_ASSERT(p->losses[LOSS_DEPTH] == 3);
	profile_free(p);
	free(bytes.data);
}

static int tell_searches(struct sink *to)
{
	struct sink_meta meta = { METRIC_INSTRUCTIONS, .host = "", .kernel = "", .version = "" };
	struct sink_calibration calibration = { 1, "", "", .search_error = 0.25 };
	struct sink_process process = { 7, 0, "", "", "", 1 };
	struct sink_function function = { 1, "f", "f", "", "m", "m.py", "", 1 };
	struct sink_node root = { 1, 0, 0, 7 }, node = { 2, 1, 1, 7 };
	struct sink_cost costs[] = { { 2, 3, 500, -70, 1ll << 40 },
				     { 2, 1, 100, INT64_MIN, 5 } };
	int err = to->meta(to, &meta) || to->calibration(to, &calibration) ||
		  to->process(to, &process) || to->function(to, &function) ||
		  to->node(to, &root) || to->node(to, &node);

	for (int i = 0; i < 2; i++)
		err = err || to->cost(to, &costs[i]);
	return err || to->end(to, 1);
}

static void test_searches(void)
{
	char path[] = "/tmp/pycost-unit-XXXXXX", err[256];
	struct recording_status status;
	struct bytes bytes;
	struct profile *p;
	struct sink *s;

	close(mkstemp(path));
	CU_ASSERT_FATAL(!recording_create(path, &s) && !tell_searches(s) && !recording_close(s));
	slurp(path, &bytes);
	unlink(path);
	CU_ASSERT_FATAL(!replay(bytes.data, bytes.size, &status, &p, err));
	CU_ASSERT(p->calibrations[1].search_error == 0.25);
	CU_ASSERT(p->nodes[2].calls == 4 && p->nodes[2].self_raw == 600);
	/* Sums of foreign numbers stay at the end of what fits. */
	CU_ASSERT(p->nodes[2].search_self == INT64_MIN);
	CU_ASSERT(p->nodes[2].search_caller == (1ll << 40) + 5);
	profile_free(p);
	free(bytes.data);
}

/* A file cut anywhere reads as of its last flush, or says why it does not. */
static void test_every_truncation(void)
{
	struct bytes bytes = shop_recording();

	for (size_t size = 0; size < bytes.size; size++) {
		/* In memory of its own, so that a sanitizer sees a read past it. */
		uint8_t *cut = malloc(size + !size);
		struct recording_status status;
		struct profile *p;
		char err[256];
		int ret;

		memcpy(cut, bytes.data, size);
		ret = replay(cut, size, &status, &p, err);
		if (size < RECORDING_HEADER_SIZE) {
			CU_ASSERT(ret == -EINVAL);
		} else {
			CU_ASSERT_FATAL(ret == 0);
			CU_ASSERT(status.incomplete && !status.corrupt && !p->ended);
			CU_ASSERT(p->node_count == 1 || p->node_count == 9);
			CU_ASSERT(p->has_meta == (p->node_count == 9));
		}
		profile_free(p);
		free(cut);
	}
	free(bytes.data);
}

/* One bit away from the version, there may be one that was written once. */
static bool is_other_version(const struct bytes *bytes)
{
	uint32_t version;

	memcpy(&version, bytes->data + RECORDING_MAGIC_SIZE, sizeof(version));
	return version && version < RECORDING_VERSION;
}

/* No flipped bit goes unnoticed or changes what is reported before it. */
static void test_every_flipped_bit(void)
{
	struct bytes bytes = shop_recording();

	for (size_t bit = 0; bit < bytes.size * 8; bit++) {
		struct recording_status status = { 0 };
		struct profile *p;
		char err[256];
		int ret;

		bytes.data[bit / 8] ^= 1 << bit % 8;
		ret = replay(bytes.data, bytes.size, &status, &p, err);
		if (bit / 8 < RECORDING_MAGIC_SIZE)
			CU_ASSERT(ret == -EINVAL);
		if (bit / 8 >= RECORDING_HEADER_SIZE) {
			CU_ASSERT_FATAL(ret == 0);
			CU_ASSERT(status.corrupt || status.incomplete);
			CU_ASSERT(!status.corrupt || status.corrupt_offset <= bit / 8);
			CU_ASSERT(p->node_count == 1 || p->node_count == 9);
		} else {
			CU_ASSERT(ret < 0 || is_other_version(&bytes));
		}
		profile_free(p);
		bytes.data[bit / 8] ^= 1 << bit % 8;
	}
	free(bytes.data);
}

static void test_foreign_files(void)
{
	struct bytes bytes = shop_recording();
	struct recording_status status;
	struct profile *p;
	char err[256];

	CU_ASSERT(replay("", 0, &status, &p, err) == -EINVAL);
	CU_ASSERT(replay("{\"json\":1}", 10, &status, &p, err) == -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "not a pycost recording"));
	put_u32(bytes.data + RECORDING_MAGIC_SIZE, RECORDING_VERSION + 1);
	CU_ASSERT(replay(bytes.data, bytes.size, &status, &p, err) == -EPROTONOSUPPORT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "newer pycost"));
	free(bytes.data);
}

static void test_trailing_bytes(void)
{
	struct bytes bytes = shop_recording();
	struct recording_status status;
	struct profile *p;
	char err[256];

	bytes.data[bytes.size] = 0;
	CU_ASSERT_FATAL(!replay(bytes.data, bytes.size + 1, &status, &p, err));
	CU_ASSERT(status.corrupt && status.corrupt_offset == bytes.size);
	profile_free(p);
	free(bytes.data);
}

/* After a good meta fact. */
static int replay_facts(const uint8_t *facts, size_t size, char err[256])
{
	static const uint8_t meta[] = { FACT_META, METRIC_CYCLES, 0, 0, 0, 0, 0 };
	uint8_t all[256], file[512];
	struct recording_status status;
	struct profile *p;
	int ret;

	CU_ASSERT_FATAL(sizeof(meta) + size <= sizeof(all));
	memcpy(all, meta, sizeof(meta));
	memcpy(all + sizeof(meta), facts, size);
	size = sample_block(RECORDING_VERSION, all, sizeof(meta) + size, file, sizeof(file));
	ret = replay(file, size, &status, &p, err);
	profile_free(p);
	return ret;
}

/* A right checksum does not make a fact right. */
static void test_facts_that_break_the_contract(void)
{
#define PROCESS FACT_PROCESS, 1, 0, 0, 0, 0, 0
#define FUNCTION FACT_FUNCTION, 1, 0, 1, 'f', 0, 0, 0, 0, 0
#define ROOT FACT_NODE, 0, 0, 1, 0
	static const struct {
		int ret;
		uint8_t size;
		uint8_t facts[48];
	} cases[] = {
#define CASE(ret, ...) { ret, sizeof((uint8_t[]){ __VA_ARGS__ }), { __VA_ARGS__ } }
		CASE(0, PROCESS, FUNCTION, ROOT, FACT_NODE, 1, 1, 1, 0, FACT_COST, 2, 1, 9),
		CASE(-EPROTO, 99),				    /* unknown fact */
		CASE(-EPROTO, 0),
		CASE(-EPROTO, FACT_META, 1, 0, 0, 0, 0, 0),	    /* a second meta */
		CASE(-EPROTO, ROOT),				    /* node of no process */
		CASE(-EPROTO, PROCESS, FACT_NODE, 1, 0, 1, 0),	    /* its own parent */
		CASE(-EPROTO, PROCESS, ROOT, FACT_NODE, 2, 0, 1, 0), /* a parent before 1 */
		CASE(-EPROTO, PROCESS, FACT_NODE, 0, 1, 1, 0),	    /* no such function */
		CASE(-EPROTO, PROCESS, ROOT, FACT_NODE, 1, 0, 1, 0), /* 0 below a root */
		CASE(-EPROTO, PROCESS, ROOT, FACT_COST, 2, 1, 1),   /* no such node */
		CASE(-EPROTO, PROCESS, ROOT, FACT_COST, 0, 1, 1),
		CASE(-EPROTO, FACT_LOSS, LOSS_MAX, 1),
		CASE(-EPROTO, FACT_LOSS, 0, 1),
		CASE(-EPROTO, FACT_LOSS, 1),			    /* cut */
		CASE(-EPROTO, FACT_LOSS, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		     0x02),					    /* beyond 64 bits */
		CASE(-EPROTO, FACT_PROCESS, 1, 0, 0, 0x7f, 'x'),    /* string beyond the end */
		CASE(-EPROTO, FACT_PROCESS, 1, 0, 0, 1, 0, 0, 0),   /* NUL in a string */
		CASE(-EPROTO, FACT_PROCESS, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0),
		CASE(-EPROTO, FACT_CALIBRATION, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		     0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), /* ids are dense */
		CASE(-EPROTO, FACT_CALIBRATION, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f, 0, 0, 0, 0, 0,
		     0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), /* infinity */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char err[256];
		int ret = replay_facts(cases[i].facts, cases[i].size, err);

		if (ret != cases[i].ret)
			fprintf(stderr, "case %zu: %d: %s\n", i, ret, err);
		CU_ASSERT(ret == cases[i].ret);
	}
}

static void test_sums_saturate(void)
{
	struct sink_process process = { .pid = 1 };
	struct sink_node node = { .id = 1, .pid = 1 };
	struct sink_cost cost = { 1, UINT64_MAX - 1, UINT64_MAX };
	struct profile *p;

	CU_ASSERT_FATAL(!profile_create(&p));
	CU_ASSERT(!p->sink.process(&p->sink, &process) && !p->sink.node(&p->sink, &node));
	CU_ASSERT(!p->sink.cost(&p->sink, &cost) && !p->sink.cost(&p->sink, &cost));
	CU_ASSERT(p->nodes[1].calls == UINT64_MAX && p->nodes[1].self_raw == UINT64_MAX);
	profile_free(p);
}

static void test_writer_contract(void)
{
	struct sink_function f = { .id = 2 };
	struct sink_node own_parent = { .id = 1, .parent = 1 };
	struct sink_node unknown_function = { .id = 1, .function = 1 };
	struct sink_cost cost = { .node = 1 };
	struct sink_calibration infinite = { .id = 1, .exit = INFINITY };
	struct sink_calibration gap = { .id = 2 };
	struct sink *s;

	CU_ASSERT_FATAL(!recording_create("/dev/null", &s));
	CU_ASSERT(s->function(s, &f) == -EINVAL);
	CU_ASSERT(s->node(s, &own_parent) == -EINVAL);
	CU_ASSERT(s->node(s, &unknown_function) == -EINVAL);
	CU_ASSERT(s->cost(s, &cost) == -EINVAL);
	CU_ASSERT(s->calibration(s, &infinite) == -EINVAL);
	CU_ASSERT(s->calibration(s, &gap) == -EINVAL);
	CU_ASSERT(s->loss(s, LOSS_MAX, 1) == -EINVAL);
	CU_ASSERT(!s->end(s, 1));
	CU_ASSERT(s->flush(s, 1) == -EINVAL && s->loss(s, LOSS_NODES, 1) == -EINVAL);
	CU_ASSERT(!recording_close(s) && !recording_close(NULL));
}

static void test_write_errors_stick(void)
{
	struct sink *s = NULL;

	CU_ASSERT(recording_create("/nonexistent/x", &s) == -ENOENT && !s);
	CU_ASSERT(recording_create("/dev/full", &s) == -ENOSPC && !s);
}

/* The disk fills up in the middle; a limit on the file's size does the same. */
static void test_full_disk(void)
{
	char path[] = "/tmp/pycost-unit-XXXXXX";
	int fd = mkstemp(path);
	struct rlimit old, small;
	struct recording_status status;
	struct profile *p;
	struct sink *s;
	char err[256];

	CU_ASSERT_FATAL(fd >= 0 && !getrlimit(RLIMIT_FSIZE, &old));
	small = old;
	small.rlim_cur = 200;
	signal(SIGXFSZ, SIG_IGN);
	CU_ASSERT_FATAL(!recording_create(path, &s));
	CU_ASSERT(!setrlimit(RLIMIT_FSIZE, &small));
	CU_ASSERT(sample_shop(s, METRIC_TASK_CLOCK) == -EFBIG);
	CU_ASSERT(!setrlimit(RLIMIT_FSIZE, &old));
	CU_ASSERT(s->loss(s, LOSS_NODES, 1) == -EFBIG && s->flush(s, 1) == -EFBIG);
	CU_ASSERT(s->end(s, 1) == -EFBIG);
	recording_close(s);
	CU_ASSERT_FATAL(!profile_create(&p));
	CU_ASSERT(!recording_read(path, &p->sink, &status, err, sizeof(err)));
	CU_ASSERT(status.incomplete && !status.corrupt);
	profile_free(p);
	close(fd);
	unlink(path);
}

int suite_recording(void)
{
	CU_TestInfo tests[] = {
		{ "round trip", test_round_trip },
		{ "version 1", test_version_1 },
		{ "searches", test_searches },
		{ "every truncation", test_every_truncation },
		{ "every flipped bit", test_every_flipped_bit },
		{ "foreign files", test_foreign_files },
		{ "trailing bytes", test_trailing_bytes },
		{ "facts that break the contract", test_facts_that_break_the_contract },
		{ "sums saturate", test_sums_saturate },
		{ "writer contract", test_writer_contract },
		{ "write errors stick", test_write_errors_stick },
		{ "full disk", test_full_disk },
		CU_TEST_INFO_NULL,
	};

	return suite_register("recording", tests);
}
