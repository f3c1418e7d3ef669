/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lives of workers: born, served, grown, gone and why. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "userspace/csv.h"
#include "userspace/export_json_parts.h"
#include "userspace/request_view.h"
#include "userspace/table.h"
#include "userspace/text.h"

#define CELL_SIZE 64
#define REASONS_MAX 8

static const struct column columns[] = {
	{ "pid" },	{ "parent" }, { "born" }, { "lived" },	 { "requests" }, { "RSS born" },
	{ "RSS last" }, { "peak" },   { "grown/request" }, { "cost" }, { "in requests" },
	{ "end", true },
};
#define COLUMNS (sizeof(columns) / sizeof(*columns))

/* "alive", "exit 3", "SIGKILL", "ended, not known how" */
static void end_text(const struct sink_worker *w, char out[CELL_SIZE])
{
	int status = w->exit_status;
	const char *name;

	if (!w->died_ns) {
		strcpy(out, "alive");
	} else if (status < 0) {
		strcpy(out, "ended, not known how");
	} else if (WIFSIGNALED(status)) {
		name = sigabbrev_np(WTERMSIG(status));
		if (name)
			snprintf(out, CELL_SIZE, "killed by SIG%s", name);
		else
			snprintf(out, CELL_SIZE, "killed by signal %d", WTERMSIG(status));
	} else {
		snprintf(out, CELL_SIZE, "exit %d", WEXITSTATUS(status));
	}
}

/*
 * In the place of one that had ended: before it, the same parent lost more of them than it
 * has forked.
 */
static bool is_respawn(const struct profile *p, const struct sink_worker *w)
{
	size_t lost = 0, forked = 0;

	for (size_t i = 0; w->born_ns && i < p->requests.worker_count; i++) {
		const struct sink_worker *other = &p->requests.workers[i];

		if (other->ppid != w->ppid)
			continue;
		lost += other->died_ns && other->died_ns <= w->born_ns;
		forked += other->born_ns && other->born_ns < w->born_ns;
	}
	return lost > forked;
}

static double growth(const struct sink_worker *w)
{
	if (!w->requests || !w->birth_rss || !w->last_rss)
		return NAN;
	return ((double)w->last_rss - w->birth_rss) / w->requests;
}

static void bytes_text(char out[CELL_SIZE], double bytes, bool exact)
{
	bool negative = bytes < 0;

	if (isnan(bytes)) {
		strcpy(out, "?");
		return;
	}
	out[0] = '-';
	text_amount(out + negative, fabs(bytes) + 0.5, false, exact);
}

static void seconds_text(char out[CELL_SIZE], uint64_t ns)
{
	snprintf(out, CELL_SIZE, "%.1f s", ns / 1e9);
}

static void worker_add(struct table *t, const struct profile *p, const struct sink_worker *w,
		       bool exact)
{
	bool time = p->meta.metric == METRIC_TASK_CLOCK;
	char cells[COLUMNS][CELL_SIZE];
	const char *v[COLUMNS];
	uint64_t until = w->died_ns ? w->died_ns : p->duration_ns;

	snprintf(cells[0], CELL_SIZE, "%" PRIu32, w->pid);
	snprintf(cells[1], CELL_SIZE, "%" PRIu32, w->ppid);
	if (w->born_ns)
		seconds_text(cells[2], w->born_ns);
	else
		strcpy(cells[2], "before");
	seconds_text(cells[3], until > w->born_ns ? until - w->born_ns : 0);
	snprintf(cells[4], CELL_SIZE, "%" PRIu64, w->requests);
	bytes_text(cells[5], w->birth_rss ? w->birth_rss : NAN, exact);
	bytes_text(cells[6], w->last_rss ? w->last_rss : NAN, exact);
	bytes_text(cells[7], w->peak_rss ? w->peak_rss : NAN, exact);
	bytes_text(cells[8], growth(w), exact);
	text_amount(cells[9], w->cost, time, exact);
	snprintf(cells[10], CELL_SIZE, "%.1f%%", w->cost ? 100.0 * w->request_cost / w->cost : 0);
	end_text(w, cells[11]);
	for (size_t i = 0; i < COLUMNS; i++)
		v[i] = cells[i];
	table_add(t, w->died_ns && w->exit_status > 0, v);
}

int worker_print(const struct profile *p, const struct report_style *style, FILE *out)
{
	struct table t = { .columns = columns, .column_count = COLUMNS };
	char summary[256];

	worker_summary(p, summary, sizeof(summary));
	fprintf(out, "workers: %s\n", *summary ? summary : "none was seen");
	fprintf(out, "born and lived are since the recording began; cost is in %s\n\n",
		metric_unit(p->meta.metric));
	for (size_t i = 0; i < p->requests.worker_count; i++)
		worker_add(&t, p, &p->requests.workers[i], style->exact);
	return table_print(&t, out, style->width, style->color);
}

