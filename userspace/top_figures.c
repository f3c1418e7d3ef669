// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "userspace/top.h"

int top_figures_take(struct top_figures *f, const struct profile *p)
{
	static const struct recording_status live;
	struct report now;
	int err = report_compute(p, &live, false, SORT_SELF, &now);

	if (err)
		return err;
	if (f->has_before)
		report_free(&f->before);
	f->profile = p;
	f->has_before = f->has_after;
	f->before = f->after;
	f->before_ns = f->after_ns;
	f->has_after = true;
	f->after = now;
	f->after_ns = p->duration_ns;
	return 0;
}

int top_figures_interval(const struct top_figures *f, bool totals, struct interval *ret)
{
	bool difference = f->has_before && !totals;
	uint64_t ns = difference ? f->after_ns - f->before_ns : f->after_ns;

	if (!f->has_after)
		return -ENODATA;
	return interval_compute(difference ? &f->before : NULL, &f->after, ns / 1e9, ret);
}

void top_figures_free(struct top_figures *f)
{
	if (f->has_before)
		report_free(&f->before);
	if (f->has_after)
		report_free(&f->after);
	*f = (struct top_figures){0};
}
