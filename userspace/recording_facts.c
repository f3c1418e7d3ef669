/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/recording_facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/recording_format.h"

/* A cost per call that the correction can compute with. */
static double take_overhead(struct cursor *c)
{
	double value = take_double(c);

	if (!overhead_is_valid(value))
		c->bad = true;
	return value;
}

int take_strings(struct facts *r, struct cursor *c, const char **ret, size_t count)
{
	size_t used = 0;
	/* No string outgrows the payload, so this never moves them halfway. */
	size_t needed = (c->end - c->at) + count;

	if (needed > count * (RECORDING_STRING_MAX + 1))
		needed = count * (RECORDING_STRING_MAX + 1);
	if (r->strings_size < needed) {
		char *strings = realloc(r->strings, needed);

		if (!strings)
			return -ENOMEM;
		r->strings = strings;
		r->strings_size = needed;
	}
	for (size_t i = 0; i < count; i++) {
		uint64_t size = take_varint(c);

		ret[i] = "";
		if (size > RECORDING_STRING_MAX || size > (size_t)(c->end - c->at) ||
		    memchr(c->at, 0, size))
			c->bad = true;
		if (c->bad)
			return 0;
		memcpy(r->strings + used, c->at, size);
		ret[i] = r->strings + used;
		used += size;
		r->strings[used++] = 0;
		c->at += size;
	}
	return 0;
}

/* The last fields of the meta fact. */
static void take_period(struct facts *r, struct cursor *c, struct sink_meta *meta)
{
	meta->period = take_varint(c);
	if (r->version < 3 || !meta->period || meta->kernel_mode)
		c->bad = true;
}

static void take_budget(struct facts *r, struct cursor *c, struct sink_meta *meta)
{
	meta->budget = take_u32(c);
	if (r->version < 5 || !meta->budget || !meta->requests)
		c->bad = true;
}

/*
 * One function a fact: they take its fields, and hand it over only when the
 * cursor is still good.  A fact that breaks the contract sets c->bad too.
 */
static int read_meta(struct facts *r, struct cursor *c)
{
	struct sink_meta meta = { .metric = take_u32(c) };
	uint32_t flags = take_u32(c);
	const char *s[3];
	int err;

	meta.start_realtime_ns = take_varint(c);
	err = take_strings(r, c, s, 3);
	if (err)
		return err;
	meta.user_only = flags & META_USER_ONLY;
	meta.metric_fallback = flags & META_METRIC_FALLBACK;
	meta.per_thread = flags & META_PER_THREAD;
	meta.kernel_mode = flags & META_KERNEL_MODE;
	meta.requests = flags & META_REQUESTS;
	meta.no_functions = flags & META_NO_FUNCTIONS;
	if (flags & META_SAMPLED)
		take_period(r, c, &meta);
	if (flags & META_BUDGET)
		take_budget(r, c, &meta);
	if ((meta.requests && r->version < 4) ||
	    (meta.no_functions && (!meta.requests || meta.period)))
		c->bad = true;
	if (r->has_meta || meta.metric < METRIC_INSTRUCTIONS || meta.metric > METRIC_TASK_CLOCK ||
	    flags & ~META_FLAGS ||
	    (meta.kernel_mode && (r->version < 2 || meta.metric == METRIC_TASK_CLOCK)))
		c->bad = true;
	if (c->bad)
		return 0;
	r->has_meta = true;
	r->kernel_mode = meta.kernel_mode;
	r->sampled = meta.period;
	r->requests = meta.requests;
	r->no_functions = meta.no_functions;
	r->ids.phases = meta.budget;
	meta.host = s[0];
	meta.kernel = s[1];
	meta.version = s[2];
	return r->to->meta(r->to, &meta);
}

