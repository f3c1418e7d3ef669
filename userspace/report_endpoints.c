/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/report_endpoints.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "userspace/request_field.h"
#include "userspace/saturate.h"
#include "userspace/text.h"

struct root {
	uint32_t node, endpoint;
	uint64_t cost; /* of its endpoint in all */
	size_t order;  /* as it was among its siblings */
};

static int root_compare(const void *a, const void *b)
{
	const struct root *x = a, *y = b;

	if (x->cost != y->cost)
		return x->cost > y->cost ? -1 : 1;
	if (x->endpoint != y->endpoint)
		return x->endpoint < y->endpoint ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* The roots, those of an endpoint together, the dearest endpoint first. */
static int roots_find(const struct report *r, struct root **ret, size_t *ret_count)
{
	uint64_t *costs = calloc(r->profile->requests.endpoint_count, sizeof(*costs));
	struct root *roots;
	size_t count = 0;

	for (uint32_t n = r->tree.first_child[0]; n; n = r->tree.next_sibling[n])
		count++;
	roots = calloc(count + 1, sizeof(*roots));
	if (!costs || !roots) {
		free(costs);
		free(roots);
		return -ENOMEM;
	}
	count = 0;
	for (uint32_t n = r->tree.first_child[0]; n; n = r->tree.next_sibling[n]) {
		uint32_t endpoint = r->profile->nodes[n].endpoint;

		costs[endpoint] = saturating_add(costs[endpoint], r->costs.cumulative[n]);
		roots[count] = (struct root){ n, endpoint, 0, count };
		count++;
	}
	for (size_t i = 0; i < count; i++)
		roots[i].cost = costs[roots[i].endpoint];
	qsort(roots, count, sizeof(*roots), root_compare);
	free(costs);
	*ret = roots;
	*ret_count = count;
	return 0;
}

/* Makes these the only roots of the tree. */
static void roots_link(struct report *r, const struct root *roots, size_t count)
{
	uint32_t *link = &r->tree.first_child[0];

	for (size_t i = 0; i < count; i++) {
		*link = roots[i].node;
		link = &r->tree.next_sibling[roots[i].node];
	}
	*link = 0;
}

static uint64_t roots_sum(const uint64_t *by_node, const struct root *roots, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum = saturating_add(sum, by_node[roots[i].node]);
	return sum;
}

/* What shares are of. */
struct totals {
	uint64_t metric, metric_raw, kernel, kernel_raw;
};

static struct totals totals_swap(struct report *r, struct totals t)
{
	struct totals old = { .metric = r->costs.cumulative[0],
			      .metric_raw = r->costs.cumulative_raw[0] };

	r->costs.cumulative[0] = t.metric;
	r->costs.cumulative_raw[0] = t.metric_raw;
	if (report_has_kernel(r)) {
		old.kernel = r->kernel.cumulative[0];
		old.kernel_raw = r->kernel.cumulative_raw[0];
		r->kernel.cumulative[0] = t.kernel;
		r->kernel.cumulative_raw[0] = t.kernel_raw;
	}
	return old;
}

static struct totals totals_of(const struct report *r, const struct root *roots, size_t count)
{
	struct totals t = { roots_sum(r->costs.cumulative, roots, count),
			    roots_sum(r->costs.cumulative_raw, roots, count) };

	if (report_has_kernel(r)) {
		t.kernel = roots_sum(r->kernel.cumulative, roots, count);
		t.kernel_raw = roots_sum(r->kernel.cumulative_raw, roots, count);
	}
	return t;
}

static bool is_estimated(const struct profile *p)
{
	return p->meta.budget && phase_share(&p->requests.phases) < 1;
}

/* What phases stand for, and the gap after the last, of as many requests as they. */
static void requests_estimate(const struct profile *p, const struct phase_sum *sum,
			      struct report_captured *ret)
{
	const struct phase_times *t = &p->requests.phases;
	double all = (double)t->gap_ns + t->watched_ns, scale = all > 0 ? 1 + t->tail_ns / all : 1;

	ret->estimate = true;
	ret->of = fmin(scale * sum->sum + 0.5, 0x1p63);
	ret->error = scale * phase_sum_error(t, sum);
}

/* Requests of an endpoint, UINT32_MAX: of any; those that were probed of it. */
static void requests_count(const struct profile *p, uint32_t endpoint, struct report_captured *ret)
{
	struct phase_sum sum = { 0 };

	*ret = (struct report_captured){ 0 };
	for (size_t i = 1; endpoint && i < p->requests.group_count; i++) {
		const struct profile_group *g = &p->requests.groups[i];

		if (endpoint != UINT32_MAX && g->of.endpoint != endpoint)
			continue;
		ret->seen = saturating_add(ret->seen, g->count);
		if (g->of.flags & GROUP_EXACT)
			ret->captured = saturating_add(ret->captured, g->count);
		if (g->estimates)
			phase_sum_join(&sum, &g->estimates->count);
	}
	ret->of = ret->seen;
	if (endpoint && is_estimated(p))
		requests_estimate(p, &sum, ret);
}

bool report_captured(const struct profile *p, struct report_captured *ret)
{
	requests_count(p, UINT32_MAX, ret);
	return ret->captured && ret->captured < ret->of;
}

static uint64_t by_view(const struct profile *p, uint32_t endpoint)
{
	return endpoint && p->requests.by_view ? p->requests.by_view[endpoint] : 0;
}

static int part_show(struct report *r, enum report_sort sort, const struct root *roots,
		     size_t count, uint64_t all,
		     int (*show)(void *arg, const struct endpoint_part *part), void *arg)
{
	struct endpoint_part part = {
		.endpoint = roots->endpoint,
		.report = *r,
		.cost = r->costs.cumulative[0],
		.by_view = by_view(r->profile, roots->endpoint),
		.percent = all ? 100.0 * r->costs.cumulative[0] / all : 0,
	};
	struct report_captured requests;
	int err;

	part.report.functions = (struct function_costs){ 0 };
	part.report.order = NULL;
	part.report.order_count = 0;
	requests_count(r->profile, part.endpoint, &requests);
	part.served = requests.of;
	part.served_error = requests.error;
	/* Where some were probed, function costs are of these alone. */
	part.requests = requests.captured ? requests.captured : requests.seen;
	err = function_costs_compute(r->profile, &r->costs,
				     report_has_kernel(r) ? &r->kernel : NULL, &r->tree,
				     &part.report.functions);
	if (!err)
		err = report_order(&part.report, sort);
	if (!err)
		err = show(arg, &part);
	function_costs_free(&part.report.functions);
	free(part.report.order);
	return err;
}

static int order_compare(const void *a, const void *b)
{
	const struct root *x = a, *y = b;

	return x->order < y->order ? -1 : x->order > y->order;
}

int report_each_endpoint(struct report *r, enum report_sort sort,
			 int (*show)(void *arg, const struct endpoint_part *part), void *arg)
{
	struct root *roots;
	size_t count;
	int err = roots_find(r, &roots, &count);

	if (err)
		return err;
	for (size_t i = 0, n; !err && i < count; i += n) {
		struct totals old;

		for (n = 1; i + n < count && roots[i + n].endpoint == roots[i].endpoint;)
			n++;
		old = totals_swap(r, totals_of(r, roots + i, n));
		roots_link(r, roots + i, n);
		err = part_show(r, sort, roots + i, n, old.metric, show, arg);
		totals_swap(r, old);
	}
	qsort(roots, count, sizeof(*roots), order_compare);
	roots_link(r, roots, count);
	free(roots);
	return err;
}

/* ---- for people ---- */

struct printing {
	const struct report_style *style;
	const struct endpoint_views *views;
	FILE *out;
	bool any;
};

static void print_amount(const struct printing *p, const struct endpoint_part *part, double value)
{
	char text[TEXT_AMOUNT_SIZE];

	text_amount(text, fmin(value, 0x1p63),
		    part->report.profile->meta.metric == METRIC_TASK_CLOCK, p->style->exact);
	fputs(text, p->out);
}

static const char *outside_of(const struct profile *p)
{
	return is_estimated(p)
		       ? "outside of any request, or not watched"
		       : "outside of any request";
}

static void print_heading(const struct printing *p, const struct endpoint_part *part)
{
	const char *view = endpoint_view_text(p->views, part->endpoint);
	const char *bold = p->style->color ? "\033[1m" : "", *end = p->style->color ? "\033[0m" : "";
	char text[REQUEST_FIELD_SIZE];

	endpoint_text(part->report.profile, part->endpoint, text);
	fprintf(p->out, "%s%s%s%s", p->any ? "\n" : "", bold,
		part->endpoint ? text : outside_of(part->report.profile), end);
	if (*view)
		fprintf(p->out, " (%s)", view);
	fputs(part->by_view ? ": ~" : ": ", p->out);
	print_amount(p, part, part->cost);
	fprintf(p->out, ", %.1f %% of all", part->percent);
	if (part->by_view)
		fprintf(p->out, ", %.1f %% of it by its view alone",
			part->cost ? 100.0 * part->by_view / part->cost : 0);
	if (part->requests) {
		fprintf(p->out, "; %" PRIu64 " request%s%s, ", part->requests,
			part->requests == 1 ? "" : "s", part->by_view ? " watched" : "");
		print_amount(p, part, (double)(part->cost - part->by_view) / part->requests);
		fputs(" each", p->out);
	}
	fputs("\n\n", p->out);
}

static int print_part(void *arg, const struct endpoint_part *part)
{
	struct printing *p = arg;

	if (!part->cost && !part->report.order_count)
		return 0;
	print_heading(p, part);
	p->any = true;
	if (part->report.order_count)
		return report_print_functions(&part->report, p->style, p->out);
	fputs("nothing in any Python function\n", p->out);
	return 0;
}

int report_print_endpoints(struct report *r, const struct report_style *style,
			   enum report_sort sort, FILE *out)
{
	struct endpoint_views views;
	int err = endpoint_views_compute(r->profile, &views);

	if (err)
		return err;
	err = report_each_endpoint(r, sort, print_part,
				   &(struct printing){ style, &views, out });
	endpoint_views_free(&views);
	return err;
}
