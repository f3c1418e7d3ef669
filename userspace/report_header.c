/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words around the numbers: what was measured, how, and what is missing. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "userspace/counter_share.h"
#include "userspace/estimate.h"
#include "userspace/phase_plan.h"
#include "userspace/report.h"
#include "userspace/report_endpoints.h"
#include "userspace/request_view.h"
#include "userspace/saturate.h"
#include "userspace/text.h"

#define PROCESSES_SHOWN 8

const char *report_metric_meaning(const struct sink_meta *meta)
{
	if (meta->metric == METRIC_TASK_CLOCK && meta->metric_fallback)
		return "time on CPU, not instructions: no hardware counter was to be had";
	if (meta->metric == METRIC_TASK_CLOCK)
		return "time on CPU, not instructions";
	if (meta->kernel_mode)
		return meta->metric == METRIC_CYCLES ? "CPU cycles, in user and kernel mode apart"
						     : "retired CPU instructions, in user and "
						       "kernel mode apart";
	if (meta->metric == METRIC_CYCLES && meta->metric_fallback)
		return "CPU cycles, user mode only: no counter of instructions was to be had";
	if (meta->metric == METRIC_CYCLES)
		return meta->user_only ? "CPU cycles, user mode only" : "CPU cycles";
	return meta->user_only ? "retired CPU instructions, user mode only"
			       : "retired CPU instructions";
}

static void print_amount(const struct report *r, const struct report_style *style, FILE *out,
			 uint64_t value)
{
	char amount[TEXT_AMOUNT_SIZE];

	text_amount(amount, value, r->profile->meta.metric == METRIC_TASK_CLOCK, style->exact);
	fputs(amount, out);
}

static void print_processes(const struct profile *p, FILE *out)
{
	for (size_t i = 0; i < p->process_count && i < PROCESSES_SHOWN; i++) {
		const struct sink_process *process = &p->processes[i];

		fprintf(out, "%s%s (pid %" PRIu32, i ? ", " : "processes:   ", process->comm,
			process->pid);
		if (process->ppid)
			fprintf(out, ", child of %" PRIu32, process->ppid);
		fprintf(out, *process->python ? ", Python %s)" : ", Python version unknown)",
			process->python);
	}
	if (p->process_count > PROCESSES_SHOWN)
		fprintf(out, " and %zu more", p->process_count - PROCESSES_SHOWN);
	fputs(p->process_count ? "\n" : "", out);
}

/* The kernel's part of a calibration. */
static void print_kernel_calibration(const struct report *r, size_t calibration,
				     const struct report_style *style, FILE *out)
{
	const struct sink_calibration *c = &r->profile->calibrations[calibration];
	uint64_t calls = r->costs.calibrated_calls[calibration];
	double per_call, scale;

	if (!report_has_kernel(r))
		return;
	scale = r->kernel.scale[calibration];
	per_call = (c->kernel_entry + c->kernel_exit) * scale;
	fputs("             and ", out);
	print_amount(r, style, out,
		     fmin(fmax(per_call * calls + r->kernel.searched[calibration], 0), 0x1p63));
	fprintf(out, " in kernel mode (%.1f \xc2\xb1 %.1f for each", per_call,
		c->kernel_total_error * scale);
	if (scale < 1)
		fprintf(out, ", scaled by %.3f", scale);
	fputs(")\n", out);
}

