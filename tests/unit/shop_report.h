/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report on the sample shop, as text or bytes in memory. */
#ifndef PYCOST_TESTS_SHOP_REPORT_H
#define PYCOST_TESTS_SHOP_REPORT_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/sample.h"
#include "tests/unit/suites.h"
#include "userspace/report.h"

static inline struct report shop_report_of(int (*tell)(struct sink *, enum metric),
					   enum metric metric)
{
	static const struct recording_status complete;
	struct profile *p;
	struct report r;

	CU_ASSERT_FATAL(!profile_create(&p));
	CU_ASSERT_FATAL(!tell(&p->sink, metric));
	CU_ASSERT_FATAL(!report_compute(p, &complete, false, SORT_SELF, &r));
	return r;
}

static inline struct report shop_report(enum metric metric)
{
	return shop_report_of(sample_shop, metric);
}

static inline struct report shop_report_sampled(enum metric metric)
{
	return shop_report_of(sample_shop_sampled, metric);
}

static inline void shop_report_free(struct report *r)
{
	struct profile *p = (struct profile *)r->profile;

	report_free(r);
	profile_free(p);
}

/* Runs statements that write to `out`; the result is to be freed. */
#define CAPTURE(size, ...)                                         \
	({                                                         \
		char *captured_ = NULL;                            \
		FILE *out = open_memstream(&captured_, (size));    \
		CU_ASSERT_FATAL(out != NULL);                      \
		__VA_ARGS__;                                       \
		fclose(out);                                       \
		captured_;                                         \
	})

/* The report is freed. */
static inline char *shop_exported(struct report r, int (*export)(const struct report *, FILE *),
				  size_t *ret_size)
{
	char *text = CAPTURE(ret_size, CU_ASSERT(!export(&r, out)));

	shop_report_free(&r);
	return text;
}

static inline json_int_t number(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	CU_ASSERT(json_is_integer(value));
	return json_integer_value(value);
}

#define ASSERT_CONTAINS(text, part)                                       \
	do {                                                              \
		if (!strstr(text, part))                                  \
			fprintf(stderr, "no '%s' in:\n%s\n", part, text); \
		CU_ASSERT_PTR_NOT_NULL(strstr(text, part));               \
	} while (0)

/* All of it, to the last byte. */
#define ASSERT_TEXT(text, expected)                                              \
	do {                                                                     \
		if (strcmp(text, expected))                                      \
			fprintf(stderr, "expected:\n%s\ngot:\n%s\n", expected, text); \
		CU_ASSERT_STRING_EQUAL(text, expected);                          \
	} while (0)

#endif
