/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pprof's gzipped protobuf.  Protobuf messages that follow each other merge, so
 * the profile is packed in fragments and never as a whole in memory.
 *
 * Two values a call path: its calls and its own cost; with kernel mode, that too.  Every row is a function
 * and a location; the process is a label.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "pprof.pb-c.h"
#include "userspace/counter_share.h"
#include "userspace/export.h"

#define GZIP_WINDOW (15 + 16)
#define CHUNK_SIZE (64 << 10)

/* Fixed places in the string table; then two for each row, one for each process. */
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
	STRING_FIXED,
};

struct pprof {
	const struct report *report;
	FILE *out;
	z_stream gzip;
	uint8_t *packed;
	size_t capacity;
	int err; /* the first one; nothing is done after it */
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

static void put_fixed_strings(struct pprof *p)
{
	enum metric metric = p->report->profile->meta.metric;
	bool time = metric == METRIC_TASK_CLOCK;
	char share[128] = "";
	char *strings[STRING_FIXED] = {
		[STRING_EMPTY] = "",
		[STRING_CALLS] = "calls",
		[STRING_COUNT] = "count",
		[STRING_METRIC] = (char *)metric_name(metric),
		[STRING_UNIT] = time ? "nanoseconds" : (char *)metric_unit(metric),
		[STRING_COMMENT] = "pycost " PYCOST_VERSION ": exact counts, not samples",
		[STRING_NOTE] = share,
		[STRING_PID] = "pid",
		[STRING_THREAD] = "thread",
		[STRING_PROCESS] = "process",
		[STRING_KERNEL] = (char *)metric_kernel_name(metric),
	};

	counter_share_text(p->report->losses, share, sizeof(share));
	put_strings(p, strings, STRING_FIXED);
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
	fragment.period = 1;
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
	pprof_function.name = STRING_FIXED + 2 * row;
	pprof_function.filename = STRING_FIXED + 2 * row + 1;
	pprof_function.start_line = line.line = f->line;
	location.n_line = 1;
	location.line = lines;
	fragment.n_function = fragment.n_location = 1;
	fragment.function = functions;
	fragment.location = locations;
	fragment.n_string_table = 2;
	fragment.string_table = strings;
	put_fragment(p, &fragment);
}

static void put_sample(struct pprof *p, uint32_t node, uint64_t *path, size_t depth)
{
	const struct report *r = p->report;
	const struct profile_node *n = &r->profile->nodes[node];
	int64_t values[] = { value_of(n->calls), value_of(r->costs.self[node]),
			     value_of(report_has_kernel(r) ? r->kernel.self[node] : 0) };
	Pprof__Label pid = PPROF__LABEL__INIT, process = PPROF__LABEL__INIT;
	Pprof__Label thread = PPROF__LABEL__INIT;
	Pprof__Label *labels[] = { &pid, &process, &thread };
	Pprof__Sample sample = PPROF__SAMPLE__INIT, *samples[] = { &sample };
	Pprof__Profile fragment = PPROF__PROFILE__INIT;

	pid.key = STRING_PID;
	pid.num = r->profile->processes[n->process].pid;
	process.key = STRING_PROCESS;
	process.str = STRING_FIXED + 2 * r->functions.row_count + n->process;
	thread.key = STRING_THREAD;
	thread.num = n->tid;
	sample.n_location_id = depth;
	sample.location_id = path;
	sample.n_value = value_count(r);
	sample.value = values;
	sample.n_label = n->tid ? 3 : 2;
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

		if (walk.leaving)
			continue;
		path[size - walk.depth] = row + 1;
		if (nodes[walk.node].calls || r->costs.self[walk.node] ||
		    (report_has_kernel(r) && r->kernel.self[walk.node]))
			put_sample(p, walk.node, path + size - walk.depth,
				   walk.depth - rootless);
	}
	free(path);
}

int export_pprof(const struct report *r, FILE *out)
{
	struct pprof p = { .report = r, .out = out };

	if (deflateInit2(&p.gzip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	put_head(&p);
	for (size_t row = 0; row < r->functions.row_count; row++)
		put_row(&p, row);
	for (size_t i = 0; i < r->profile->process_count; i++)
		put_strings(&p, (char *[]){ (char *)r->profile->processes[i].comm }, 1);
	if (!p.err)
		put_samples(&p);
	if (!p.err)
		compress_out(&p, NULL, 0, Z_FINISH);
	deflateEnd(&p.gzip);
	free(p.packed);
	return p.err;
}
