/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/collector/answer_form.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/collector/answer_metrics.h"
#include "userspace/query/query_view.h"

static const struct {
	const char *name, *type;
} forms[ANSWER_FORMS] = {
	[FORM_JSON] = { "json", "application/json" },
	[FORM_CSV] = { "csv", "text/csv; charset=utf-8" },
	[FORM_OPENMETRICS] = { "openmetrics",
			       "application/openmetrics-text; version=1.0.0; charset=utf-8" },
	[FORM_FOLDED] = { "folded", "text/plain; charset=utf-8" },
	[FORM_PPROF] = { "pprof", "application/octet-stream" },
	[FORM_SPEEDSCOPE] = { "speedscope", "application/json" },
};

enum answer_form answer_form_by_name(const char *name)
{
	enum answer_form form = 0;

	while (form < ANSWER_FORMS && strcmp(forms[form].name, name))
		form++;
	return form;
}

const char *answer_form_type(enum answer_form form)
{
	return forms[form].type;
}

bool answer_form_fits(enum answer_form form, enum query_what what)
{
	if (form >= FORM_FOLDED)
		return what == QUERY_PATHS;
	return form != FORM_OPENMETRICS || what == QUERY_FUNCTIONS || what == QUERY_REQUESTS ||
	       what == QUERY_COUNTERS;
}

static int write_form(const json_t *answer, enum answer_form form, FILE *out, char *err,
		      size_t errlen)
{
	if (form == FORM_CSV)
		return query_print_csv(answer, out);
	if (form == FORM_OPENMETRICS)
		return answer_metrics_write(answer, out);
	return query_export(answer, forms[form].name, out, err, errlen);
}

int answer_form_make(const json_t *answer, enum answer_form form, char **ret, size_t *ret_size,
		     char *err, size_t errlen)
{
	char *text = NULL;
	FILE *out;
	int error;

	*err = 0;
	if (form == FORM_JSON) {
		*ret = json_dumps(answer, JSON_COMPACT);
		*ret_size = *ret ? strlen(*ret) : 0;
		return *ret ? 0 : -ENOMEM;
	}
	out = open_memstream(&text, ret_size);
	if (!out)
		return -ENOMEM;
	error = write_form(answer, form, out, err, errlen);
	if (fclose(out) && !error)
		error = -ENOMEM;
	if (!error) {
		*ret = text;
		return 0;
	}
	free(text);
	if (error == -ENODATA && !*err)
		snprintf(err, errlen, "there are no such data in this time");
	return error;
}
