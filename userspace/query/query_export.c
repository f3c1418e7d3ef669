/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Call paths of an answer in other tools' formats. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "userspace/export.h"
#include "userspace/query/query_tree.h"
#include "userspace/query/query_view.h"

static int (*exporter(const char *format))(const struct report *r, FILE *out)
{
	if (!strcmp(format, "folded"))
		return export_folded;
	if (!strcmp(format, "speedscope"))
		return export_speedscope;
	return strcmp(format, "pprof") ? NULL : export_pprof;
}

/* These formats have room for one metric, and what is exact is not added to what is not. */
static int pair_choose(const struct query_tree *t, struct query_pair *ret, char *err, size_t errlen)
{
	for (size_t i = 1; i < t->group_count; i++) {
		const struct query_pair *a = &t->groups[0].pair, *b = &t->groups[i].pair;

		if (strcmp(a->metric, b->metric) || strcmp(a->mode, b->mode)) {
			snprintf(err, errlen,
				 "there are both %s (%s) and %s (%s): choose with --where metric=%s "
				 "--where mode=%s",
				 a->metric, a->mode, b->metric, b->mode, a->metric, a->mode);
			return -EINVAL;
		}
	}
	if (!t->group_count)
		return -ENODATA;
	*ret = t->groups[0].pair;
	return 0;
}

static int tree_export(const struct query_tree *t, const json_t *answer,
		       int (*export)(const struct report *, FILE *), FILE *out, char *err,
		       size_t errlen)
{
	const struct recording_status status = { 0 };
	uint64_t since = fmax(json_number_value(json_object_get(answer, "since")), 0);
	uint64_t until = fmax(json_number_value(json_object_get(answer, "until")), since);
	struct query_pair pair;
	struct profile *profile;
	struct report report;
	int error = pair_choose(t, &pair, err, errlen);

	if (!error)
		error = query_tree_profile(t, &pair, since, until, &profile);
	if (error)
		return error;
	error = report_compute(profile, &status, true, SORT_SELF, &report);
	if (!error) {
		error = export(&report, out);
		report_free(&report);
	}
	profile_free(profile);
	return error;
}

int query_export(const json_t *answer, const char *format, FILE *out, char *err, size_t errlen)
{
	int (*export)(const struct report *, FILE *) = exporter(format);
	struct query_tree tree;
	int error = export ? query_tree_parse(answer, &tree) : -ENOENT;

	*err = '\0';
	if (error)
		return error;
	error = tree_export(&tree, answer, export, out, err, errlen);
	query_tree_free(&tree);
	return error;
}
