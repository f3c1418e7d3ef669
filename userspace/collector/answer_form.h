/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An answer to a query in the form that was asked for. */
#ifndef PYCOST_ANSWER_FORM_H
#define PYCOST_ANSWER_FORM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "userspace/query/query.h"

enum answer_form {
	FORM_JSON,
	FORM_CSV,
	FORM_OPENMETRICS, /* its columns as gauges, for Prometheus to scrape */
	FORM_FOLDED, /* of call paths, with those that follow */
	FORM_PPROF,
	FORM_SPEEDSCOPE,
	ANSWER_FORMS,
};

/* ANSWER_FORMS: none of that name. */
enum answer_form answer_form_by_name(const char *name);
const char *answer_form_type(enum answer_form form); /* of its content */
bool answer_form_fits(enum answer_form form, enum query_what what);

/* To be freed. -errno, and a sentence in err. */
int answer_form_make(const json_t *answer, enum answer_form form, char **ret, size_t *ret_size,
		     char *err, size_t errlen);

#endif
