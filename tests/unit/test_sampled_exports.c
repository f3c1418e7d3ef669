/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of samples is in each format; tests/export.sh asks other people's readers. */
#include <zlib.h>

#include "pprof.pb-c.h"
#include "tests/unit/shop_report.h"
#include "userspace/estimate.h"
#include "userspace/export.h"

static char *exported(int (*export)(const struct report *, FILE *), size_t *ret_size)
{
	return shop_exported(shop_report_sampled(METRIC_INSTRUCTIONS), export, ret_size);
}

static void test_json(void)
{
	size_t size;
	char *text = exported(export_json, &size);
	json_t *json = json_loadb(text, size, 0, NULL), *checkout, *native, *states, *edge;

	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json, "mode")), "sampled");
	CU_ASSERT(json_is_false(json_object_get(json, "exact")));
	CU_ASSERT(number(json, "period") == 1000 && number(json, "samples") == 120);
	CU_ASSERT(number(json, "total") == 120000 && !json_object_get(json, "total_raw"));
	states = json_object_get(json, "states");
	CU_ASSERT(number(states, "runs") == 103 && number(states, "gc") == 4);
	CU_ASSERT(number(states, "import") == 7 && number(states, "gil") == 6);
	CU_ASSERT_EQUAL(number(states, "kernel"), 6);
	CU_ASSERT_EQUAL(number(json_object_get(json, "outside"), "samples"), 5);

	checkout = json_array_get(json_object_get(json, "functions"), 0);
	CU_ASSERT(json_is_null(json_object_get(checkout, "calls")));
	CU_ASSERT(json_is_null(json_object_get(checkout, "primitive_calls")));
	CU_ASSERT(!json_object_get(checkout, "self_raw"));
	CU_ASSERT(number(checkout, "samples") == 70 && number(checkout, "self") == 70000);
	CU_ASSERT(json_real_value(json_object_get(checkout, "self_error")) ==
		  estimate_error(70, 120, 1000));
	CU_ASSERT_EQUAL(number(json_object_get(checkout, "states"), "gil"), 6);
	native = json_array_get(json_object_get(checkout, "natives"), 1);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(native, "symbol")),
			       "sha256_compress");
	CU_ASSERT_EQUAL(number(native, "samples"), 30);
	edge = json_array_get(json_object_get(json, "edges"), 0);
	CU_ASSERT(json_is_null(json_object_get(edge, "calls")));
	CU_ASSERT(json_is_real(json_object_get(edge, "cumulative_error")));
	json_decref(json);
	free(text);
}

static void test_json_of_opcodes(void)
{
	struct report r = shop_report_sampled(METRIC_INSTRUCTIONS);
	size_t size;
	char *text = CAPTURE(&size, CU_ASSERT(!export_json_places(&r, PLACE_OPCODE, NULL, 0, out)));
	json_t *json = json_loadb(text, size, 0, NULL), *opcode;
	const char *python, *name, *family;
	double share, error;
	int samples;

	opcode = json_array_get(json_object_get(json, "opcodes"), 0);
	CU_ASSERT_FATAL(!json_unpack(opcode, "{s:s, s:s, s:s, s:i, s:f, s:f}", "python", &python,
				     "name", &name, "family", &family, "samples", &samples,
				     "share", &share, "share_error", &error));
	CU_ASSERT_STRING_EQUAL(python, "3.12");
	CU_ASSERT_STRING_EQUAL(name, "CALL");
	CU_ASSERT_STRING_EQUAL(family, "CALL");
	CU_ASSERT(samples == 67 && share == estimate_percent(67, 105) &&
		  error == estimate_percent_error(67, 105));
	opcode = json_array_get(json_object_get(json, "opcodes"), 1);
	CU_ASSERT(json_is_null(json_object_get(opcode, "opcode")) ||
		  json_is_integer(json_object_get(opcode, "opcode")));
	json_decref(json);
	free(text);
	shop_report_free(&r);
}

static void test_folded(void)
{
	size_t size;
	char *text = exported(export_folded, &size);

	ASSERT_CONTAINS(text, ";shop.cart.Shop.checkout 70000\n");
	ASSERT_CONTAINS(text, "python3 (101);shop.maths.fib;");
	free(text);
	text = exported(export_folded_natives, &size);
	ASSERT_TEXT(text, "python3 (100);[vdso] 5000\n"
		    "python3 (100);<module>;[python3.12] _PyEval_EvalFrameDefault 7000\n"
		    "python3 (100);<module>;__main__.main;[python3.12] _PyEval_EvalFrameDefault 8000\n"
		    "python3 (100);<module>;__main__.main;shop.tools.timed.<locals>.wrapper \xe2\x86\x92 Shop.checkout;shop.cart.Shop.checkout 6000\n"
		    "python3 (100);<module>;__main__.main;shop.tools.timed.<locals>.wrapper \xe2\x86\x92 Shop.checkout;shop.cart.Shop.checkout;[python3.12] _PyEval_EvalFrameDefault 30000\n"
		    "python3 (100);<module>;__main__.main;shop.tools.timed.<locals>.wrapper \xe2\x86\x92 Shop.checkout;shop.cart.Shop.checkout;[python3.12] _PyEval_EvalFrameDefault;[libcrypto.so.3] sha256_compress 30000\n"
		    "python3 (100);<module>;__main__.main;shop.tools.timed.<locals>.wrapper \xe2\x86\x92 Shop.checkout;shop.cart.Shop.checkout;[python3.12] gc_collect_main 4000\n"
		    "python3 (100);<module>;__main__.main;shop.maths.fib;shop.maths.fib;shop.maths.fib;[python3.12] _PyEval_EvalFrameDefault 15000\n"
		    "python3 (101);shop.maths.fib;shop.\xe5\xba\x97.gr\xc3\xbc\xc3\x9f;[python3.12] _PyEval_EvalFrameDefault 15000\n");
	free(text);
}