static void take_kernel_overheads(struct cursor *c, struct sink_calibration *ret)
{
	ret->kernel_entry = take_overhead(c);
	ret->kernel_exit = take_overhead(c);
	ret->kernel_entry_error = take_overhead(c);
	ret->kernel_exit_error = take_overhead(c);
	ret->kernel_total_error = take_overhead(c);
}

static int read_calibration(struct facts *r, struct cursor *c)
{
	struct sink_calibration calibration = { .id = take_u32(c) };
	const char *s[2];
	int err = take_strings(r, c, s, 2);

	if (err)
		return err;
	calibration.python = s[0];
	calibration.build_id = s[1];
	calibration.entry = take_overhead(c);
	calibration.exit = take_overhead(c);
	calibration.entry_error = take_overhead(c);
	calibration.exit_error = take_overhead(c);
	calibration.total_error = take_overhead(c);
	calibration.plain = take_overhead(c);
	if (r->version >= 2)
		calibration.search_error = take_overhead(c);
	if (r->kernel_mode)
		take_kernel_overheads(c, &calibration);
	return c->bad ? 0 : r->to->calibration(r->to, &calibration);
}

static int read_process(struct facts *r, struct cursor *c)
{
	struct sink_process process = { .pid = take_u32(c) };
	const char *s[3];
	int err;

	process.ppid = take_u32(c);
	process.calibration = take_u32(c);
	err = take_strings(r, c, s, 3);
	if (err)
		return err;
	process.comm = s[0];
	process.python = s[1];
	process.exe = s[2];
	return c->bad ? 0 : r->to->process(r->to, &process);
}

static int read_function(struct facts *r, struct cursor *c)
{
	struct sink_function f = { .line = take_u32(c) };
	uint32_t unresolved = take_u32(c);
	const char *s[6];
	int err = take_strings(r, c, s, 6);

	if (err)
		return err;
	if (unresolved > 1 || r->functions == UINT32_MAX)
		c->bad = true;
	if (c->bad)
		return 0;
	f.id = ++r->functions;
	f.unresolved = unresolved;
	f.name = s[0];
	f.qualname = s[1];
	f.class_name = s[2];
	f.module = s[3];
	f.file = s[4];
	f.wraps = s[5];
	return r->to->function(r->to, &f);
}

static int read_node(struct facts *r, struct cursor *c)
{
	uint32_t distance = take_u32(c);
	struct sink_node node = { .function = take_u32(c) };

	node.pid = take_u32(c);
	node.tid = take_u32(c);
	if (r->requests)
		node.endpoint = take_u32(c);
	if (distance > r->nodes || node.function > r->functions || r->nodes == UINT32_MAX ||
	    node.endpoint > r->ids.endpoints || (distance && node.endpoint))
		c->bad = true;
	if (c->bad)
		return 0;
	node.id = ++r->nodes;
	node.parent = distance ? node.id - distance : 0;
	return r->to->node(r->to, &node);
}

static int read_cost(struct facts *r, struct cursor *c)
{
	struct sink_cost cost = { .node = take_u32(c) };

	cost.calls = take_varint(c);
	cost.self = take_varint(c);
	if (r->kernel_mode)
		cost.kernel_self = take_varint(c);
	if (!cost.node || cost.node > r->nodes || r->sampled || r->no_functions)
		c->bad = true;
	return c->bad ? 0 : r->to->cost(r->to, &cost);
}

static int read_search(struct facts *r, struct cursor *c)
{
	struct sink_cost cost = { .node = take_u32(c) };

	cost.search_self = unzigzag(take_varint(c));
	cost.search_caller = unzigzag(take_varint(c));
	if (!cost.node || cost.node > r->nodes || r->sampled)
		c->bad = true;
	return c->bad ? 0 : r->to->cost(r->to, &cost);
}

static int read_lone(struct facts *r, struct cursor *c)
{
	struct sink_cost cost = { .node = take_u32(c) };

	cost.lone_self = unzigzag(take_varint(c));
	cost.lone_caller = unzigzag(take_varint(c));
	if (!cost.node || cost.node > r->nodes || !r->kernel_mode)
		c->bad = true;
	return c->bad ? 0 : r->to->cost(r->to, &cost);
}

