/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "tests/unit/sample.h"
#include "userspace/bytes.h"
#include "userspace/profile.h"
#include "userspace/recording.h"
#include "userspace/recording_format.h"

#define TRY(call)                 \
	do {                      \
		int err_ = call;  \
		if (err_)         \
			return err_; \
	} while (0)

static struct sink_meta shop_meta(enum metric metric)
{
	return (struct sink_meta){
		.metric = metric,
		.user_only = metric != METRIC_TASK_CLOCK,
		.start_realtime_ns = 1700000000000000000,
		.host = "testhost",
		.kernel = "6.1.0",
		.version = "0.1.0",
	};
}

static int tell_meta(struct sink *to, enum metric metric, bool kernel_mode)
{
	struct sink_meta meta = shop_meta(metric);
	struct sink_calibration calibration = {
		.id = 1,
		.python = "3.12.1",
		.build_id = "c0ffee",
		.entry = 100,
		.exit = 20,
		.entry_error = 3,
		.exit_error = 4,
		.total_error = 5,
	};

	meta.kernel_mode = kernel_mode;
	if (kernel_mode) {
		calibration.kernel_entry = 50;
		calibration.kernel_exit = 10;
		calibration.kernel_entry_error = 2;
		calibration.kernel_exit_error = 1;
		calibration.kernel_total_error = 1.5;
	}

	TRY(to->meta(to, &meta));
	return to->calibration(to, &calibration);
}

static const struct sink_function shop_functions[] = {
	{ 1, "main", "main", "", "__main__", "/srv/shop/app.py", "", 40 },
	{ 2, "checkout", "Shop.checkout", "Shop", "shop.cart", "/srv/shop/shop/cart.py", "", 10 },
	{ 3, "fib", "fib", "", "shop.maths", "/srv/shop/shop/maths.py", "", 3 },
	{ 4, "wrapper", "timed.<locals>.wrapper", "", "shop.tools", "/srv/shop/shop/tools.py",
	  "Shop.checkout", 7 },
	{ 5, "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "", "shop.\xe5\xba\x97",
	  "/srv/shop/shop/\xe5\xba\x97 1.py", "", 1 },
	{ 6, "<module>", "<module>", "", "", "/srv/shop/a;b.py", "", 1, true },
};

/* Node ids and what is in them; parents before children. */
static const struct {
	struct sink_node node;
	uint64_t calls;
	uint64_t self;
	uint64_t kernel;
} shop_nodes[] = {
	{ { 1, 0, 0, 100 }, 0, 1000, 1010 },   /* python3 (100), outside */
	{ { 2, 1, 6, 100 }, 1, 600, 60 },      /* <module> */
	{ { 3, 2, 1, 100 }, 1, 2340, 260 },    /* main */
	{ { 4, 3, 4, 100 }, 10, 4200, 590 },   /* wrapper: 10 less than the probes' */
	{ { 5, 4, 2, 100 }, 10, 51200, 8500 }, /* Shop.checkout */
	{ { 6, 3, 3, 100 }, 1, 340, 70 },      /* fib */
	{ { 7, 6, 3, 100 }, 2, 1080, 140 },    /* fib < fib */
	{ { 8, 7, 3, 100 }, 4, 1600, 230 },    /* fib < fib < fib */
	{ { 9, 0, 0, 101 }, 0, 500, 7 },       /* python3 (101), outside; not calibrated */
	{ { 10, 9, 3, 101 }, 2, 900, 0 },      /* fib */
	{ { 11, 10, 5, 101 }, 1, 60000000, 5000 }, /* grüß */
};

static int tell_shop(struct sink *to, enum metric metric, bool kernel_mode)
{
	struct sink_process first = { 100, 0, "python3", "3.12.1", "/usr/bin/python3", 1 };
	struct sink_process second = { 101, 100, "python3", "3.15.2", "/opt/bin/python3", 0 };

	TRY(tell_meta(to, metric, kernel_mode));
	TRY(to->process(to, &first));
	for (size_t i = 0; i < sizeof(shop_functions) / sizeof(*shop_functions); i++)
		TRY(to->function(to, &shop_functions[i]));
	for (size_t i = 0; i < sizeof(shop_nodes) / sizeof(*shop_nodes); i++) {
		struct sink_cost cost = { shop_nodes[i].node.id, shop_nodes[i].calls,
					  shop_nodes[i].self };

		if (kernel_mode)
			cost.kernel_self = shop_nodes[i].kernel;
		if (i == 8) {
			TRY(to->flush(to, 1000000000));
			TRY(to->process(to, &second));
		}
		TRY(to->node(to, &shop_nodes[i].node));
		TRY(to->cost(to, &cost));
	}
	TRY(to->loss(to, LOSS_DEPTH, 3));
	return to->end(to, 2500000000);
}

