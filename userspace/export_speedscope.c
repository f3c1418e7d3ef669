/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * speedscope's file format: one "sampled" profile for each root of the call
 * tree (a process, or a thread), one sample for each call path, weighing what
 * the path itself cost.  The outermost frame of what was done for requests is their
 * endpoint.  Written piece by piece: as a JSON document in memory
 * the frame numbers of 100,000 paths would take hundreds of megabytes.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "userspace/counter_share.h"
#include "userspace/estimate.h"
#include "userspace/export.h"
#include "userspace/request_field.h"

/* Dumps and frees one small value. */
static int put_json(json_t *value, FILE *out)
{
	if (!value)
		return -ENOMEM;
	json_dumpf(value, out, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(value);
	return 0;
}

static int put_text(char *text, FILE *out)
{
	int err = text ? put_json(json_string(text), out) : -ENOMEM;

	free(text);
	return err;
}

/* Those of functions by row, then those of endpoints by id. */
static int put_frames(const struct report *r, FILE *out)
{
	char endpoint[REQUEST_FIELD_SIZE];
	int err = 0;

	for (size_t i = 0; !err && i < r->functions.row_count; i++) {
		const struct function_row *row = &r->functions.rows[i];
		const struct sink_function *f = &r->profile->functions[row->function];
		json_t *frame = json_pack("{s:s}", "name", row->name);

		if (frame && *f->file)
			json_object_set_new(frame, "file", json_string(f->file));
		if (frame && f->line)
			json_object_set_new(frame, "line", json_integer(f->line));
		fputs(i ? ",\n" : "", out);
		err = put_json(frame, out);
	}
	for (size_t i = 1; !err && i < r->profile->requests.endpoint_count; i++) {
		endpoint_text(r->profile, i, endpoint);
		fputs(",\n", out);
		err = put_json(json_pack("{s:s}", "name", endpoint), out);
	}
	return err;
}

/* A root that stands for no function is a frame only where nothing was called. */
static void put_sample(const struct report *r, uint32_t root, const struct call_walk *walk,
		       uint32_t *stack, FILE *out)
{
	uint32_t first = r->profile->nodes[root].function || walk->depth == 1 ? 1 : 2;
	uint32_t endpoint = r->profile->nodes[root].endpoint;

	fputc('[', out);
	if (endpoint)
		fprintf(out, "%zu,", r->functions.row_count + endpoint - 1);
	for (uint32_t depth = first; depth <= walk->depth; depth++)
		fprintf(out, "%s%" PRIu32, depth > first ? "," : "", stack[depth]);
	fputc(']', out);
}

/* Its samples, or their weights, in the same order. */
static void put_paths(const struct report *r, uint32_t root, uint32_t *stack, bool weights,
		      FILE *out)
{
	struct call_walk walk = { &r->tree, r->profile->nodes, root, 1 };
	const char *separator = "";

	do {
		const struct profile_node *node = &r->profile->nodes[walk.node];

		stack[walk.depth] = r->functions.row_of[node->function];
		if (walk.leaving || !r->costs.self[walk.node])
			continue;
		fputs(separator, out);
		separator = ",";
		if (weights)
			fprintf(out, "%" PRIu64, r->costs.self[walk.node]);
		else
			put_sample(r, root, &walk, stack, out);
	} while (call_walk_next(&walk) && walk.node != root);
}

static int put_profile(const struct report *r, uint32_t root, uint32_t *stack, FILE *out)
{
	const struct profile_node *node = &r->profile->nodes[root];
	const struct sink_process *process = &r->profile->processes[node->process];
	enum metric metric = r->profile->meta.metric;
	char endpoint[REQUEST_FIELD_SIZE], pid[32] = "", thread[32] = "", *name = NULL;
	int size, err;

	endpoint_text(r->profile, node->endpoint, endpoint);
	if (node->tid)
		snprintf(thread, sizeof(thread), ", thread %" PRIu32, node->tid);
	if (!r->profile->meta.many)
		snprintf(pid, sizeof(pid), " (pid %" PRIu32, process->pid);
	size = asprintf(&name, "%s%s%s%s: %s%s%s", process->comm, pid, thread, *pid ? ")" : "",
			node->endpoint ? endpoint : "", node->endpoint ? ": " : "",
			metric_name(metric));
	fputs("{\"type\":\"sampled\",\"name\":", out);
	err = put_text(size < 0 ? NULL : name, out);
	fprintf(out, ",\"unit\":\"%s\",\"startValue\":0,\"endValue\":%" PRIu64 ",\n\"samples\":[",
		metric == METRIC_TASK_CLOCK ? "nanoseconds" : "none", r->costs.cumulative[root]);
	put_paths(r, root, stack, false, out);
	fputs("],\n\"weights\":[", out);
	put_paths(r, root, stack, true, out);
	fputs("]}", out);
	return err;
}

int export_speedscope(const struct report *r, FILE *out)
{
	uint32_t *stack = calloc(r->profile->node_count + 1, sizeof(*stack));
	const char *separator = "";
	char share[128], period[96] = "";
	bool shared = counter_share_text(r->losses, share, sizeof(share));
	int err = stack ? 0 : -ENOMEM;

	if (report_is_sampled(r))
		estimate_period_text(period, sizeof(period), &r->profile->meta);
	fprintf(out,
		"{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\n"
		"\"exporter\":\"pycost " PYCOST_VERSION "\",\n\"name\":\"pycost: %s%s%s%s%s\",\n"
		"\"activeProfileIndex\":0,\n\"shared\":{\"frames\":[\n",
		metric_name(r->profile->meta.metric), shared ? ": " : "", share,
		*period ? ": " : "", period);
	if (!err)
		err = put_frames(r, out);
	fputs("]},\n\"profiles\":[\n", out);
	for (uint32_t root = r->tree.first_child[0]; !err && root;
	     root = r->tree.next_sibling[root]) {
		fputs(separator, out);
		separator = ",\n";
		err = put_profile(r, root, stack, out);
	}
	fputs("]}\n", out);
	free(stack);
	return err;
}