/* A chain of native callers as long as a foreign file says it is. */
static void test_folded_depth(void)
{
	struct report r = shop_report_sampled(METRIC_INSTRUCTIONS);
	struct sink *sink = (struct sink *)&r.profile->sink;
	struct sink_sample sample = { 1, 0, 1004, SINK_NO_OPCODE, SAMPLE_RUNS, false, 1 };
	size_t size, frames = 0;
	char *text;

	for (uint32_t id = 5; id <= 1004; id++) {
		struct sink_native n = { id, id - 1, "a;b", "" };

		CU_ASSERT(!sink->native(sink, &n));
	}
	CU_ASSERT(!sink->sample(sink, &sample));
	text = CAPTURE(&size, CU_ASSERT(!export_folded_natives(&r, out)));
	for (char *at = text; (at = strstr(at, ";[unknown] a:b")); at++)
		frames++;
	CU_ASSERT_EQUAL(frames, 127);
	free(text);
	shop_report_free(&r);
}

static void test_callgrind(void)
{
	size_t size;
	char *text = exported(export_callgrind, &size);

	ASSERT_CONTAINS(text, "\ndesc: Sampled: 1 sample per 1.000 k instructions, 120 samples; ");
	ASSERT_CONTAINS(text, "fn=(3) shop.cart.Shop.checkout\n12 60000\n13 10000\n\n");
	ASSERT_CONTAINS(text, "\ntotals: 120000\n");
	CU_ASSERT_PTR_NULL(strstr(text, "calls="));
	free(text);
}

static void test_speedscope(void)
{
	size_t size;
	char *text = exported(export_speedscope, &size);
	json_t *json = json_loadb(text, size, 0, NULL);

	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json, "name")),
			       "pycost: instructions:u: 1 sample per 1.000 k instructions");
	ASSERT_CONTAINS(text, "\"weights\":[5000,7000,8000,70000,15000]");
	json_decref(json);
	free(text);
}

static Pprof__Profile *pprof_read(void)
{
	static uint8_t plain[1 << 16];
	z_stream z = { 0 };
	size_t size;
	char *text = exported(export_pprof, &size);

	z.next_in = (uint8_t *)text;
	z.avail_in = size;
	z.next_out = plain;
	z.avail_out = sizeof(plain);
	CU_ASSERT(inflateInit2(&z, 15 + 16) == Z_OK && inflate(&z, Z_FINISH) == Z_STREAM_END);
	inflateEnd(&z);
	free(text);
	return pprof__profile__unpack(NULL, z.total_out, plain);
}

static void test_pprof(void)
{
	Pprof__Profile *p = pprof_read();
	const Pprof__Sample *busiest = NULL;
	int64_t samples = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL(p->n_sample_type, 2);
	CU_ASSERT_STRING_EQUAL(p->string_table[p->sample_type[0]->type], "samples");
	CU_ASSERT_STRING_EQUAL(p->string_table[p->sample_type[0]->unit], "count");
	CU_ASSERT_STRING_EQUAL(p->string_table[p->period_type->type], "instructions:u");
	CU_ASSERT_EQUAL(p->period, 1000);
	CU_ASSERT_STRING_EQUAL(p->string_table[p->comment[0]],
			       "pycost " PYCOST_VERSION
			       ": sampled, 1 sample per 1.000 k instructions");
	for (size_t i = 0; i < p->n_sample; i++) {
		samples += p->sample[i]->value[0];
		CU_ASSERT_EQUAL(p->sample[i]->value[1], p->sample[i]->value[0] * 1000);
		if (!busiest || p->sample[i]->value[0] > busiest->value[0])
			busiest = p->sample[i];
	}
	CU_ASSERT_EQUAL(samples, 120);
	/* checkout at 12, from wrapper at 9, from main at two lines, from <module> at 4. */
	CU_ASSERT_EQUAL_FATAL(busiest->n_location_id, 4);
	for (size_t i = 0; i < 4; i++) {
		static const int64_t lines[] = { 12, 9, 0, 4 };

		CU_ASSERT_EQUAL(p->location[busiest->location_id[i] - 1]->line[0]->line, lines[i]);
	}
	pprof__profile__free_unpacked(p, NULL);
}

int suite_sampled_exports(void)
{
	CU_TestInfo tests[] = {
		{ "JSON", test_json },
		{ "JSON of opcodes", test_json_of_opcodes },
		{ "folded", test_folded },
		{ "folded: depth", test_folded_depth },
		{ "callgrind", test_callgrind },
		{ "speedscope", test_speedscope },
		{ "pprof", test_pprof },
		CU_TEST_INFO_NULL,
	};

	return suite_register("sampled exports", tests);
}
