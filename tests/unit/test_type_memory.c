// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Type objects in a process's memory: in our own, where some are laid out as CPython has
 * them, and as no CPython would.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bpf/cpython.h"
#include "symbolizer/type_memory.h"
#include "tests/unit/suites.h"

static void fake_init(void)
{
}

static void fake_call(void)
{
	errno = 0;
}

static void fake_switch(void)
{
	errno = 1;
}

struct method {
	const char *name;
	void (*function)(void);
	uint64_t flags;
	const char *doc;
};

static struct method methods[] = {
	{ "throw", fake_init }, { "switch", fake_switch }, { NULL, NULL } };
/* None ends it: it must be looked at no further than any type is long. */
static struct method endless[300];

/* Words of a type object and of what one is made from. */
static void *static_type[64], *longer_type[64], *wild_type[64];
struct slot {
	int id;
	void *function;
};
static struct slot slots[] = { { 1, NULL }, { PY_SLOT_CALL, fake_call }, { PY_SLOT_INIT, fake_init }, { 0, NULL } };
static void *spec[8];
static void *api[8];

static struct images images;
static const struct image *own;
static struct type_memory memory, free_threaded;

static void type_fill(void **type, unsigned extra, const char *name)
{
	type[(PY_TYPE_NAME + extra) / 8] = (void *)name;
	type[(PY_TYPE_CALL + extra) / 8] = fake_call;
	type[(PY_TYPE_METHODS + extra) / 8] = methods;
	type[(PY_TYPE_INIT + extra) / 8] = fake_init;
}

static void memory_is_read(void)
{
	type_fill(static_type, 0, "pycost.Static");
	type_fill(longer_type, PY_FREE_THREADED_HEAD, "pycost.Longer");
	type_fill(wild_type, 0, "pycost.Wild");
	wild_type[PY_TYPE_INIT / 8] = (void *)0x1234;
	wild_type[PY_TYPE_METHODS / 8] = (void *)-64;
	spec[0] = (void *)"pycost.Spec";
	spec[PY_SPEC_SLOTS / 8] = slots;
	/* Whose beginning the sanitizers know, too. */
	api[0] = &static_type[3];
	for (size_t i = 0; i < sizeof(endless) / sizeof(*endless); i++)
		endless[i] = (struct method){ "other", fake_init };
	CU_ASSERT_FATAL(!images_read(getpid(), &images) && images.n);
	own = &images.v[0];
	CU_ASSERT_FATAL(!type_memory_open(getpid(), false, &memory));
	CU_ASSERT_FATAL(!type_memory_open(getpid(), true, &free_threaded));
	CU_ASSERT_EQUAL(type_memory_word(&memory, (uintptr_t)&spec[0]), (uintptr_t)spec[0]);
}

static void static_types_are_found(void)
{
	uint64_t found, type;

	CU_ASSERT_EQUAL(type_memory_find(&memory, own, "pycost.Static", TYPE_INIT, &found, &type), 0);
	CU_ASSERT_EQUAL(found, (uintptr_t)fake_init);
	CU_ASSERT_EQUAL(type, (uintptr_t)static_type);
	CU_ASSERT_EQUAL(type_memory_find(&memory, own, "pycost.Static", TYPE_CALL, &found, &type), 0);
	CU_ASSERT_EQUAL(found, (uintptr_t)fake_call);
	CU_ASSERT_EQUAL(type_memory_find(&memory, own, "pycost.Static", TYPE_METHODS, &found, &type), 0);
	CU_ASSERT_EQUAL(found, (uintptr_t)methods);
	CU_ASSERT_EQUAL(type_memory_methods(&memory, type), (uintptr_t)methods);
}

static void longer_heads_are_known(void)
{
	uint64_t found, type;

	CU_ASSERT_EQUAL(type_memory_find(&free_threaded, own, "pycost.Longer", TYPE_INIT, &found,
					 &type), 0);
	CU_ASSERT_EQUAL(found, (uintptr_t)fake_init);
	CU_ASSERT_EQUAL(type, (uintptr_t)longer_type);
	/* What follows the name does so at the same distance. */
	CU_ASSERT_EQUAL(type_memory_find(&memory, own, "pycost.Longer", TYPE_INIT, &found, &type), 0);
	CU_ASSERT_EQUAL(type, (uintptr_t)longer_type + PY_FREE_THREADED_HEAD);
}

static void specs_are_found(void)
{
	uint64_t found, type;

	CU_ASSERT_EQUAL(type_memory_find(&memory, own, "pycost.Spec", TYPE_INIT, &found, &type), 0);
	CU_ASSERT_EQUAL(found, (uintptr_t)fake_init);
	CU_ASSERT_EQUAL(type, 0);
	CU_ASSERT_EQUAL(type_memory_find(&memory, own, "pycost.Spec", TYPE_METHODS, &found, &type),
			-ENOENT);
}

static void wild_pointers_are_not_believed(void)
{
	uint64_t found, type;

	CU_ASSERT_EQUAL(type_memory_find(&memory, own, "pycost.Wild", TYPE_INIT, &found, &type),
			-ENOENT);
	CU_ASSERT_EQUAL(type_memory_find(&memory, own, "pycost.Wild", TYPE_METHODS, &found, &type),
			-ENOENT);
	CU_ASSERT_EQUAL(type_memory_word(&memory, 8), 0);
	CU_ASSERT_EQUAL(type_memory_word(&memory, UINT64_MAX - 3), 0);
	CU_ASSERT_EQUAL(type_memory_method(&memory, UINT64_MAX - 63, "switch"), 0);
}

static void methods_are_found(void)
{
	CU_ASSERT_EQUAL(type_memory_method(&memory, (uintptr_t)methods, "switch"),
			(uintptr_t)fake_switch);
	CU_ASSERT_EQUAL(type_memory_method(&memory, (uintptr_t)methods, "switc"), 0);
	CU_ASSERT_EQUAL(type_memory_method(&memory, (uintptr_t)methods, "run"), 0);
	CU_ASSERT_EQUAL(type_memory_method(&memory, (uintptr_t)endless, "switch"), 0);
	CU_ASSERT_EQUAL(type_memory_find_method(&memory, own, "switch"), (uintptr_t)fake_switch);
}

static void words_are_found(void)
{
	CU_ASSERT_EQUAL(type_memory_find_word(&memory, own, (uintptr_t)&static_type[3], 0),
			(uintptr_t)&api[0]);
	CU_ASSERT_EQUAL(type_memory_find_word(&memory, own, (uintptr_t)&static_type[3],
					      (uintptr_t)&api[0]), 0);
}

int suite_type_memory(void)
{
	CU_TestInfo tests[] = {
		{ "memory is read", memory_is_read },
		{ "static types are found", static_types_are_found },
		{ "longer heads are known", longer_heads_are_known },
		{ "specs are found", specs_are_found },
		{ "wild pointers are not believed", wild_pointers_are_not_believed },
		{ "methods are found", methods_are_found },
		{ "words are found", words_are_found },
		CU_TEST_INFO_NULL,
	};

	return suite_register("type_memory", tests);
}
