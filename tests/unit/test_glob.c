/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fnmatch.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/unit/suites.h"
#include "userspace/glob.h"

static void test_matches(void)
{
	static const struct {
		const char *glob, *text;
		bool matches;
	} cases[] = {
		{ "", "", true }, { "", "a", false }, { "*", "", true }, { "*", "abc", true },
		{ "a*c", "abbc", true }, { "a*c", "abcd", false }, { "*b*", "abc", true },
		{ "?", "", false }, { "a?c", "abc", true }, { "**a", "bba", true },
		{ "a*b*c", "axbxbxc", true }, { "*ab", "aab", true }, { "a.c", "abc", false },
		{ "a*c*e", "abcde", true }, { "GET /shop/*", "GET /shop/a/b", true },
		{ "?", "\xc3\xa4", true }, { "[\xc3\xa4\xc3\xb6]", "\xc3\xb6", true },
		{ "[!a-c]", "d", true }, { "[!a-c]", "b", false }, { "[^a-c]", "d", true },
		{ "[]]", "]", true }, { "[a-]", "-", true }, { "\\*", "*", true },
		{ "\\*", "a", false }, { "x[", "x[", true }, { "shop-[12]", "shop-2", true },
		{ "shop-[12]", "shop-[12]", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bool matches = glob_matches(cases[i].glob, cases[i].text);

		if (matches != cases[i].matches)
			fprintf(stderr, "\n%s: %s\n", cases[i].glob, cases[i].text);
		CU_ASSERT_EQUAL(matches, cases[i].matches);
	}
}

static uint32_t roll(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 16;
}

/* Of ASCII it is what fnmatch(3) takes it for, where all that is opened is closed. */
static void test_fnmatch(void)
{
	static const char *const parts[] = { "a", "b", "/", ".", "*", "?", "[ab]", "[!a]", "[a-c]",
					     "[]b]", "\\*", "\\a", "-", "]" };
	uint32_t state = 1;
	unsigned matched = 0;

	for (int i = 0; i < 200000; i++) {
		char glob[64] = "", text[16] = "";
		size_t n = 0, m = roll(&state) % 6;
		bool matches;

		for (unsigned k = roll(&state) % 6; k; k--)
			n += snprintf(glob + n, sizeof(glob) - n, "%s",
				      parts[roll(&state) % (sizeof(parts) / sizeof(*parts))]);
		for (size_t k = 0; k < m; k++)
			text[k] = "aabc/.*-]"[roll(&state) % 9];
		matches = glob_matches(glob, text);
		if (matches == (fnmatch(glob, text, 0) != 0))
			fprintf(stderr, "\n%s: %s\n", glob, text);
		CU_ASSERT_EQUAL(matches, fnmatch(glob, text, 0) == 0);
		matched += matches;
	}
	CU_ASSERT(matched > 10000);
}

static void test_objection(void)
{
	CU_ASSERT_PTR_NULL(glob_objection("[a-z]\\[z-a]"));
	CU_ASSERT_PTR_NOT_NULL(glob_objection("x[z-a]"));
	CU_ASSERT_FALSE(glob_is_pattern("GET /shop/]"));
	CU_ASSERT_TRUE(glob_is_pattern("a\\b"));
}

int suite_glob(void)
{
	static CU_TestInfo tests[] = {
		{ "what matches", test_matches },
		{ "as fnmatch(3)", test_fnmatch },
		{ "what is wrong with one", test_objection },
		CU_TEST_INFO_NULL,
	};

	return suite_register("glob", tests);
}
