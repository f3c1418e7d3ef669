/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A list of questions with their answers, and what would turn a "no" into a yes. */
#ifndef PYCOST_CHECKUP_H
#define PYCOST_CHECKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum check_status {
	CHECK_OK,
	CHECK_WARN, /* it works, but less well than it could */
	CHECK_NO,   /* exact measurement is not possible */
};

struct check {
	enum check_status status;
	const char *what; /* static */
	char *finding;
	char *mend; /* NULL: there is nothing to mend */
};

struct checkup {
	struct check *v;
	size_t n;
	bool failed; /* out of memory */
};

/* Lack of memory shows when the list is printed.  mend is copied; it may be NULL. */
void checkup_add(struct checkup *c, enum check_status status, const char *what, const char *mend,
		 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The first "no"; NULL when there is none. */
const struct check *checkup_refusal(const struct checkup *c);

/* One line each, and one more for a mend.  width 0: lines are not wrapped. */
int checkup_print_table(const struct checkup *c, FILE *out, int width, bool color);
/* [{"check", "status", "finding", "mend"}]; mend is null where nothing is wrong. */
int checkup_print_json(const struct checkup *c, FILE *out);

void checkup_clear(struct checkup *c);

#endif