static void print_calibration(const struct report *r, const struct report_style *style, FILE *out)
{
	const struct profile *p = r->profile;
	const char *unit = metric_unit(p->meta.metric);
	bool any = false;

	for (size_t i = 1; i < p->calibration_count && !r->raw; i++) {
		const struct sink_calibration *c = &p->calibrations[i];
		uint64_t calls = r->costs.calibrated_calls[i];
		double per_call = (c->entry + c->exit) * r->costs.scale[i];
		double searched = r->costs.searched[i];

		if (!calls)
			continue;
		any = true;
		fputs("calibration: took out ", out);
		print_amount(r, style, out, fmin(fmax(per_call * calls + searched, 0), 0x1p63));
		fprintf(out, " (%.1f \xc2\xb1 %.1f %s for each of %" PRIu64 " calls",
			per_call, c->total_error * r->costs.scale[i], unit, calls);
		if (searched) {
			fprintf(out, ", %s", searched < 0 ? "less " : "");
			print_amount(r, style, out, fmin(fabs(searched), 0x1p63));
			fputs(c->search_error > 0 ? " for line numbers" : " for probes of no call",
			      out);
		}
		fprintf(out, ", Python %s)\n", c->python);
		if (r->costs.scale[i] < 1)
			fprintf(out,
				"             scaled by %.3f, as the cheapest calls left no room for "
				"more: the machine ran at another pace than while calibrated\n",
				r->costs.scale[i]);
		print_kernel_calibration(r, i, style, out);
	}
	if (r->raw)
		fputs("raw:         the probes' own cost is still inside\n", out);
	else if (!any || r->costs.calibrated_calls[0])
		fprintf(out, "uncalibrated: %s still %s the probes' own cost\n",
			any ? "some processes" : "all costs",
			any ? "carry" : "include");
}

/* The kernel's part of the line of the total. */
static void print_kernel_total(const struct report *r, const struct report_style *style, FILE *out)
{
	uint64_t total, outside = r->functions.rows[0].costs.kernel_self;

	if (!report_has_kernel(r))
		return;
	total = r->kernel.cumulative[0];
	fputs("kernel mode: ", out);
	print_amount(r, style, out, total);
	fputs(", of it ", out);
	print_amount(r, style, out, outside);
	fprintf(out, " (%.1f %%) outside any Python function\n", report_kernel_percent(r, outside));
}

/* "instructions:u (instructions): retired CPU instructions, user mode only" */
static void print_metric(const struct report *r, FILE *out)
{
	const struct sink_meta *meta = &r->profile->meta;
	const char *name = metric_name(meta->metric);

	if (report_has_kernel(r))
		fprintf(out, "metric:      %s (user) and %s (kernel, own column): %s\n", name,
			metric_kernel_name(meta->metric), report_metric_meaning(meta));
	else
		fprintf(out, "metric:      %s (%s): %s\n", name, metric_unit(meta->metric),
			report_metric_meaning(meta));
}

/* Those of which requests are in the profile. */
static size_t endpoints_met(const struct profile *p)
{
	bool *met = calloc(p->requests.endpoint_count, sizeof(*met));
	size_t count = 0;

	for (size_t i = 1; met && i < p->requests.group_count; i++) {
		count += !met[p->requests.groups[i].of.endpoint];
		met[p->requests.groups[i].of.endpoint] = true;
	}
	free(met);
	return count;
}

static void print_captured(const struct profile *p, FILE *out)
{
	char count[ESTIMATE_COUNT_SIZE], of[ESTIMATE_COUNT_SIZE], error[ESTIMATE_COUNT_SIZE];
	struct report_captured c;

	if (!report_captured(p, &c))
		return;
	estimate_count_text(count, c.captured);
	estimate_count_text(of, c.of);
	estimate_count_text(error, c.error + 0.5);
	fprintf(out, "captured:    %s of ", count);
	if (c.estimate)
		fprintf(out, "~%s ± %s requests, watched or not", of, error);
	else
		fputs("them", out);
	fprintf(out, " (%.2g %%), each from its beginning to its end: function costs are theirs, "
		     "not scaled\n", 100.0 * c.captured / c.of);
}

static bool has_by_view(const struct profile *p)
{
	return p->requests.by_view && *p->requests.by_view;
}

static void print_by_view(const struct report *r, FILE *out)
{
	if (has_by_view(r->profile))
		fprintf(out, "by view:     ~%.1f %% of all costs: samples taken while nothing was "
			     "watched are an endpoint's, too, if in a view that it alone has\n",
			report_percent(r, *r->profile->requests.by_view));
}

