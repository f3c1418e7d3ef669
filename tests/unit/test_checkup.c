/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tests/unit/shop_report.h"
#include "userspace/checkup.h"
#include "userspace/doctor.h"

static struct checkup two_checks(void)
{
	struct checkup c = {0};

	checkup_add(&c, CHECK_OK, "kernel", NULL, "Linux %s", "6.1");
	checkup_add(&c, CHECK_WARN, "counter", "a PMU", "none");
	return c;
}

static void test_refusal(void)
{
	struct checkup c = two_checks();

	CU_ASSERT_PTR_NULL(checkup_refusal(&c));
	checkup_add(&c, CHECK_NO, "first", NULL, "1");
	checkup_add(&c, CHECK_NO, "second", NULL, "2");
	CU_ASSERT_STRING_EQUAL(checkup_refusal(&c)->what, "first");
	checkup_clear(&c);
}

static void test_table(void)
{
	struct checkup c = two_checks();
	size_t size;
	char *text = CAPTURE(&size, CU_ASSERT(!checkup_print_table(&c, out, 0, false)));

	CU_ASSERT_STRING_EQUAL(text, "ok    kernel                Linux 6.1\n"
				     "warn  counter               none\n"
				     "                            a PMU\n");
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!checkup_print_table(&c, out, 0, true)));
	ASSERT_CONTAINS(text, "\033[33mwarn  \033[0m");
	free(text);
	checkup_clear(&c);
}

static void test_long_findings_wrap(void)
{
	struct checkup c = {0};
	size_t size;
	char *text;

	checkup_add(&c, CHECK_OK, "x", NULL, "twelve chars and then some more words");
	text = CAPTURE(&size, CU_ASSERT(!checkup_print_table(&c, out, 56, false)));
	CU_ASSERT_STRING_EQUAL(text, "ok    x                     twelve chars and then some\n"
				     "                            more words\n");
	free(text);
	checkup_clear(&c);
}

static void test_json(void)
{
	struct checkup c = two_checks();
	json_t *list, *first, *second;
	size_t size;
	char *text = CAPTURE(&size, CU_ASSERT(!checkup_print_json(&c, out)));

	list = json_loads(text, 0, NULL);
	CU_ASSERT_EQUAL_FATAL(json_array_size(list), 2);
	first = json_array_get(list, 0);
	second = json_array_get(list, 1);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(first, "check")), "kernel");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(first, "status")), "ok");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(first, "finding")), "Linux 6.1");
	CU_ASSERT(json_is_null(json_object_get(first, "mend")));
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(second, "mend")), "a PMU");
	json_decref(list);
	free(text);
	checkup_clear(&c);
}

/* A process may call itself anything. */
static void test_foreign_text_is_repaired(void)
{
	struct checkup c = {0};
	size_t size;
	char *text;

	checkup_add(&c, CHECK_OK, "process", "\033[31m", "%s", "a\033[2Jb\xff");
	text = CAPTURE(&size, CU_ASSERT(!checkup_print_table(&c, out, 0, false)));
	CU_ASSERT_PTR_NULL(strchr(text, '\033'));
	free(text);
	text = CAPTURE(&size, CU_ASSERT(!checkup_print_json(&c, out)));
	ASSERT_CONTAINS(text, "a\xef\xbf\xbd[2Jb\xef\xbf\xbd");
	free(text);
	checkup_clear(&c);
}

static void test_releases(void)
{
	CU_ASSERT(doctor_release_is_new("5.10.0-28-amd64"));
	CU_ASSERT(doctor_release_is_new("6.1"));
	CU_ASSERT(doctor_release_is_new("10.0-rc1"));
	CU_ASSERT(!doctor_release_is_new("5.9.16"));
	CU_ASSERT(!doctor_release_is_new("4.19.0-26-amd64"));
	CU_ASSERT(!doctor_release_is_new("plan9"));
}

static void test_bracketed_choice(void)
{
	char mode[16];

	CU_ASSERT(doctor_bracketed("[none] integrity confidentiality", mode, sizeof(mode)));
	CU_ASSERT_STRING_EQUAL(mode, "none");
	CU_ASSERT(doctor_bracketed("none integrity [confidentiality]", mode, sizeof(mode)));
	CU_ASSERT_STRING_EQUAL(mode, "confidentiality");
	CU_ASSERT(!doctor_bracketed("none", mode, sizeof(mode)));
	CU_ASSERT(!doctor_bracketed("][", mode, sizeof(mode)));
	CU_ASSERT(!doctor_bracketed("[a mode that is too long]", mode, sizeof(mode)));
}

static void test_verdict(void)
{
	struct doctor d = {0};

	checkup_add(&d.checkup, CHECK_WARN, "a", "b", "c");
	CU_ASSERT(doctor_verdict(&d, 7, NULL));
	ASSERT_CONTAINS(d.checkup.v[1].finding, "works for PID 7");
	checkup_add(&d.checkup, CHECK_NO, "probes", "use 3.15", "they are dead");
	CU_ASSERT_PTR_NOT_NULL(strstr(d.checkup.v[1].finding, "sampling does not work"));
	CU_ASSERT(!doctor_verdict(&d, 0, "python3"));
	CU_ASSERT_STRING_EQUAL(d.checkup.v[3].finding,
			       "exact mode does not work for python3: they are dead; sampling does not "
			       "work");
	CU_ASSERT_STRING_EQUAL(d.checkup.v[3].mend, "use 3.15");
	doctor_clear(&d);
	checkup_add(&d.checkup, CHECK_NO, "probes", NULL, "they are dead");
	d.sampling = SAMPLING_WORKS;
	CU_ASSERT(!doctor_verdict(&d, 7, NULL));
	CU_ASSERT_STRING_EQUAL(d.checkup.v[1].finding,
			       "exact mode does not work for PID 7: they are dead; sampling works");
	CU_ASSERT_STRING_EQUAL(d.checkup.v[1].mend, "record --mode sample");
	d.sampling = SAMPLING_LOADS;
	doctor_verdict(&d, 7, NULL);
	ASSERT_CONTAINS(d.checkup.v[2].finding, "its stacks could not be tried");
	doctor_clear(&d);
}

int suite_checkup(void)
{
	CU_TestInfo tests[] = {
		{ "the first no is the refusal", test_refusal },
		{ "table", test_table },
		{ "long findings wrap", test_long_findings_wrap },
		{ "JSON", test_json },
		{ "foreign text is repaired", test_foreign_text_is_repaired },
		{ "kernel releases", test_releases },
		{ "bracketed choice", test_bracketed_choice },
		{ "verdict", test_verdict },
		CU_TEST_INFO_NULL,
	};

	return suite_register("checkup", tests);
}
