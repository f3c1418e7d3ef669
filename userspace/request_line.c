/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/request_line.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "userspace/export_json_parts.h"
#include "userspace/glob.h"
#include "userspace/text.h"

#define METHOD_WIDTH 7
#define AMOUNT_WIDTH 9
#define PATH_SIZE 1024

static uint64_t clock_at(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

void request_lines_begin(struct request_lines *l)
{
	l->to_realtime_ns = clock_at(CLOCK_REALTIME) - clock_at(CLOCK_MONOTONIC);
}

static bool is_like(const char *value, const char *pattern)
{
	return !strcmp(value, pattern) || glob_matches(pattern, value);
}

/* Its endpoint and tags are at hand; the profile may not know them yet. */
static bool passes(const struct request_lines *l, const struct request_seen *r,
		   const struct request_filter *f)
{
	struct sink_group group = {.pid = r->pid, .status = r->status, .flags = r->flags};
	const char *tag;

	switch (f->field.kind) {
	case FIELD_ENDPOINT:
		return endpoint_is_named(r->endpoint_method, r->endpoint_name, f->pattern) !=
		       f->negated;
	case FIELD_ROUTE:
		return is_like(r->endpoint_name, f->pattern) != f->negated;
	case FIELD_METHOD:
		return is_like(r->endpoint_method, f->pattern) != f->negated;
	case FIELD_HOST:
	case FIELD_TAG:
		tag = tag_list_get(r->tags, f->field.name);
		if (tag)
			return is_like(tag, f->pattern) != f->negated;
		break;
	default:
		break;
	}
	return request_filter_passes(l->profile, NULL, &group, f);
}

/* Valid UTF-8 and fit for a terminal, cut where it is too long. */
static const char *repaired(char out[PATH_SIZE], const char *s)
{
	char cut[PATH_SIZE / 4];

	/* A byte takes three at most when it is replaced. */
	snprintf(cut, sizeof(cut), "%s", s);
	text_repair(out, cut);
	return out;
}

static json_t *flags_json(uint16_t flags)
{
	static const struct {
		uint16_t flag;
		const char *name;
	} names[] = {
		{GROUP_EXACT, "probed"}, {GROUP_TLS, "tls"}, {GROUP_ABORTED, "aborted"},
		{GROUP_TASK, "task"}, {GROUP_SHARED, "shared"},
		{GROUP_TICKS, "syscall-by-ticks"},
	};
	json_t *array = json_array();

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (flags & names[i].flag)
			json_array_append_new(array, json_string(names[i].name));
	return array;
}

static json_t *backends_json(const struct request_lines *l, const struct request_seen *r)
{
	const struct profile_requests *q = &l->profile->requests;
	json_t *object = json_object();

	for (size_t b = 1; b < q->backend_count; b++)
		if (r->values->backend_calls[b - 1])
			json_object_set_new(object, q->backends[b].name,
					    json_pack("{s:I, s:o}", "calls",
						      (json_int_t)r->values->backend_calls[b - 1], "ns",
						      json_count(r->values->backend_ns[b - 1])));
	return object;
}

static void put_json(const struct request_lines *l, const struct request_seen *r)
{
	char method[PATH_SIZE], path[PATH_SIZE], text[PATH_SIZE], name[PATH_SIZE];
	json_t *tags = json_object(), *json;

	for (uint32_t i = 0; i < r->tags->count; i++)
		json_object_set_new(tags, repaired(method, r->tags->tags[i].key),
				    json_string(repaired(text, r->tags->tags[i].value)));
	json = json_pack("{s:o, s:I, s:I, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}",
			 "time_ns", json_count(r->begin_ns + l->to_realtime_ns),
			 "pid", (json_int_t)r->pid,
			 "tid", (json_int_t)r->tid,
			 "method", repaired(method, r->method),
			 "path", repaired(path, r->path),
			 "endpoint_method", repaired(text, r->endpoint_method),
			 "endpoint", repaired(name, r->endpoint_name),
			 "status", r->status ? json_integer(r->status) : json_null(),
			 "flags", flags_json(r->flags),
			 "backends", backends_json(l, r),
			 "tags", tags);
	for (int m = 0; json && m < REQUEST_MEASURES; m++)
		json_object_set_new(json, request_measure_name(m),
				    json_integer(r->values->measures[m]));
	if (json) {
		json_dumpf(json, l->out, JSON_COMPACT);
		fputc('\n', l->out);
	}
	json_decref(json);
}

static void put_amount(const struct request_lines *l, int64_t value, bool time)
{
	char text[TEXT_AMOUNT_SIZE];
	int used;

	text_amount(text, value > 0 ? value : 0, time, l->exact);
	used = text_width(text);
	fprintf(l->out, "%*s%s  ", used < AMOUNT_WIDTH ? AMOUNT_WIDTH - used : 0, "", text);
}

/* "09:18:56.123456  3811  200  1.234 M  5.678 ms  3.210 ms  GET     /shop/7  GET /shop/…" */
static void put_text(const struct request_lines *l, const struct request_seen *r)
{
	bool time_metric = l->profile->meta.metric == METRIC_TASK_CLOCK;
	uint64_t at = r->begin_ns + l->to_realtime_ns;
	char when[32] = "", status[8] = "-", path[PATH_SIZE], method[PATH_SIZE];
	char name[PATH_SIZE];
	time_t seconds = at / 1000000000;
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(when, sizeof(when), "%H:%M:%S", &tm);
	if (r->status)
		snprintf(status, sizeof(status), "%u", r->status);
	fprintf(l->out, "%s.%06u  %7" PRIu32 "  %3s  ", when, (unsigned)(at % 1000000000 / 1000),
		r->pid, status);
	put_amount(l, r->values->measures[REQUEST_COST], time_metric);
	put_amount(l, r->values->measures[REQUEST_LATENCY], true);
	put_amount(l, r->values->measures[REQUEST_CPU], true);
	fprintf(l->out, "%-*s %s  %s%s\n", METHOD_WIDTH, repaired(method, r->method),
		repaired(path, r->path), repaired(name, r->endpoint_name),
		r->flags & GROUP_ABORTED ? "  (given up)" : "");
}

static void put_titles(const struct request_lines *l)
{
	fprintf(l->out, "# %s: %s; cpu and latency: time\n"
			"%-15s  %7s  %3s  %*s  %*s  %*s  %-*s %s  %s\n",
		metric_name(l->profile->meta.metric), metric_unit(l->profile->meta.metric), "began",
		"pid", "st.", AMOUNT_WIDTH, "cost", AMOUNT_WIDTH, "latency", AMOUNT_WIDTH, "cpu",
		METHOD_WIDTH, "method", "path", "endpoint");
}

void request_lines_put(void *arg, const struct request_seen *r)
{
	struct request_lines *l = arg;

	for (size_t i = 0; i < l->filter_count; i++)
		if (!passes(l, r, &l->filters[i]))
			return;
	if (l->json) {
		put_json(l, r);
	} else {
		if (!l->count)
			put_titles(l);
		put_text(l, r);
	}
	l->count++;
}