int sample_shop(struct sink *to, enum metric metric)
{
	return tell_shop(to, metric, false);
}

int sample_shop_kernel(struct sink *to, enum metric metric)
{
	return tell_shop(to, metric, true);
}

static const struct sink_native shop_natives[] = {
	{ 1, 0, "_PyEval_EvalFrameDefault", "/usr/bin/python3.12" },
	{ 2, 1, "sha256_compress", "/usr/lib/libcrypto.so.3" },
	{ 3, 0, "gc_collect_main", "/usr/bin/python3.12" },
	{ 4, 0, "", "[vdso]" },
};

static const struct sink_sample shop_samples[] = {
	{ 1, 0, 4, SINK_NO_OPCODE, SAMPLE_RUNS, false, 5 },
	{ 2, 3, 1, 171, SAMPLE_IMPORT, false, 7 },
	{ 3, 42, 1, 100, SAMPLE_RUNS, false, 8 },
	{ 5, 12, 1, 171, SAMPLE_RUNS, false, 20 },
	{ 5, 12, 2, 171, SAMPLE_RUNS, false, 30 },
	{ 5, 13, 3, 25, SAMPLE_GC, false, 4 },
	{ 5, 13, 0, 25, SAMPLE_GIL, true, 6 },
	{ 8, 5, 1, 122, SAMPLE_RUNS, false, 15 },
	{ 5, 12, 1, 171, SAMPLE_RUNS, false, 10 },
	{ 11, 2, 1, SINK_NO_OPCODE, SAMPLE_RUNS, false, 15 },
};

static const struct sink_passage shop_passages[] = {
	{ 2, 4, 93 }, { 3, 43, 60 }, { 3, 44, 25 }, { 4, 9, 70 },
	{ 6, 5, 15 }, { 7, 5, 15 }, { 10, 6, 10 }, { 10, 6, 5 },
};

int sample_shop_sampled(struct sink *to, enum metric metric)
{
	struct sink_process first = { 100, 0, "python3", "3.12.1", "/usr/bin/python3", 0 };
	struct sink_process second = { 101, 100, "python3", "3.15.2", "/opt/bin/python3", 0 };
	struct sink_meta meta = shop_meta(metric);

	meta.period = 1000;
	TRY(to->meta(to, &meta));
	TRY(to->process(to, &first));
	TRY(to->process(to, &second));
	for (size_t i = 0; i < sizeof(shop_functions) / sizeof(*shop_functions); i++)
		TRY(to->function(to, &shop_functions[i]));
	for (size_t i = 0; i < sizeof(shop_nodes) / sizeof(*shop_nodes); i++)
		TRY(to->node(to, &shop_nodes[i].node));
	for (size_t i = 0; i < sizeof(shop_natives) / sizeof(*shop_natives); i++)
		TRY(to->native(to, &shop_natives[i]));
	for (size_t i = 0; i < sizeof(shop_samples) / sizeof(*shop_samples); i++) {
		TRY(to->sample(to, &shop_samples[i]));
		if (i == 7)
			TRY(to->flush(to, 1000000000));
	}
	for (size_t i = 0; i < sizeof(shop_passages) / sizeof(*shop_passages); i++)
		TRY(to->passage(to, &shop_passages[i]));
	TRY(to->loss(to, LOSS_UNWALKED, 2));
	return to->end(to, 2500000000);
}

#define LARGE_FUNCTIONS 2000
#define LARGE_ROUNDS 3

static int tell_large_functions(struct sink *to)
{
	for (uint32_t id = 1; id <= LARGE_FUNCTIONS; id++) {
		char name[32], qualname[64], module[64], file[128];
		struct sink_function f = { id, name, qualname, "Worker", module, file, "", id };

		snprintf(name, sizeof(name), "method_%u", id);
		snprintf(qualname, sizeof(qualname), "Worker.method_%u", id);
		snprintf(module, sizeof(module), "package.module_%u", id % 97);
		snprintf(file, sizeof(file), "/usr/lib/python3/package/module_%u.py", id % 97);
		TRY(to->function(to, &f));
	}
	return 0;
}

