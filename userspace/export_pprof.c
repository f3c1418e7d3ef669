/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pprof's gzipped protobuf.  Protobuf messages that follow each other merge, so
 * the profile is packed in fragments and never as a whole in memory.
 *
 * Two values a call path: its calls and its own cost; with kernel mode, that too.
 * Every row is a function and a location; the process is a label, and so is the endpoint
 * of the requests that it was done for (pprof -tagroot endpoint).
 *
 * Of a sampled recording the values are samples and what they stand for, and a location
 * is a line of a function: that of the sample, and in callers that of the call when all
 * calls that were seen came from one line.  A line that is not known is 0.  What a
 * sample was in the midst of, beside running, is a label.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "pprof.pb-c.h"
#include "userspace/counter_share.h"
#include "userspace/estimate.h"
#include "userspace/export.h"
#include "userspace/leaves.h"
#include "userspace/request_field.h"

#define GZIP_WINDOW (15 + 16)
#define CHUNK_SIZE (64 << 10)

/*
 * Fixed places in the string table; then two for each row, one for each process and one
 * for each endpoint.
 */
enum {
	STRING_EMPTY, /* the format wants "" at 0 */
	STRING_CALLS,
	STRING_COUNT,
	STRING_METRIC,
	STRING_UNIT,
	STRING_COMMENT,
	STRING_NOTE,
	STRING_PID,
	STRING_THREAD,
	STRING_PROCESS,
	STRING_KERNEL,
	STRING_ENDPOINT,
	STRING_EXACT, /* where those of an exact recording end */
	STRING_STATE = STRING_EXACT,
	STRING_STATES, /* one each */
	STRING_SAMPLED = STRING_STATES + SAMPLE_STATES,
};

struct pprof {
	const struct report *report;
	FILE *out;
	z_stream gzip;
	uint8_t *packed;
	size_t capacity;
	int err; /* the first one; nothing is done after it */
	/* Of samples. */
	struct tally locations; /* struct location */
	uint32_t *call_lines;	/* by node; 0: unknown, or several */
};

struct location {
	uint32_t row;
	uint32_t line;
	uint64_t id; /* 0: not yet put */
};

static int64_t value_of(uint64_t value)
{
	return value < INT64_MAX ? (int64_t)value : INT64_MAX;
}

static void compress_out(struct pprof *p, uint8_t *data, size_t size, int flush)
{
	uint8_t chunk[CHUNK_SIZE];

	p->gzip.next_in = data;
	p->gzip.avail_in = size;
	do {
		p->gzip.next_out = chunk;
		p->gzip.avail_out = sizeof(chunk);
		if (deflate(&p->gzip, flush) == Z_STREAM_ERROR)
			p->err = -EIO;
		fwrite(chunk, 1, sizeof(chunk) - p->gzip.avail_out, p->out);
	} while (!p->err && !p->gzip.avail_out);
}

static void put_fragment(struct pprof *p, const Pprof__Profile *fragment)
{
	size_t size = pprof__profile__get_packed_size(fragment);

	if (p->err)
		return;
	if (size > p->capacity) {
		uint8_t *packed = realloc(p->packed, size * 2);

		if (!packed) {
			p->err = -ENOMEM;
			return;
		}
		p->packed = packed;
		p->capacity = size * 2;
	}
	pprof__profile__pack(fragment, p->packed);
	compress_out(p, p->packed, size, Z_NO_FLUSH);
}

static void put_strings(struct pprof *p, char **strings, size_t count)
{
	Pprof__Profile fragment = PPROF__PROFILE__INIT;

	fragment.n_string_table = count;
	fragment.string_table = strings;
	put_fragment(p, &fragment);
}

static size_t fixed_strings(const struct pprof *p)
{
	return report_is_sampled(p->report) ? STRING_SAMPLED : STRING_EXACT;
}