/* "requests:    12,345 (98.7/s) of 12 endpoints" and the workers' lives. */
static void print_requests(const struct report *r, FILE *out)
{
	const struct profile *p = r->profile;
	char count[ESTIMATE_COUNT_SIZE], lives[256];
	size_t endpoints = endpoints_met(p);
	uint64_t all = 0;

	if (!p->meta.requests)
		return;
	for (size_t i = 1; i < p->requests.group_count; i++)
		all = saturating_add(all, p->requests.groups[i].count);
	estimate_count_text(count, all);
	fprintf(out, "requests:    %s (%.1f/s) of %zu endpoint%s\n", count,
		p->duration_ns ? all / (p->duration_ns / 1e9) : 0, endpoints,
		endpoints == 1 ? "" : "s");
	if (p->meta.budget)
		fprintf(out, "watched:     %.3g %% of the time (budget %g %%): these requests%s are of "
			     "that, not scaled\n",
			100 * phase_share(&p->requests.phases),
			100.0 * p->meta.budget / BUDGET_UNIT,
			has_by_view(p) ? "" : ", and the function costs by endpoint,");
	print_by_view(r, out);
	print_captured(p, out);
	worker_summary(p, lives, sizeof(lives));
	if (*lives)
		fprintf(out, "workers:     %s\n", lives);
}

void report_print_header(const struct report *r, const struct report_style *style, FILE *out)
{
	const struct profile *p = r->profile;
	uint64_t total = r->costs.cumulative[0], outside = r->functions.rows[0].costs.self;
	time_t start = p->meta.start_realtime_ns / 1000000000;
	char when[64] = "", share[128];
	struct tm tm;

	print_metric(r, out);
	report_print_sampling(r, out);
	if (counter_share_text(r->losses, share, sizeof(share)))
		fprintf(out, "shared:      %s\n", share);
	if (start && localtime_r(&start, &tm))
		strftime(when, sizeof(when), " from %Y-%m-%d %H:%M:%S", &tm);
	fprintf(out, "duration:    %.3f s%s%s%s%s%s\n", p->duration_ns / 1e9, when,
		*p->meta.host ? " on " : "", p->meta.host, *p->meta.kernel ? ", Linux " : "",
		p->meta.kernel);
	print_processes(p, out);
	print_requests(r, out);
	fputs("total:       ", out);
	print_amount(r, style, out, total);
	fputs(", of it ", out);
	print_amount(r, style, out, outside);
	fprintf(out, " (%.1f %%) outside any Python function\n", report_percent(r, outside));
	print_kernel_total(r, style, out);
	if (!report_is_sampled(r))
		print_calibration(r, style, out);
	fputc('\n', out);
}

