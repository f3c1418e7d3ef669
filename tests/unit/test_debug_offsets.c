/* SPDX-License-Identifier: GPL-2.0-or-later */
/* On what Debian's interpreters tell: the fuzzer's seeds are the beginnings of their sections. */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "symbolizer/debug_offsets.h"
#include "symbolizer/layout.h"
#include "symbolizer/layout_read.h"

#define SEEDS "tests/fuzz/fuzz_debug_offsets.corpus/"

/* Room for one word more. */
struct seed {
	unsigned char bytes[DEBUG_OFFSETS_SIZE];
	size_t size;
};

static void seed_read(const char *name, struct seed *ret)
{
	FILE *f = fopen(name, "rb");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	memset(ret, 0, sizeof(*ret));
	ret->size = fread(ret->bytes, 1, sizeof(ret->bytes) - 8, f);
	fclose(f);
}

static void word_set(struct seed *s, int at, uint64_t v)
{
	memcpy(s->bytes + 8 * at, &v, 8);
}

static uint64_t word_get(const struct seed *s, int at)
{
	uint64_t v;

	memcpy(&v, s->bytes + 8 * at, 8);
	return v;
}

/* As if that minor had one member more, in front of this word. */
static void word_insert(struct seed *s, int at, uint64_t v)
{
	memmove(s->bytes + 8 * (at + 1), s->bytes + 8 * at, s->size - 8 * (size_t)at);
	s->size += 8;
	word_set(s, at, v);
}

static int parse(const struct seed *s, struct debug_offsets *ret)
{
	const char *why = NULL;
	int err = debug_offsets_parse(s->bytes, s->size, ret, &why);

	CU_ASSERT(err != -EBADMSG || why);
	return err;
}

static const struct {
	const char *file;
	int minor;
} seeds[] = { { SEEDS "3.13", 13 }, { SEEDS "3.14", 14 }, { SEEDS "3.15", 15 } };

static void test_they_say_what_the_tables_say(void)
{
	for (size_t i = 0; i < 3; i++) {
		struct cpython_layout l = *layout_for(seeds[i].minor);
		struct cpython_runtime r = *runtime_for(seeds[i].minor, false);
		const struct cpython_layout l_before = l;
		const struct cpython_runtime r_before = r;
		struct debug_offsets d;
		struct seed s;

		seed_read(seeds[i].file, &s);
		CU_ASSERT_EQUAL_FATAL(parse(&s, &d), 0);
		CU_ASSERT(d.known && d.final && !d.free_threaded);
		debug_offsets_apply(&d, &l, &r);
		CU_ASSERT(!memcmp(&l, &l_before, sizeof(l)));
		CU_ASSERT(!memcmp(&r, &r_before, sizeof(r)));
	}
}

static void test_they_come_before_the_tables(void)
{
	struct cpython_layout l = *layout_for(15);
	struct cpython_runtime r = *runtime_for(15, false);
	struct debug_offsets d;
	struct seed s;

	seed_read(SEEDS "3.15", &s);
	word_set(&s, debug_word_at(15, DEBUG_TSTATE_FRAME), 96);
	CU_ASSERT_EQUAL_FATAL(parse(&s, &d), 0);
	debug_offsets_apply(&d, &l, &r);
	CU_ASSERT_EQUAL(r.tstate_frame, 96);
	CU_ASSERT_EQUAL(r.tstate_next, runtime_for(15, false)->tstate_next);
}

static void test_nonsense_is_refused(void)
{
	for (size_t i = 0; i < 3; i++) {
		struct debug_offsets d;
		struct seed whole, s;

		seed_read(seeds[i].file, &whole);
		for (unsigned w = DEBUG_RUNTIME_STRUCT; w < DEBUG_WORDS; w++) {
			int at = debug_word_at(seeds[i].minor, w);

			if (at == DEBUG_NO_WORD)
				continue;
			/* Sizes that are not bounded by another must hold their members. */
			s = whole;
			word_set(&s, at, (uint64_t)1 << 40 | 1);
			CU_ASSERT(parse(&s, &d) == -EBADMSG || w == DEBUG_RUNTIME_STRUCT ||
				  w == DEBUG_INTERP_STRUCT || w == DEBUG_TSTATE_STRUCT);
			s = whole;
			s.size = 8 * (size_t)at;
			CU_ASSERT_EQUAL(parse(&s, &d), -EBADMSG);
		}
		s = whole;
		s.bytes[0] ^= 1;
		CU_ASSERT_EQUAL(parse(&s, &d), -ENOENT);
		CU_ASSERT_EQUAL(parse(&(struct seed){ .size = 0 }, &d), -ENOENT);
	}
}