static int read_loss(struct facts *r, struct cursor *c)
{
	uint32_t loss = take_u32(c);
	uint64_t total = take_varint(c);

	if (!loss || loss >= LOSS_MAX)
		c->bad = true;
	return c->bad ? 0 : r->to->loss(r->to, loss, total);
}

static int read_native(struct facts *r, struct cursor *c)
{
	uint32_t distance = take_u32(c);
	struct sink_native native = { 0 };
	const char *s[2];
	int err = take_strings(r, c, s, 2);

	if (err)
		return err;
	if (distance > r->natives || r->natives == UINT32_MAX)
		c->bad = true;
	if (c->bad)
		return 0;
	native.id = ++r->natives;
	native.parent = distance ? native.id - distance : 0;
	native.symbol = s[0];
	native.object = s[1];
	return r->to->native(r->to, &native);
}

static int read_sample(struct facts *r, struct cursor *c)
{
	struct sink_sample sample = { .node = take_u32(c) };
	uint32_t opcode, state, in_kernel;

	sample.line = take_u32(c);
	sample.native = take_u32(c);
	opcode = take_u32(c);
	state = take_u32(c);
	in_kernel = take_u32(c);
	sample.count = take_varint(c);
	if (!sample.node || sample.node > r->nodes || sample.native > r->natives ||
	    opcode > SINK_NO_OPCODE || state >= SAMPLE_STATES || in_kernel > 1 || !sample.count)
		c->bad = true;
	if (c->bad)
		return 0;
	sample.opcode = opcode ? opcode - 1 : SINK_NO_OPCODE;
	sample.state = state;
	sample.in_kernel = in_kernel;
	return r->to->sample(r->to, &sample);
}

static int read_passage(struct facts *r, struct cursor *c)
{
	struct sink_passage passage = { .node = take_u32(c) };

	passage.line = take_u32(c);
	passage.count = take_varint(c);
	if (!passage.node || passage.node > r->nodes || !passage.count)
		c->bad = true;
	return c->bad ? 0 : r->to->passage(r->to, &passage);
}

static int (*const fact_readers[])(struct facts *, struct cursor *) = {
	[FACT_META] = read_meta,	 [FACT_CALIBRATION] = read_calibration,
	[FACT_PROCESS] = read_process,	 [FACT_FUNCTION] = read_function,
	[FACT_NODE] = read_node,	 [FACT_COST] = read_cost,
	[FACT_LOSS] = read_loss,	 [FACT_SEARCH] = read_search,
	[FACT_LONE] = read_lone,	 [FACT_NATIVE] = read_native,
	[FACT_SAMPLE] = read_sample,	 [FACT_PASSAGE] = read_passage,
	[FACT_TAGS] = read_tags,	 [FACT_COMMON_TAGS] = read_common_tags,
	[FACT_ENDPOINT] = read_endpoint, [FACT_BACKEND] = read_backend,
	[FACT_GROUP] = read_group,	 [FACT_REQUESTS] = read_requests,
	[FACT_WORKER] = read_worker,	 [FACT_IMPORT] = read_import,
	[FACT_COLLECTION] = read_collection, [FACT_PHASE] = read_phase,
};

bool fact_is_known(uint64_t type)
{
	return type < sizeof(fact_readers) / sizeof(*fact_readers) && fact_readers[type];
}

int fact_read(struct facts *r, uint64_t type, struct cursor *c)
{
	int err;

	if (type >= FACT_TAGS ? !r->requests : type >= FACT_NATIVE && !r->sampled)
		return -EPROTO;
	err = fact_readers[type](r, c);
	return err ? err : c->bad ? -EPROTO : 0;
}

void facts_clear(struct facts *r)
{
	free(r->strings);
	r->strings = NULL;
}
