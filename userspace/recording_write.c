/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sink -> file.  Nodes and functions are written once and forgotten, only their
 * counts are kept.
 */
#include <errno.h>
#include <stdlib.h>

#include "userspace/bytes.h"
#include "userspace/recording.h"
#include "userspace/recording_block.h"
#include "userspace/recording_requests.h"

struct recording {
	struct sink sink; /* first */
	struct block block;
	bool ended;
	/* Told so far: what would be refused by the reader is refused here. */
	uint32_t calibrations;
	uint32_t functions;
	uint32_t nodes;
	uint32_t natives;
	struct request_ids ids;
	bool kernel_mode, sampled, requests, no_functions;
};

static struct recording *recording_of(struct sink *s)
{
	return (struct recording *)s;
}

static int fact_begin(struct recording *r, enum fact_type type, size_t size)
{
	return r->ended && !r->block.error ? -EINVAL : block_fact(&r->block, type, size);
}

static void add_varint(struct recording *r, uint64_t value)
{
	block_varint(&r->block, value);
}

static void add_double(struct recording *r, double value)
{
	block_double(&r->block, value);
}

static void add_strings(struct recording *r, const char *const *strings, size_t count)
{
	block_strings(&r->block, strings, count);
}

static int recording_meta(struct sink *s, const struct sink_meta *meta)
{
	struct recording *r = recording_of(s);
	const char *strings[] = { meta->host, meta->kernel, meta->version };
	int err;

	if ((meta->kernel_mode && (meta->metric == METRIC_TASK_CLOCK || meta->period)) ||
	    (meta->no_functions && (!meta->requests || meta->period)) ||
	    (meta->budget && !meta->requests))
		return -EINVAL;
	err = fact_begin(r, FACT_META, 5 * VARINT_MAX + block_strings_size(strings, 3));
	if (err)
		return err;
	add_varint(r, meta->metric);
	add_varint(r, (meta->user_only ? META_USER_ONLY : 0) |
			      (meta->metric_fallback ? META_METRIC_FALLBACK : 0) |
			      (meta->per_thread ? META_PER_THREAD : 0) |
			      (meta->kernel_mode ? META_KERNEL_MODE : 0) |
			      (meta->period ? META_SAMPLED : 0) |
			      (meta->requests ? META_REQUESTS : 0) |
			      (meta->no_functions ? META_NO_FUNCTIONS : 0) |
			      (meta->budget ? META_BUDGET : 0));
	add_varint(r, meta->start_realtime_ns);
	add_strings(r, strings, 3);
	if (meta->period)
		add_varint(r, meta->period);
	if (meta->budget)
		add_varint(r, meta->budget);
	r->kernel_mode = meta->kernel_mode;
	r->sampled = meta->period;
	r->requests = meta->requests;
	r->no_functions = meta->no_functions;
	r->ids.phases = meta->budget;
	return 0;
}

static bool kernel_overheads_are_valid(const struct sink_calibration *c)
{
	return overhead_is_valid(c->kernel_entry) && overhead_is_valid(c->kernel_exit) &&
	       overhead_is_valid(c->kernel_entry_error) &&
	       overhead_is_valid(c->kernel_exit_error) && overhead_is_valid(c->kernel_total_error);
}

#define KERNEL_OVERHEADS 5

static void add_kernel_overheads(struct recording *r, const struct sink_calibration *c)
{
	if (!r->kernel_mode)
		return;
	add_double(r, c->kernel_entry);
	add_double(r, c->kernel_exit);
	add_double(r, c->kernel_entry_error);
	add_double(r, c->kernel_exit_error);
	add_double(r, c->kernel_total_error);
}

static int recording_calibration(struct sink *s, const struct sink_calibration *c)
{
	struct recording *r = recording_of(s);
	const char *strings[] = { c->python, c->build_id };
	int err;

	if (!c->id || c->id > r->calibrations + 1 || !overhead_is_valid(c->entry) ||
	    !overhead_is_valid(c->exit) || !overhead_is_valid(c->entry_error) ||
	    !overhead_is_valid(c->exit_error) || !overhead_is_valid(c->total_error) ||
	    !overhead_is_valid(c->plain) || !overhead_is_valid(c->search_error) ||
	    !kernel_overheads_are_valid(c))
		return -EINVAL;
	err = fact_begin(r, FACT_CALIBRATION,
			 VARINT_MAX + block_strings_size(strings, 2) +
				 (7 + KERNEL_OVERHEADS) * sizeof(double));
	if (err)
		return err;
	if (c->id > r->calibrations)
		r->calibrations = c->id;
	add_varint(r, c->id);
	add_strings(r, strings, 2);
	add_double(r, c->entry);
	add_double(r, c->exit);
	add_double(r, c->entry_error);
	add_double(r, c->exit_error);
	add_double(r, c->total_error);
	add_double(r, c->plain);
	add_double(r, c->search_error);
	add_kernel_overheads(r, c);
	return 0;
}

