/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The callgrind format, for callgrind_annotate and KCachegrind.  A call is put
 * on its caller's first line: which line it came from is not measured.  Samples
 * know their lines, so a sampled function's own cost is on these.  How often it was
 * called they do not know, and the format has no cumulative cost without that number
 * (callgrind_annotate takes it for a self cost when it is 0): there are no calls then.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "userspace/counter_share.h"
#include "userspace/estimate.h"
#include "userspace/export.h"

static const char *event_name(enum metric metric)
{
	switch (metric) {
	case METRIC_INSTRUCTIONS:
		return "instructions_u";
	case METRIC_CYCLES:
		return "cycles_u";
	case METRIC_TASK_CLOCK:
		return "task_clock_ns";
	}
	return "units";
}

static const char *kernel_event_name(enum metric metric)
{
	return metric == METRIC_CYCLES ? "cycles_k" : "instructions_k";
}

/* The costs of one line: a second one when kernel mode was counted. */
static void put_costs(const struct report *r, uint64_t cost, uint64_t kernel, FILE *out)
{
	fprintf(out, " %" PRIu64, cost);
	if (report_has_kernel(r))
		fprintf(out, " %" PRIu64, kernel);
	fputc('\n', out);
}

static void put_totals(const struct report *r, const char *key, FILE *out)
{
	fprintf(out, "%s:", key);
	put_costs(r, r->costs.cumulative[0], report_has_kernel(r) ? r->kernel.cumulative[0] : 0,
		  out);
}

/*
 * Names are numbered, so one that begins like a number does no harm; a number
 * is given its name only once.  Every row has a file number of its own.
 */
static void put_name(const struct report *r, const char *keys[2], uint32_t row, bool *known,
		     FILE *out)
{
	const struct function_row *function = &r->functions.rows[row];
	const char *file = r->profile->functions[function->function].file;

	if (*known)
		fprintf(out, "%s=(%" PRIu32 ")\n%s=(%" PRIu32 ")\n", keys[0], row + 1, keys[1],
			row + 1);
	else
		fprintf(out, "%s=(%" PRIu32 ") %s\n%s=(%" PRIu32 ") %s\n", keys[0], row + 1,
			*file ? file : "???", keys[1], row + 1, function->name);
	*known = true;
}

static uint32_t row_line(const struct report *r, uint32_t row)
{
	return r->profile->functions[r->functions.rows[row].function].line;
}

static void put_header(const struct report *r, FILE *out)
{
	const struct profile *p = r->profile;
	enum metric metric = p->meta.metric;
	char share[128];

	fputs("# callgrind format\nversion: 1\ncreator: pycost " PYCOST_VERSION "\ncmd:", out);
	for (size_t i = 0; i < p->process_count; i++)
		fprintf(out, " %s (%" PRIu32 ")", p->processes[i].comm, p->processes[i].pid);
	if (counter_share_text(r->losses, share, sizeof(share)))
		fprintf(out, "\ndesc: Note: %s", share);
	if (report_is_sampled(r)) {
		estimate_period_text(share, sizeof(share), &p->meta);
		fprintf(out, "\ndesc: Sampled: %s, %" PRIu64 " samples; without calls, which are not "
			     "known, so all costs are self costs",
			share, report_samples(r));
	}
	fprintf(out,
		"\npart: 1\npositions: line\nevent: %s : %s (%s)\n",
		event_name(metric), metric_name(metric), metric_unit(metric));
	if (report_has_kernel(r))
		fprintf(out, "event: %s : %s (%s)\nevents: %s %s\n", kernel_event_name(metric),
			metric_kernel_name(metric), metric_unit(metric), event_name(metric),
			kernel_event_name(metric));
	else
		fprintf(out, "events: %s\n", event_name(metric));
	put_totals(r, "summary", out);
}

/* lines: of samples, by row; empty of exact costs. */
static void put_self(const struct report *r, uint32_t row, const struct places *lines, FILE *out)
{
	const struct call_costs *costs = &r->functions.rows[row].costs;
	size_t count;
	const struct place *v = places_of(lines, row, &count);

	if (!report_is_sampled(r)) {
		fprintf(out, "%" PRIu32, row_line(r, row));
		put_costs(r, costs->self, costs->kernel_self, out);
	}
	for (size_t i = 0; i < count; i++) {
		if (!v[i].samples)
			continue;
		fprintf(out, "%" PRIu32, v[i].place ? v[i].place : row_line(r, row));
		put_costs(r, estimate_cost(v[i].samples, r->profile->meta.period), 0, out);
	}
}

int export_callgrind(const struct report *r, FILE *out)
{
	static const char *own_keys[] = { "fl", "fn" }, *call_keys[] = { "cfi", "cfn" };
	const struct function_costs *fc = &r->functions;
	bool *known = calloc(fc->row_count, sizeof(*known));
	struct places lines = { 0 };
	size_t edge = 0;
	int err = 0;

	if (report_is_sampled(r))
		err = places_compute(r, PLACE_LINE, true, &lines);
	if (err || !known) {
		free(known);
		free(lines.v);
		return -ENOMEM;
	}
	put_header(r, out);
	for (uint32_t row = 0; row < fc->row_count; row++) {
		uint32_t line = row_line(r, row);

		fputc('\n', out);
		put_name(r, own_keys, row, &known[row], out);
		put_self(r, row, &lines, out);
		if (report_is_sampled(r))
			continue;
		for (; edge < fc->edge_count && fc->edges[edge].caller == row; edge++) {
			const struct function_edge *e = &fc->edges[edge];

			put_name(r, call_keys, e->callee, &known[e->callee], out);
			fprintf(out, "calls=%" PRIu64 " %" PRIu32 "\n%" PRIu32, e->costs.calls,
				row_line(r, e->callee), line);
			put_costs(r, e->costs.cumulative, e->costs.kernel_cumulative, out);
		}
	}
	fputc('\n', out);
	put_totals(r, "totals", out);
	free(known);
	free(lines.v);
	return 0;
}
