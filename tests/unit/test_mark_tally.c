/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "tests/unit/suites.h"
#include "userspace/mark_tally.h"
#include "userspace/sink.h"

static struct sink_import imports[8];
static struct sink_collection collections[8];
static char modules[8][WIRE_MODULE_MAX];
static int n_imports, n_collections, refusal;

static int on_import(struct sink *s, const struct sink_import *i)
{
	imports[n_imports] = *i;
	strcpy(modules[n_imports++], i->module);
	return refusal;
}

static int on_collection(struct sink *s, const struct sink_collection *c)
{
	collections[n_collections++] = *c;
	return refusal;
}

static struct sink sink = {.import = on_import, .collection = on_collection};

/* That of class 7 is not known yet. */
static uint32_t endpoint_of(void *arg, uint64_t class_id)
{
	return class_id == 7 ? 0 : (uint32_t)class_id + 100;
}

static struct mark_tally *tally_start(void)
{
	struct mark_tally *t;

	n_imports = n_collections = refusal = 0;
	CU_ASSERT_EQUAL_FATAL(mark_tally_new(&t), 0);
	return t;
}

static void import_add(struct mark_tally *t, uint64_t class_id, const char *module,
		       uint32_t function)
{
	struct wire_event_import e = {.place.class_id = class_id, .ns = 10, .cost = 8,
				      .self_ns = 6, .self_cost = 4, .length = strlen(module)};

	memcpy(e.module, module, e.length);
	CU_ASSERT_EQUAL(mark_tally_import(t, &e, function), 0);
}

static void test_imports(void)
{
	struct mark_tally *t = tally_start();

	import_add(t, 1, "json", 3);
	import_add(t, 1, "json", 3);
	import_add(t, 0, "json", 3);
	import_add(t, 1, "jso", 3);
	import_add(t, 1, "json", 4);
	CU_ASSERT_EQUAL(mark_tally_tell(t, &sink, endpoint_of, NULL, false), 0);
	CU_ASSERT_EQUAL_FATAL(n_imports, 4);
	CU_ASSERT_EQUAL(imports[0].count, 2);
	CU_ASSERT_EQUAL(imports[0].endpoint, 101);
	CU_ASSERT_EQUAL(imports[0].function, 3);
	CU_ASSERT_EQUAL(imports[0].ns, 20);
	CU_ASSERT_EQUAL(imports[0].self_cost, 8);
	CU_ASSERT_STRING_EQUAL(modules[0], "json");
	CU_ASSERT_EQUAL(imports[1].endpoint, 0);
	CU_ASSERT_STRING_EQUAL(modules[2], "jso");
	CU_ASSERT_EQUAL(imports[3].function, 4);
	/* Once. */
	CU_ASSERT_EQUAL(mark_tally_tell(t, &sink, endpoint_of, NULL, true), 0);
	CU_ASSERT_EQUAL(n_imports, 4);
	mark_tally_free(t);
}

static void test_collections(void)
{
	struct wire_event_collection e = {.ns = 5, .cost = 4, .collected = 3, .generation = 2};
	struct mark_tally *t = tally_start();

	CU_ASSERT_EQUAL(mark_tally_collection(t, &e, 1), 0);
	CU_ASSERT_EQUAL(mark_tally_collection(t, &e, 1), 0);
	e.generation = 0;
	CU_ASSERT_EQUAL(mark_tally_collection(t, &e, 1), 0);
	CU_ASSERT_EQUAL(mark_tally_tell(t, &sink, NULL, NULL, false), 0);
	CU_ASSERT_EQUAL_FATAL(n_collections, 2);
	CU_ASSERT_EQUAL(collections[0].count, 2);
	CU_ASSERT_EQUAL(collections[0].collected, 6);
	CU_ASSERT_EQUAL(collections[0].generation, 2);
	CU_ASSERT_EQUAL(collections[1].cost, 4);
	mark_tally_free(t);
}

/* What is of an endpoint that nobody knows yet waits, but not beyond the end. */
static void test_waiting(void)
{
	struct mark_tally *t = tally_start();

	import_add(t, 7, "late", 1);
	import_add(t, 1, "soon", 1);
	CU_ASSERT_EQUAL(mark_tally_tell(t, &sink, endpoint_of, NULL, false), 0);
	CU_ASSERT_EQUAL_FATAL(n_imports, 1);
	CU_ASSERT_STRING_EQUAL(modules[0], "soon");
	import_add(t, 7, "late", 1);
	CU_ASSERT_EQUAL(mark_tally_tell(t, &sink, endpoint_of, NULL, true), 0);
	CU_ASSERT_EQUAL_FATAL(n_imports, 2);
	CU_ASSERT_EQUAL(imports[1].count, 2);
	CU_ASSERT_EQUAL(imports[1].endpoint, 0);
	mark_tally_free(t);
}

static void test_hostile(void)
{
	struct wire_event_import e = {.length = 0xffffffff};
	struct mark_tally *t = tally_start();

	memset(e.module, 'a', sizeof(e.module));
	CU_ASSERT_EQUAL(mark_tally_import(t, &e, 1), 0);
	e.length = WIRE_MODULE_MAX - 1;
	CU_ASSERT_EQUAL(mark_tally_import(t, &e, 1), 0);
	refusal = -5;
	CU_ASSERT_EQUAL(mark_tally_tell(t, &sink, NULL, NULL, true), -5);
	/* After an error no more is told. */
	CU_ASSERT_EQUAL(n_imports, 1);
	CU_ASSERT_STRING_EQUAL(modules[0], "?");
	mark_tally_free(t);
}

int suite_mark_tally(void)
{
	CU_TestInfo tests[] = {
		{ "imports", test_imports },
		{ "collections", test_collections },
		{ "waiting", test_waiting },
		{ "hostile", test_hostile },
		CU_TEST_INFO_NULL,
	};

	return suite_register("mark_tally", tests);
}