/* One word more or less before the heads of objects is noticed, wherever it is. */
static void test_another_struct_is_noticed(void)
{
	for (size_t i = 0; i < 3; i++) {
		int end = debug_word_at(seeds[i].minor, DEBUG_STR_ASCII);
		struct debug_offsets d;
		struct seed whole, s;

		seed_read(seeds[i].file, &whole);
		for (int at = DEBUG_FREE_THREADED + 1; at < end; at++) {
			s = whole;
			word_insert(&s, at, 8);
			CU_ASSERT_EQUAL(parse(&s, &d), -EBADMSG);
			s = whole;
			memmove(s.bytes + 8 * at, s.bytes + 8 * (at + 1),
				s.size - 8 * (size_t)(at + 1));
			CU_ASSERT_EQUAL(parse(&s, &d), -EBADMSG);
		}
	}
}

static void test_a_later_minor(void)
{
	struct cpython_layout l = *layout_for(15);
	struct cpython_runtime r = *runtime_for(15, false);
	struct debug_offsets d;
	struct seed s;

	seed_read(SEEDS "3.15", &s);
	word_set(&s, DEBUG_VERSION, 0x031000f0);
	CU_ASSERT_EQUAL_FATAL(parse(&s, &d), 0);
	CU_ASSERT(!d.known && d.minor == 16);
	debug_offsets_apply(&d, &l, &r);
	CU_ASSERT_EQUAL(l.minor, 16);
	CU_ASSERT_EQUAL(word_get(&s, debug_word_at(15, DEBUG_INTERP_NEXT)), r.interp_next);
	word_set(&s, DEBUG_VERSION, 0x031000a1);
	CU_ASSERT_EQUAL_FATAL(parse(&s, &d), 0);
	CU_ASSERT(!d.final);
	word_set(&s, DEBUG_VERSION, 0x030c00f0);
	CU_ASSERT_EQUAL(parse(&s, &d), -EBADMSG);
	/* A layout of 3.14 that calls itself 3.16 is not one of 3.15. */
	seed_read(SEEDS "3.14", &s);
	word_set(&s, DEBUG_VERSION, 0x031000f0);
	CU_ASSERT_EQUAL(parse(&s, &d), -EBADMSG);
}

static void test_tasks(void)
{
	for (int minor = 14; minor <= 15; minor++) {
		struct cpython_runtime r = *runtime_for(minor, false);
		struct seed s;

		seed_read(minor == 14 ? SEEDS "asyncio-3.14" : SEEDS "asyncio-3.15", &s);
		CU_ASSERT_EQUAL(asyncio_offsets_apply(s.bytes, s.size, &r), 0);
		CU_ASSERT(!memcmp(&r, runtime_for(minor, false), sizeof(r)));
		word_set(&s, 5, 136);
		CU_ASSERT_EQUAL(asyncio_offsets_apply(s.bytes, s.size, &r), 0);
		CU_ASSERT_EQUAL(r.task_coro, 136);
		word_set(&s, 5, 1000);
		CU_ASSERT_EQUAL(asyncio_offsets_apply(s.bytes, s.size, &r), -EBADMSG);
		CU_ASSERT_EQUAL(asyncio_offsets_apply(s.bytes, s.size - 1, &r), -EBADMSG);
		CU_ASSERT_EQUAL(r.task_coro, 136);
	}
}

/* The whole way, of a file that is no ELF file and of minors without debug offsets. */
static void test_read(void)
{
	struct interpreter in = { .path = (char *)"/etc/passwd", .major = 3, .minor = 11 };
	struct cpython_layout l;
	struct cpython_runtime r;
	char why[100] = "";

	CU_ASSERT_EQUAL(layout_read(&in, 0, &l, &r, why, sizeof(why)), 0);
	CU_ASSERT(!memcmp(&l, layout_for(11), sizeof(l)));
	in.minor = 5;
	CU_ASSERT_EQUAL(layout_read(&in, 0, &l, &r, why, sizeof(why)), -ENOTSUP);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "Python 3.5: no layout"));
	in.minor = 14;
	CU_ASSERT_EQUAL(layout_read(&in, 0, &l, &r, why, sizeof(why)), -ENOEXEC);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "cannot be opened"));
	/* An executable that has none: known minors have their table, later ones nothing. */
	in.path = (char *)"/proc/self/exe";
	CU_ASSERT_EQUAL(layout_read(&in, 0, &l, &r, why, sizeof(why)), 0);
	in.minor = 16;
	CU_ASSERT_EQUAL(layout_read(&in, 0, &l, &r, why, sizeof(why)), -ENOTSUP);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "Python 3.16: it is unknown"));
}

int suite_debug_offsets(void)
{
	CU_pSuite s = CU_add_suite("debug_offsets", NULL, NULL);

	return !s || !CU_ADD_TEST(s, test_they_say_what_the_tables_say) ||
	       !CU_ADD_TEST(s, test_they_come_before_the_tables) ||
	       !CU_ADD_TEST(s, test_nonsense_is_refused) ||
	       !CU_ADD_TEST(s, test_another_struct_is_noticed) ||
	       !CU_ADD_TEST(s, test_a_later_minor) || !CU_ADD_TEST(s, test_tasks) ||
	       !CU_ADD_TEST(s, test_read);
}