/* Their numbers follow, when there are any.  LOSS_MULTIPLEXED has words of its own. */
static const char *const loss_sentences[LOSS_MAX] = {
	[LOSS_NODES] = "calls charged to their callers because the table of call paths was full",
	[LOSS_DEPTH] = "calls charged to their callers because they were deeper than is followed",
	[LOSS_THREADS] = "events dropped because there were more threads than the table holds",
	[LOSS_NAMES] = "functions without a name because it could not be read or sent",
	[LOSS_MEMORY] = "events dropped because their frame could not be read",
	[LOSS_RESYNC_TRUNCATED] = "stacks rebuilt only in part",
	[LOSS_LATE_ATTACH] = "processes that had made calls before they were attached to",
	[LOSS_CLAMPED] = "call paths below zero after the correction, shown as 0 at their callers' "
			 "expense",
	[LOSS_PROBES_MISSED] = "probe hits that the kernel did not deliver",
	[LOSS_PROCESSES] = "forked processes not followed because the table was full",
	[LOSS_SLICES] = "time slices counted in part, as the kernel did not tell their start or "
			"end",
	[LOSS_UNCOUNTED] = "stretches not counted, as their CPU had no counter yet or a new one",
	[LOSS_SAMPLES] = "samples dropped because the ring was full",
	[LOSS_THROTTLED] = "times that the kernel held sampling back, as it took too long",
	[LOSS_UNWALKED] = "samples whose path could not be read, counted outside any function",
	[LOSS_DEEP] = "samples of stacks too deep to be read to their outer end",
	[LOSS_LINES] = "functions whose lines are not known, as their table was not to be had",
	[LOSS_NATIVES] = "samples without their native function because the table was full",
	[LOSS_REQUESTS] = "requests, or calls on sockets, not seen: a table was full, or the program not run",
	[LOSS_CONNECTIONS] = "connections not watched because their table was full",
	[LOSS_CLASSES] = "requests counted as others because of too many endpoints",
	[LOSS_SERVERS] = "threads of served processes not watched because their table was full",
	[LOSS_GARBLED] = "connections given up, as what they speak is no protocol known",
	[LOSS_TAGS] = "requests without their tags because of too many kinds of them",
	[LOSS_MARKS] = "imports, collections and marks that were not told",
	[LOSS_CUT] = "requests of the sample that were not waited for to their end",
	[LOSS_EVENTS] = "notes of forks, execs and exits dropped because the ring was full",
};

void report_print_losses(const uint64_t losses[LOSS_MAX], const struct report_style *style, FILE *out)
{
	const char *warn = style->color ? "\033[33m" : "", *end = style->color ? "\033[0m" : "";
	char share[128];

	if (counter_share_text(losses, share, sizeof(share)))
		fprintf(out, "%snote: %s%s\n", warn, share, end);
	for (int i = 1; i < LOSS_MAX; i++)
		if (losses[i] && loss_sentences[i])
			fprintf(out, "%snote: %s: %" PRIu64 "%s\n", warn, loss_sentences[i],
				losses[i], end);
}

static size_t unresolved_count(const struct report *r)
{
	size_t count = 0;

	for (size_t i = 0; i < r->order_count; i++)
		count += r->profile->functions[r->functions.rows[r->order[i]].function].unresolved;
	return count;
}

static void print_kernel_notes(const struct report *r, const struct report_style *style, FILE *out)
{
	const char *warn = style->color ? "\033[33m" : "", *end = style->color ? "\033[0m" : "";

	if (r->kernel.clamped)
		fprintf(out, "%snote: likewise in kernel mode, call paths below zero: %" PRIu64 "%s\n",
			warn, r->kernel.clamped, end);
	if (r->kernel.unpaid) {
		fprintf(out, "%snote: the total of kernel mode is ", warn);
		print_amount(r, style, out, r->kernel.unpaid);
		fprintf(out, " too high, as costs below zero had no caller to pay for them%s\n",
			end);
	}
}

void report_print_notes(const struct report *r, const struct report_style *style, FILE *out)
{
	const char *warn = style->color ? "\033[33m" : "", *end = style->color ? "\033[0m" : "";
	size_t unresolved = unresolved_count(r);

	fputc('\n', out);
	if (r->status.corrupt)
		fprintf(out,
			"%sdamaged file: it was read up to byte %" PRIu64
			", and what came after is missing%s\n",
			warn, r->status.corrupt_offset, end);
	else if (r->status.incomplete)
		fprintf(out,
			"%sincomplete: recorder did not finish; this is everything up to its last "
			"flush%s\n",
			warn, end);
	report_print_losses(r->losses, style, out);
	if (r->costs.unpaid) {
		fprintf(out, "%snote: the total is ", warn);
		print_amount(r, style, out, r->costs.unpaid);
		fprintf(out, " too high, as costs below zero had no caller to pay for them%s\n",
			end);
	}
	print_kernel_notes(r, style, out);
	if (unresolved)
		fprintf(out,
			"%snote: functions shown by their bare name because what defines them "
			"could not be found out: %zu%s\n",
			warn, unresolved, end);
}