static json_t *json_known(uint64_t value)
{
	return value ? json_count(value) : json_null();
}

int worker_json(const struct profile *p, const struct recording_status *status, FILE *out)
{
	json_t *workers = json_array(), *json;

	for (size_t i = 0; workers && i < p->requests.worker_count; i++) {
		const struct sink_worker *w = &p->requests.workers[i];
		char end[CELL_SIZE];

		end_text(w, end);
		json = json_pack("{s:I, s:I, s:o, s:o, s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, "
				 "s:o, s:o}",
				 "pid", (json_int_t)w->pid,
				 "ppid", (json_int_t)w->ppid,
				 "born_ns", json_known(w->born_ns),
				 "died_ns", json_known(w->died_ns),
				 "end", end,
				 "exit_status", w->died_ns && w->exit_status >= 0
							? json_integer(w->exit_status)
							: json_null(),
				 "respawn", is_respawn(p, w),
				 "requests", json_count(w->requests),
				 "cost", json_count(w->cost),
				 "request_cost", json_count(w->request_cost),
				 "cpu_ns", json_count(w->cpu_ns),
				 "birth_rss", json_known(w->birth_rss),
				 "last_rss", json_known(w->last_rss),
				 "peak_rss", json_known(w->peak_rss),
				 "growth_per_request",
				 isnan(growth(w)) ? json_null() : json_real(growth(w)));
		json_array_append_new(workers, json);
	}
	json = json_pack("{s:s, s:s, s:b, s:o, s:o}", "metric", metric_name(p->meta.metric), "unit",
			 metric_unit(p->meta.metric), "complete",
			 !status->corrupt && !status->incomplete, "duration_ns",
			 json_count(p->duration_ns), "workers", workers);
	return json_print(json, out);
}

int worker_csv(const struct profile *p, FILE *out)
{
	fputs("end,pid,ppid,born_ns,died_ns,respawn,requests,cost,request_cost,cpu_ns,birth_rss,"
	      "last_rss,peak_rss,growth_per_request\n",
	      out);
	for (size_t i = 0; i < p->requests.worker_count; i++) {
		const struct sink_worker *w = &p->requests.workers[i];
		char end[CELL_SIZE];

		end_text(w, end);
		csv_text(out, true, end);
		csv_count(out, w->pid);
		csv_count(out, w->ppid);
		csv_count(out, w->born_ns);
		csv_count(out, w->died_ns);
		csv_count(out, is_respawn(p, w));
		csv_count(out, w->requests);
		csv_count(out, w->cost);
		csv_count(out, w->request_cost);
		csv_count(out, w->cpu_ns);
		csv_count(out, w->birth_rss);
		csv_count(out, w->last_rss);
		csv_count(out, w->peak_rss);
		csv_number(out, growth(w));
		fputc('\n', out);
	}
	return 0;
}

struct reason {
	char text[CELL_SIZE];
	size_t count;
};

static void reason_count(struct reason reasons[REASONS_MAX], const struct sink_worker *w)
{
	char text[CELL_SIZE];
	int i = 0;

	end_text(w, text);
	while (i < REASONS_MAX - 1 && reasons[i].count && strcmp(reasons[i].text, text))
		i++;
	/* More kinds than are kept apart are told as one. */
	strcpy(reasons[i].text, i == REASONS_MAX - 1 ? "ended otherwise" : text);
	reasons[i].count++;
}

void worker_summary(const struct profile *p, char *out, size_t size)
{
	size_t count = p->requests.worker_count, alive = 0, forks = 0, respawns = 0, used;
	struct reason reasons[REASONS_MAX] = { 0 };

	*out = 0;
	for (size_t i = 0; i < count; i++) {
		const struct sink_worker *w = &p->requests.workers[i];

		alive += !w->died_ns;
		forks += w->born_ns > 0;
		respawns += is_respawn(p, w);
		if (w->died_ns)
			reason_count(reasons, w);
	}
	if (!count)
		return;
	used = snprintf(out, size, "%zu of %zu alive, %zu forked while measured (%zu in the place of "
				   "others)", alive, count, forks, respawns);
	for (int i = 0; i < REASONS_MAX && reasons[i].count && used < size; i++)
		used += snprintf(out + used, size - used, ", %zu %s", reasons[i].count,
				 reasons[i].text);
}
