/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is in each format; tests/export.sh asks other people's readers. */
#include <zlib.h>

#include "pprof.pb-c.h"
#include "tests/unit/shop_report.h"
#include "userspace/export.h"

#define SHOP_TOTAL 60060280

static char *exported(int (*export)(const struct report *, FILE *), enum metric metric,
		      size_t *ret_size)
{
	return shop_exported(shop_report(metric), export, ret_size);
}

static json_t *exported_json(int (*export)(const struct report *, FILE *))
{
	size_t size;
	char *text = exported(export, METRIC_INSTRUCTIONS, &size);
	json_t *json = json_loadb(text, size, 0, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	free(text);
	return json;
}

static const char *string(json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	CU_ASSERT_PTR_NOT_NULL(value);
	return value ? value : "";
}

static json_t *json_function(json_t *json, const char *qualname)
{
	json_t *function;
	size_t i;

	json_array_foreach(json_object_get(json, "functions"), i, function)
		if (!strcmp(string(function, "qualname"), qualname))
			return function;
	CU_FAIL_FATAL("no such function");
	return NULL;
}

static void test_json(void)
{
	json_t *json = exported_json(export_json);
	json_t *fib = json_function(json, "fib"), *checkout = json_function(json, "Shop.checkout");
	json_t *edge = json_array_get(json_object_get(json, "edges"), 0);

	CU_ASSERT_STRING_EQUAL(string(json, "metric"), "instructions:u");
	CU_ASSERT_STRING_EQUAL(string(json, "unit"), "instructions");
	CU_ASSERT(json_is_true(json_object_get(json, "exact")));
	CU_ASSERT(json_is_true(json_object_get(json, "complete")));
	CU_ASSERT(json_real_value(json_object_get(json, "counter_running")) == 1);
	CU_ASSERT_EQUAL(number(json, "duration_ns"), 2500000000);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(json, "pids")), 2);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(json, "functions")), 6);
	CU_ASSERT_EQUAL(number(fib, "id"), 3);
	CU_ASSERT_EQUAL(number(fib, "calls"), 9);
	CU_ASSERT_EQUAL(number(fib, "primitive_calls"), 3);
	CU_ASSERT_EQUAL(number(fib, "self"), 3100);
	CU_ASSERT_EQUAL(number(fib, "self_raw"), 3920);
	CU_ASSERT_EQUAL(number(fib, "cumulative"), 60003100);
	CU_ASSERT_EQUAL(number(fib, "line"), 3);
	CU_ASSERT_STRING_EQUAL(string(fib, "module"), "shop.maths");
	CU_ASSERT_STRING_EQUAL(string(fib, "file"), "/srv/shop/shop/maths.py");
	CU_ASSERT(json_is_null(json_object_get(fib, "class")));
	CU_ASSERT_STRING_EQUAL(string(checkout, "class"), "Shop");
	CU_ASSERT_STRING_EQUAL(string(checkout, "name"), "checkout");
	/* Of 8, the two from outside are none. */
	CU_ASSERT_EQUAL(json_array_size(json_object_get(json, "edges")), 6);
	CU_ASSERT_EQUAL(number(edge, "caller"), 1);
	CU_ASSERT_EQUAL(number(edge, "callee"), 3);
	CU_ASSERT_EQUAL(number(edge, "calls"), 1);
	CU_ASSERT_EQUAL(number(edge, "cumulative"), 2200);
	CU_ASSERT_EQUAL(number(json_object_get(json, "losses"), "depth"), 3);
	CU_ASSERT_EQUAL(number(json_object_get(json, "losses"), "clamped"), 0);
	json_decref(json);
}

static void test_folded(void)
{
	size_t size;
	char *text = exported(export_folded, METRIC_INSTRUCTIONS, &size);
	uint64_t total = 0;

	ASSERT_CONTAINS(text, "python3 (100);<module>;__main__.main;shop.maths.fib;"
			      "shop.maths.fib;shop.maths.fib 1200\n");
	ASSERT_CONTAINS(text, "python3 (100) 980\n");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		total += strtoull(strrchr(line, ' '), NULL, 10);
	CU_ASSERT_EQUAL(total, SHOP_TOTAL);
	free(text);
}

static void test_speedscope(void)
{
	json_t *json = exported_json(export_speedscope);
	json_t *frames = json_object_get(json_object_get(json, "shared"), "frames");
	json_t *profile;
	json_int_t total = 0;
	size_t i, j;

	CU_ASSERT_EQUAL(json_array_size(frames), 7);
	json_array_foreach(json_object_get(json, "profiles"), i, profile) {
		json_t *samples = json_object_get(profile, "samples");
		json_t *weights = json_object_get(profile, "weights"), *weight;
		json_int_t sum = 0;

		CU_ASSERT_EQUAL(json_array_size(samples), json_array_size(weights));
		CU_ASSERT_STRING_EQUAL(string(profile, "type"), "sampled");
		ASSERT_CONTAINS(string(profile, "name"), "instructions:u");
		json_array_foreach(weights, j, weight) {
			CU_ASSERT(json_array_size(json_array_get(samples, j)) > 0);
			sum += json_integer_value(weight);
		}
		CU_ASSERT_EQUAL(sum, number(profile, "endValue"));
		total += sum;
	}
	CU_ASSERT_EQUAL(total, SHOP_TOTAL);
	json_decref(json);
}