static void put_fixed_strings(struct pprof *p)
{
	enum metric metric = p->report->profile->meta.metric;
	bool time = metric == METRIC_TASK_CLOCK;
	enum many many = p->report->profile->meta.many;
	char share[128] = "", sampled[160], period[96];
	bool is_sampled = report_is_sampled(p->report);
	char *strings[STRING_SAMPLED] = {
		[STRING_EMPTY] = "",
		[STRING_CALLS] = is_sampled || many == MANY_SAMPLED ? "samples" : "calls",
		[STRING_COUNT] = "count",
		[STRING_METRIC] = (char *)metric_name(metric),
		[STRING_UNIT] = time ? "nanoseconds" : (char *)metric_unit(metric),
		[STRING_COMMENT] = is_sampled		   ? sampled
				   : many == MANY_SAMPLED ? "pycost " PYCOST_VERSION ": sampled, many processes"
				   : many ? "pycost " PYCOST_VERSION ": exact counts of many processes"
					  : "pycost " PYCOST_VERSION ": exact counts, not samples",
		[STRING_NOTE] = share,
		[STRING_PID] = "pid",
		[STRING_THREAD] = "thread",
		[STRING_PROCESS] = "process",
		[STRING_KERNEL] = (char *)metric_kernel_name(metric),
		[STRING_ENDPOINT] = "endpoint",
		[STRING_STATE] = "state",
	};

	for (int i = 0; i < SAMPLE_STATES; i++)
		strings[STRING_STATES + i] = (char *)sample_state_name(i);
	estimate_period_text(period, sizeof(period), &p->report->profile->meta);
	snprintf(sampled, sizeof(sampled), "pycost " PYCOST_VERSION ": sampled, %s", period);
	counter_share_text(p->report->losses, share, sizeof(share));
	put_strings(p, strings, fixed_strings(p));
}

static size_t value_count(const struct report *r)
{
	return report_has_kernel(r) ? 3 : 2;
}

static void put_head(struct pprof *p)
{
	const struct profile *profile = p->report->profile;
	Pprof__ValueType calls = PPROF__VALUE_TYPE__INIT, metric = PPROF__VALUE_TYPE__INIT;
	Pprof__ValueType kernel = PPROF__VALUE_TYPE__INIT;
	Pprof__ValueType *types[] = { &calls, &metric, &kernel };
	Pprof__Profile fragment = PPROF__PROFILE__INIT;
	int64_t comments[] = { STRING_COMMENT, STRING_NOTE };

	calls.type = STRING_CALLS;
	calls.unit = STRING_COUNT;
	metric.type = STRING_METRIC;
	metric.unit = STRING_UNIT;
	kernel.type = STRING_KERNEL;
	kernel.unit = STRING_UNIT;
	fragment.n_sample_type = value_count(p->report);
	fragment.sample_type = types;
	fragment.default_sample_type = STRING_METRIC;
	fragment.period_type = &metric;
	fragment.period = report_is_sampled(p->report) ? value_of(profile->meta.period) : 1;
	fragment.n_comment = counter_share(p->report->losses) < 1 ? 2 : 1;
	fragment.comment = comments;
	fragment.time_nanos = value_of(profile->meta.start_realtime_ns);
	fragment.duration_nanos = value_of(profile->duration_ns);
	put_fragment(p, &fragment);
	put_fixed_strings(p);
}

/* Ids count from 1. */
static void put_row(struct pprof *p, size_t row)
{
	const struct function_row *function = &p->report->functions.rows[row];
	const struct sink_function *f = &p->report->profile->functions[function->function];
	char *strings[] = { (char *)function->name, (char *)f->file };
	Pprof__Function pprof_function = PPROF__FUNCTION__INIT;
	Pprof__Function *functions[] = { &pprof_function };
	Pprof__Line line = PPROF__LINE__INIT, *lines[] = { &line };
	Pprof__Location location = PPROF__LOCATION__INIT, *locations[] = { &location };
	Pprof__Profile fragment = PPROF__PROFILE__INIT;

	pprof_function.id = line.function_id = location.id = row + 1;
	/* Without a system_name: pprof would demangle it, and strip "<module>". */
	pprof_function.name = fixed_strings(p) + 2 * row;
	pprof_function.filename = fixed_strings(p) + 2 * row + 1;
	pprof_function.start_line = line.line = f->line;
	location.n_line = 1;
	location.line = lines;
	fragment.n_function = 1;
	/* Samples have locations of their own. */
	fragment.n_location = report_is_sampled(p->report) ? 0 : 1;
	fragment.function = functions;
	fragment.location = locations;
	fragment.n_string_table = 2;
	fragment.string_table = strings;
	put_fragment(p, &fragment);
}