int sample_large(struct sink *to, uint32_t paths)
{
	struct sink_process process = { 7, 0, "python3", "3.12.1", "/usr/bin/python3", 1 };

	TRY(tell_meta(to, METRIC_INSTRUCTIONS, false));
	TRY(to->process(to, &process));
	TRY(tell_large_functions(to));
	for (uint32_t id = 1; id <= paths; id++) {
		/* About eight children each: the depth of real programs. */
		uint32_t parent = id == 1 ? 0 : id < 10 ? id - 1 : id / 8 + 1;
		uint32_t function = id == 1 ? 0 : id * 2654435761u % LARGE_FUNCTIONS + 1;
		struct sink_node node = { id, parent, function, 7 };

		TRY(to->node(to, &node));
	}
	for (uint64_t round = 1; round <= LARGE_ROUNDS; round++) {
		for (uint32_t id = 1; id <= paths; id++) {
			struct sink_cost cost = { id, id > 1 ? id % 50 + 1 : 0, id * 1000ull };

			TRY(to->cost(to, &cost));
		}
		TRY(to->flush(to, round * 1000000000));
	}
	return to->end(to, (LARGE_ROUNDS + 1) * 1000000000ull);
}

int sample_write(const char *what, const char *path)
{
	struct sink *s;
	int err, close_err;

	TRY(recording_create(path, &s));
	if (!strcmp(what, "shop"))
		err = sample_shop(s, METRIC_INSTRUCTIONS);
	else if (!strcmp(what, "shop-kernel"))
		err = sample_shop_kernel(s, METRIC_INSTRUCTIONS);
	else if (!strcmp(what, "shop-sampled"))
		err = sample_shop_sampled(s, METRIC_INSTRUCTIONS);
	else if (!strcmp(what, "shop-requests"))
		err = sample_shop_requests(s, false);
	else if (!strcmp(what, "shop-requests-only"))
		err = sample_shop_requests(s, true);
	else if (!strcmp(what, "shop-clock"))
		err = sample_shop(s, METRIC_TASK_CLOCK);
	else
		err = sample_large(s, strtoul(what, NULL, 10));
	close_err = recording_close(s);
	return err ? err : close_err;
}

size_t sample_written(const char *what, uint8_t *to, size_t capacity)
{
	char path[] = "/tmp/pycost-unit-XXXXXX";
	int fd = mkstemp(path);
	ssize_t size;

	CU_ASSERT_FATAL(fd >= 0 && !sample_write(what, path));
	size = read(fd, to, capacity);
	CU_ASSERT_FATAL(size > 0 && (size_t)size < capacity);
	close(fd);
	unlink(path);
	return size;
}

int sample_replay(const void *data, size_t size, struct profile **ret)
{
	struct recording_status status;
	char err[256];
	int ret_err;

	CU_ASSERT_FATAL(!profile_create(ret));
	ret_err = recording_read_memory(data, size, &(*ret)->sink, &status, err, sizeof(err));
	if (!ret_err)
		return 0;
	profile_free(*ret);
	*ret = NULL;
	return ret_err;
}

size_t sample_block(uint32_t version, const uint8_t *facts, size_t size, uint8_t *to,
		    size_t capacity)
{
	uint8_t *block = to + RECORDING_HEADER_SIZE;
	uint8_t *payload = block + RECORDING_BLOCK_HEADER_SIZE;
	uint32_t length = 1 + size;

	CU_ASSERT_FATAL((size_t)(payload - to) + length <= capacity);
	memcpy(to, RECORDING_MAGIC, RECORDING_MAGIC_SIZE);
	put_u32(to + RECORDING_MAGIC_SIZE, version);
	put_u32(block, BLOCK_FLUSH);
	put_u32(block + 4, length);
	payload[0] = 0;
	memcpy(payload + 1, facts, size);
	put_u64(block + 8, XXH64(payload, length, block_seed(BLOCK_FLUSH, length)));
	return payload + length - to;
}

int sample_replay_facts(uint32_t version, const uint8_t *facts, size_t size,
			struct profile **ret)
{
	uint8_t file[512];

	return sample_replay(file, sample_block(version, facts, size, file, sizeof(file)), ret);
}