static void test_callgrind(void)
{
	size_t size;
	char *text = exported(export_callgrind, METRIC_TASK_CLOCK, &size);

	ASSERT_CONTAINS(text, "events: task_clock_ns\nsummary: 60060280\n");
	ASSERT_CONTAINS(text, "task-clock (ns)");
	ASSERT_CONTAINS(text, ") __main__.main\n40 2020\n");
	/* Named at its first mention, by number after it. */
	ASSERT_CONTAINS(text, "cfi=(4)\ncfn=(4)\ncalls=1 3\n40 2200\n");
	ASSERT_CONTAINS(text, "calls=6 3\n3 2000\n");
	free(text);
}

static size_t gunzip(const char *data, size_t size, uint8_t *to, size_t capacity)
{
	z_stream z = { .next_in = (uint8_t *)data, .avail_in = size };

	CU_ASSERT_FATAL(inflateInit2(&z, 15 + 16) == Z_OK);
	z.next_out = to;
	z.avail_out = capacity;
	CU_ASSERT_FATAL(inflate(&z, Z_FINISH) == Z_STREAM_END);
	inflateEnd(&z);
	return z.total_out;
}

static void test_pprof(void)
{
	static uint8_t packed[64 << 10];
	size_t size;
	char *text = exported(export_pprof, METRIC_TASK_CLOCK, &size);
	Pprof__Profile *p = pprof__profile__unpack(NULL, gunzip(text, size, packed, sizeof(packed)),
						   packed);
	int64_t calls = 0, total = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL_FATAL(p->n_sample_type, 2);
	CU_ASSERT_STRING_EQUAL(p->string_table[p->sample_type[1]->type], "task-clock");
	CU_ASSERT_STRING_EQUAL(p->string_table[p->sample_type[1]->unit], "nanoseconds");
	CU_ASSERT_STRING_EQUAL(p->string_table[0], "");
	CU_ASSERT(p->n_function == 7 && p->n_location == 7 && p->n_sample == 11);
	CU_ASSERT_STRING_EQUAL(p->string_table[p->function[3]->name], "shop.maths.fib");
	CU_ASSERT_STRING_EQUAL(p->string_table[p->function[3]->filename],
			       "/srv/shop/shop/maths.py");
	for (size_t i = 0; i < p->n_sample; i++) {
		calls += p->sample[i]->value[0];
		total += p->sample[i]->value[1];
		CU_ASSERT_STRING_EQUAL(p->string_table[p->sample[i]->label[1]->str], "python3");
	}
	CU_ASSERT(calls == 32 && total == SHOP_TOTAL);
	CU_ASSERT_EQUAL(p->n_comment, 1);
	/* The leaf comes first: fib under fib under main under <module>. */
	CU_ASSERT(p->sample[9]->n_location_id == 4 && p->sample[9]->location_id[0] == 4 &&
		  p->sample[9]->location_id[3] == 7);
	pprof__profile__free_unpacked(p, NULL);
	free(text);
}

/* Its reader is Python; here only what that would not notice. */
static void test_pstats(void)
{
	size_t size;
	char *text = exported(export_pstats, METRIC_TASK_CLOCK, &size);

	CU_ASSERT(size > 2 && text[0] == '{' && text[size - 1] == '0');
	CU_ASSERT_PTR_NOT_NULL(memmem(text, size, "u\x0d\0\0\0__main__.main", 18));
	CU_ASSERT_PTR_NULL(memmem(text, size, "<outside", 8));
	free(text);
}

static void check_shared_pprof(const char *data, size_t size)
{
	static uint8_t packed[64 << 10];
	Pprof__Profile *p = pprof__profile__unpack(NULL, gunzip(data, size, packed, sizeof(packed)),
						   packed);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL_FATAL(p->n_comment, 2);
	ASSERT_CONTAINS(p->string_table[p->comment[0]], "pycost");
	ASSERT_CONTAINS(p->string_table[p->comment[1]], "on the PMU 63.2 %");
	pprof__profile__free_unpacked(p, NULL);
}

/* A hardware counter that was not there all of the time: wherever there is room for it. */
static void test_shared_counter(void)
{
	struct report r = shop_report(METRIC_INSTRUCTIONS);
	json_t *json;
	size_t size;
	char *text;

	r.losses[LOSS_MULTIPLEXED] = 368000;
	text = CAPTURE(&size, CU_ASSERT(!export_json(&r, out)));
	json = json_loadb(text, size, 0, NULL);
	CU_ASSERT_DOUBLE_EQUAL(json_real_value(json_object_get(json, "counter_running")), 0.632,
			       1e-12);
	CU_ASSERT_EQUAL(number(json_object_get(json, "losses"), "multiplexed"), 368000);
	json_decref(json);
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!export_pprof(&r, out)));
	check_shared_pprof(text, size);
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!export_callgrind(&r, out)));
	ASSERT_CONTAINS(text, "\ndesc: Note: counter on the PMU 63.2 %");
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!export_speedscope(&r, out)));
	json = json_loadb(text, size, 0, NULL);
	ASSERT_CONTAINS(string(json, "name"), "counter on the PMU 63.2 %");
	json_decref(json);
	free(text);
	shop_report_free(&r);
}

int suite_exports(void)
{
	CU_TestInfo tests[] = {
		{ "json", test_json },
		{ "folded", test_folded },
		{ "speedscope", test_speedscope },
		{ "callgrind", test_callgrind },
		{ "pprof", test_pprof },
		{ "pstats", test_pstats },
		{ "a shared counter", test_shared_counter },
		CU_TEST_INFO_NULL,
	};

	return suite_register("exports", tests);
}