/* state: SAMPLE_RUNS is no label. */
static void put_sample(struct pprof *p, uint32_t node, int64_t *values, uint32_t state,
		       uint64_t *path, size_t depth)
{
	const struct report *r = p->report;
	const struct profile_node *n = &r->profile->nodes[node];
	Pprof__Label pid = PPROF__LABEL__INIT, process = PPROF__LABEL__INIT;
	Pprof__Label thread = PPROF__LABEL__INIT, in_state = PPROF__LABEL__INIT;
	Pprof__Label endpoint = PPROF__LABEL__INIT;
	Pprof__Label *labels[5];
	size_t label_count = 0;
	Pprof__Sample sample = PPROF__SAMPLE__INIT, *samples[] = { &sample };
	Pprof__Profile fragment = PPROF__PROFILE__INIT;

	pid.key = STRING_PID;
	pid.num = r->profile->processes[n->process].pid;
	process.key = STRING_PROCESS;
	process.str = fixed_strings(p) + 2 * r->functions.row_count + n->process;
	thread.key = STRING_THREAD;
	thread.num = n->tid;
	sample.n_location_id = depth;
	sample.location_id = path;
	sample.n_value = value_count(r);
	sample.value = values;
	in_state.key = STRING_STATE;
	in_state.str = STRING_STATES + state;
	endpoint.key = STRING_ENDPOINT;
	endpoint.str = process.str - n->process + r->profile->process_count + n->endpoint -
		       1;
	if (!r->profile->meta.many)
		labels[label_count++] = &pid;
	labels[label_count++] = &process;
	if (n->endpoint)
		labels[label_count++] = &endpoint;
	if (n->tid)
		labels[label_count++] = &thread;
	if (state != SAMPLE_RUNS)
		labels[label_count++] = &in_state;
	sample.n_label = label_count;
	sample.label = labels;
	fragment.n_sample = 1;
	fragment.sample = samples;
	put_fragment(p, &fragment);
}

static void put_samples(struct pprof *p)
{
	const struct report *r = p->report;
	const struct profile_node *nodes = r->profile->nodes;
	/* Filled from the end, so that the leaf comes first. */
	size_t size = r->profile->node_count;
	uint64_t *path = calloc(size, sizeof(*path));
	struct call_walk walk = { &r->tree, nodes };

	if (!path) {
		p->err = -ENOMEM;
		return;
	}
	while (!p->err && call_walk_next(&walk)) {
		uint32_t row = r->functions.row_of[nodes[walk.node].function];
		/* A root that stands for no function is nobody's caller. */
		bool rootless = walk.depth > 1 && path[size - 1] == 1;
		int64_t values[3];

		if (walk.leaving)
			continue;
		path[size - walk.depth] = row + 1;
		values[0] = value_of(nodes[walk.node].calls);
		values[1] = value_of(r->costs.self[walk.node]);
		values[2] = value_of(report_has_kernel(r) ? r->kernel.self[walk.node] : 0);
		if (values[0] || values[1] || values[2])
			put_sample(p, walk.node, values, SAMPLE_RUNS, path + size - walk.depth,
				   walk.depth - rootless);
	}
	free(path);
}