static int recording_process(struct sink *s, const struct sink_process *p)
{
	struct recording *r = recording_of(s);
	const char *strings[] = { p->comm, p->python, p->exe };
	int err = fact_begin(r, FACT_PROCESS, 3 * VARINT_MAX + block_strings_size(strings, 3));

	if (err)
		return err;
	add_varint(r, p->pid);
	add_varint(r, p->ppid);
	add_varint(r, p->calibration);
	add_strings(r, strings, 3);
	return 0;
}

static int recording_function(struct sink *s, const struct sink_function *f)
{
	struct recording *r = recording_of(s);
	const char *strings[] = { f->name,   f->qualname, f->class_name,
				  f->module, f->file,	  f->wraps };
	int err;

	if (f->id != r->functions + 1)
		return -EINVAL;
	err = fact_begin(r, FACT_FUNCTION, 2 * VARINT_MAX + block_strings_size(strings, 6));
	if (err)
		return err;
	r->functions = f->id;
	add_varint(r, f->line);
	add_varint(r, f->unresolved);
	add_strings(r, strings, 6);
	return 0;
}

static int recording_node(struct sink *s, const struct sink_node *n)
{
	struct recording *r = recording_of(s);
	int err;

	if (n->id != r->nodes + 1 || n->parent >= n->id || n->function > r->functions ||
	    (n->parent && (!n->function || n->endpoint)) || n->endpoint > r->ids.endpoints)
		return -EINVAL;
	err = fact_begin(r, FACT_NODE, 5 * VARINT_MAX);
	if (err)
		return err;
	r->nodes = n->id;
	add_varint(r, n->parent ? n->id - n->parent : 0);
	add_varint(r, n->function);
	add_varint(r, n->pid);
	add_varint(r, n->tid);
	if (r->requests)
		add_varint(r, n->endpoint);
	return 0;
}

/* Of most nodes, most of the time, there is none. */
static int recording_search(struct recording *r, const struct sink_cost *c)
{
	int err = fact_begin(r, FACT_SEARCH, 3 * VARINT_MAX);

	if (err)
		return err;
	add_varint(r, c->node);
	add_varint(r, zigzag(c->search_self));
	add_varint(r, zigzag(c->search_caller));
	return 0;
}

/* Likewise. */
static int recording_lone(struct recording *r, const struct sink_cost *c)
{
	int err;

	if (!r->kernel_mode || (!c->lone_self && !c->lone_caller))
		return 0;
	err = fact_begin(r, FACT_LONE, 3 * VARINT_MAX);
	if (err)
		return err;
	add_varint(r, c->node);
	add_varint(r, zigzag(c->lone_self));
	add_varint(r, zigzag(c->lone_caller));
	return 0;
}

static int recording_cost(struct sink *s, const struct sink_cost *c)
{
	struct recording *r = recording_of(s);
	int err;

	if (!c->node || c->node > r->nodes || r->sampled || r->no_functions)
		return -EINVAL;
	err = fact_begin(r, FACT_COST, 4 * VARINT_MAX);
	if (err)
		return err;
	add_varint(r, c->node);
	add_varint(r, c->calls);
	add_varint(r, c->self);
	if (r->kernel_mode)
		add_varint(r, c->kernel_self);
	err = c->search_self || c->search_caller ? recording_search(r, c) : 0;
	return err ? err : recording_lone(r, c);
}

static int recording_native(struct sink *s, const struct sink_native *n)
{
	struct recording *r = recording_of(s);
	const char *strings[] = { n->symbol, n->object };
	int err;

	if (!r->sampled || n->id != r->natives + 1 || n->parent >= n->id)
		return -EINVAL;
	err = fact_begin(r, FACT_NATIVE, VARINT_MAX + block_strings_size(strings, 2));
	if (err)
		return err;
	r->natives = n->id;
	add_varint(r, n->parent ? n->id - n->parent : 0);
	add_strings(r, strings, 2);
	return 0;
}