/* Its id; put when it is a new one. */
static uint64_t location_of(struct pprof *p, uint32_t row, uint32_t line_number)
{
	struct location key = { row, line_number }, *location;
	Pprof__Line line = PPROF__LINE__INIT, *lines[] = { &line };
	Pprof__Location pprof_location = PPROF__LOCATION__INIT, *locations[] = { &pprof_location };
	Pprof__Profile fragment = PPROF__PROFILE__INIT;
	int err = tally_at(&p->locations, &key, &location);

	if (err) {
		p->err = p->err ? p->err : err;
		return 0;
	}
	if (location->id)
		return location->id;
	pprof_location.id = location->id = p->locations.count;
	line.function_id = row + 1;
	line.line = line_number;
	pprof_location.n_line = fragment.n_location = 1;
	pprof_location.line = lines;
	fragment.location = locations;
	put_fragment(p, &fragment);
	return pprof_location.id;
}

/* The line that all of a node's passages have. */
static int call_lines_find(struct pprof *p)
{
	const struct profile *profile = p->report->profile;
	bool *known = calloc(profile->node_count, sizeof(*known));

	p->call_lines = calloc(profile->node_count, sizeof(*p->call_lines));
	for (size_t i = 0; known && p->call_lines && i < profile->passage_count; i++) {
		const struct sink_passage *passage = &profile->passages[i];
		uint32_t *line = &p->call_lines[passage->node];

		*line = !known[passage->node] || *line == passage->line ? passage->line : 0;
		known[passage->node] = true;
	}
	free(known);
	return known && p->call_lines ? 0 : -ENOMEM;
}

static void put_leaves(struct pprof *p, const struct leaf *leaf, size_t count)
{
	const struct report *r = p->report;
	const struct profile_node *nodes = r->profile->nodes;
	size_t size = r->profile->node_count;
	uint64_t *path = calloc(size, sizeof(*path));
	struct call_walk walk = { &r->tree, nodes };
	uint32_t root = 0;

	p->err = path ? 0 : -ENOMEM;
	while (!p->err && count && call_walk_next(&walk)) {
		uint32_t row = r->functions.row_of[nodes[walk.node].function];
		bool rootless;

		if (walk.leaving)
			continue;
		root = walk.depth == 1 ? walk.node : root;
		rootless = walk.depth > 1 && !nodes[root].function;
		for (; count && leaf->node == walk.node; leaf++, count--) {
			int64_t values[] = { value_of(leaf->samples),
					     value_of(estimate_cost(leaf->samples,
								    r->profile->meta.period)) };

			path[size - walk.depth] = location_of(p, row, leaf->line);
			put_sample(p, walk.node, values, leaf->state, path + size - walk.depth,
				   walk.depth - rootless);
		}
		/* From here on it is a caller. */
		path[size - walk.depth] = location_of(p, row, p->call_lines[walk.node]);
	}
	free(path);
}

static void put_sampled(struct pprof *p)
{
	struct tally leaves = { 0 };

	p->err = call_lines_find(p);
	if (!p->err)
		p->err = leaves_compute(p->report, false, &leaves);
	if (!p->err)
		put_leaves(p, leaves.items, leaves.count);
	tally_clear(&leaves);
	tally_clear(&p->locations);
	free(p->call_lines);
}

static void put_endpoints(struct pprof *p)
{
	const struct profile *profile = p->report->profile;
	char text[REQUEST_FIELD_SIZE];

	for (size_t i = 1; !p->err && i < profile->requests.endpoint_count; i++) {
		endpoint_text(profile, i, text);
		put_strings(p, (char *[]){ text }, 1);
	}
}

int export_pprof(const struct report *r, FILE *out)
{
	struct pprof p = {
		.report = r,
		.out = out,
		.locations = { .item_size = sizeof(struct location),
			       .key_size = offsetof(struct location, id) },
	};

	if (deflateInit2(&p.gzip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	put_head(&p);
	for (size_t row = 0; row < r->functions.row_count; row++)
		put_row(&p, row);
	for (size_t i = 0; i < r->profile->process_count; i++)
		put_strings(&p, (char *[]){ (char *)r->profile->processes[i].comm }, 1);
	put_endpoints(&p);
	if (!p.err && report_is_sampled(r))
		put_sampled(&p);
	else if (!p.err)
		put_samples(&p);
	if (!p.err)
		compress_out(&p, NULL, 0, Z_FINISH);
	deflateEnd(&p.gzip);
	free(p.packed);
	return p.err;
}