static int recording_sample(struct sink *s, const struct sink_sample *c)
{
	struct recording *r = recording_of(s);
	int err;

	if (!r->sampled || !c->node || c->node > r->nodes || c->native > r->natives ||
	    c->state >= SAMPLE_STATES || !c->count)
		return -EINVAL;
	err = fact_begin(r, FACT_SAMPLE, 7 * VARINT_MAX);
	if (err)
		return err;
	add_varint(r, c->node);
	add_varint(r, c->line);
	add_varint(r, c->native);
	add_varint(r, c->opcode == SINK_NO_OPCODE ? 0 : c->opcode + 1);
	add_varint(r, c->state);
	add_varint(r, c->in_kernel);
	add_varint(r, c->count);
	return 0;
}

static int recording_passage(struct sink *s, const struct sink_passage *c)
{
	struct recording *r = recording_of(s);
	int err;

	if (!r->sampled || !c->node || c->node > r->nodes || !c->count)
		return -EINVAL;
	err = fact_begin(r, FACT_PASSAGE, 3 * VARINT_MAX);
	if (err)
		return err;
	add_varint(r, c->node);
	add_varint(r, c->line);
	add_varint(r, c->count);
	return 0;
}

/* May a fact of requests follow? */
static int requests_check(const struct recording *r)
{
	return !r->requests || (r->ended && !r->block.error) ? -EINVAL : r->block.error;
}

#define REQUEST_FACT(name, type)                                                          \
	static int recording_##name(struct sink *s, const type *fact)                     \
	{                                                                                 \
		struct recording *r = recording_of(s);                                    \
		int err = requests_check(r);                                              \
                                                                                          \
		return err ? err : block_##name(&r->block, &r->ids, fact);                \
	}
REQUEST_FACT(tags, struct sink_tags)
REQUEST_FACT(endpoint, struct sink_endpoint)
REQUEST_FACT(backend, struct sink_backend)
REQUEST_FACT(group, struct sink_group)
REQUEST_FACT(requests, struct sink_requests)
REQUEST_FACT(phase, struct sink_phase)
REQUEST_FACT(worker, struct sink_worker)
#undef REQUEST_FACT

static int recording_common_tags(struct sink *s, uint32_t tags)
{
	struct recording *r = recording_of(s);
	int err = requests_check(r);

	return err ? err : block_common_tags(&r->block, &r->ids, tags);
}

static int recording_import(struct sink *s, const struct sink_import *i)
{
	struct recording *r = recording_of(s);
	int err = i->function > r->functions ? -EINVAL : requests_check(r);

	return err ? err : block_import(&r->block, &r->ids, i);
}

static int recording_collection(struct sink *s, const struct sink_collection *c)
{
	struct recording *r = recording_of(s);
	int err = c->function > r->functions ? -EINVAL : requests_check(r);

	return err ? err : block_collection(&r->block, &r->ids, c);
}

static int recording_loss(struct sink *s, enum loss loss, uint64_t total)
{
	struct recording *r = recording_of(s);
	int err;

	if (!loss_name(loss))
		return -EINVAL;
	err = fact_begin(r, FACT_LOSS, 2 * VARINT_MAX);
	if (err)
		return err;
	add_varint(r, loss);
	add_varint(r, total);
	return 0;
}

static int recording_flush(struct sink *s, uint64_t duration_ns)
{
	struct recording *r = recording_of(s);

	return r->ended ? -EINVAL : block_end(&r->block, BLOCK_FLUSH, duration_ns);
}

static int recording_end(struct sink *s, uint64_t duration_ns)
{
	struct recording *r = recording_of(s);

	if (r->ended)
		return -EINVAL;
	r->ended = true;
	return block_end(&r->block, BLOCK_END, duration_ns);
}

static const struct sink recording_sink = {
	.meta = recording_meta,
	.calibration = recording_calibration,
	.process = recording_process,
	.function = recording_function,
	.node = recording_node,
	.cost = recording_cost,
	.native = recording_native,
	.sample = recording_sample,
	.passage = recording_passage,
	.tags = recording_tags,
	.common_tags = recording_common_tags,
	.endpoint = recording_endpoint,
	.backend = recording_backend,
	.group = recording_group,
	.requests = recording_requests,
	.phase = recording_phase,
	.worker = recording_worker,
	.import = recording_import,
	.collection = recording_collection,
	.loss = recording_loss,
	.flush = recording_flush,
	.end = recording_end,
};

int recording_create(const char *path, struct sink **ret)
{
	struct recording *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->sink = recording_sink;
	err = block_open(path, &r->block);
	if (err) {
		recording_close(&r->sink);
		return err;
	}
	*ret = &r->sink;
	return 0;
}

int recording_close(struct sink *s)
{
	struct recording *r = recording_of(s);
	int err;

	if (!r)
		return 0;
	err = block_close(&r->block);
	free(r);
	return err;
}
