/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Without memory, HASH_ADD leaves hh.tbl NULL instead of calling exit(). */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "userspace/estimate.h"
#include "userspace/profile.h"
#include "userspace/profile_keep.h"
#include "userspace/saturate.h"
#include "userspace/text.h"

/* Which of the processes a pid stands for now. */
struct profile_pid {
	uint32_t pid;
	uint32_t process;
	UT_hash_handle hh;
};

static struct profile *profile_of(struct sink *s)
{
	return (struct profile *)s;
}

int profile_grow(void *array, size_t count, size_t *capacity, size_t item_size)
{
	void **items = array;
	size_t wanted = *capacity + *capacity / 2 + 16;
	char *grown;

	if (count < *capacity)
		return 0;
	grown = reallocarray(*items, wanted, item_size);
	if (!grown)
		return -ENOMEM;
	memset(grown + count * item_size, 0, (wanted - count) * item_size);
	*items = grown;
	*capacity = wanted;
	return 0;
}

int profile_strings(struct profile *p, const char **const *strings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *s = *strings[i] ? *strings[i] : "";
		char *copy;

		if (!*s) {
			*strings[i] = "";
			continue;
		}
		copy = arena_alloc(&p->strings, text_repair(NULL, s));
		if (!copy)
			return -ENOMEM;
		text_repair(copy, s);
		*strings[i] = copy;
	}
	return 0;
}

static int profile_meta(struct sink *s, const struct sink_meta *meta)
{
	struct profile *p = profile_of(s);
	struct sink_meta kept = *meta;
	int err;

	if (p->has_meta || (meta->period && meta->kernel_mode) ||
	    (meta->no_functions && (!meta->requests || meta->period)))
		return -EINVAL;
	err = PROFILE_KEEP(p, &kept.host, &kept.kernel, &kept.version);
	if (err)
		return err;
	p->meta = kept;
	p->has_meta = true;
	return 0;
}

/* A calibration that is already known is a better measurement of it. */
static int profile_calibration_add(struct sink *s, const struct sink_calibration *c)
{
	struct profile *p = profile_of(s);
	struct sink_calibration kept = *c;
	int err;

	if (!c->id || c->id > p->calibration_count)
		return -EINVAL;
	err = profile_grow(&p->calibrations, p->calibration_count, &p->calibration_capacity,
			   sizeof(*p->calibrations));
	if (!err)
		err = PROFILE_KEEP(p, &kept.python, &kept.build_id);
	if (err)
		return err;
	p->calibrations[c->id] = kept;
	if (c->id == p->calibration_count)
		p->calibration_count++;
	return 0;
}

/*
 * The same pid again tells more about the process, unless it names another
 * interpreter: then the pid was reused or has called exec, and what was
 * measured until now keeps the old one.
 */
static bool process_is_same(const struct sink_process *old, const struct sink_process *p)
{
	return (!*old->exe || !strcmp(old->exe, p->exe)) &&
	       (!*old->python || !strcmp(old->python, p->python));
}

static int profile_process(struct sink *s, const struct sink_process *process)
{
	struct profile *p = profile_of(s);
	struct sink_process kept = *process;
	struct profile_pid *entry;
	int err = profile_grow(&p->processes, p->process_count, &p->process_capacity,
			       sizeof(*p->processes));

	if (!err)
		err = PROFILE_KEEP(p, &kept.comm, &kept.python, &kept.exe);
	if (err)
		return err;
	HASH_FIND(hh, p->pids, &kept.pid, sizeof(kept.pid), entry);
	if (entry && process_is_same(&p->processes[entry->process], &kept)) {
		p->processes[entry->process] = kept;
		return 0;
	}
	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return -ENOMEM;
		entry->pid = kept.pid;
		HASH_ADD(hh, p->pids, pid, sizeof(entry->pid), entry);
		if (!entry->hh.tbl) {
			free(entry);
			return -ENOMEM;
		}
	}
	entry->process = p->process_count;
	p->processes[p->process_count++] = kept;
	return 0;
}

static int profile_function(struct sink *s, const struct sink_function *f)
{
	struct profile *p = profile_of(s);
	struct sink_function kept = *f;
	int err;

	if (f->id != p->function_count)
		return -EINVAL;
	err = profile_grow(&p->functions, p->function_count, &p->function_capacity,
			   sizeof(*p->functions));
	if (!err)
		err = PROFILE_KEEP(p, &kept.name, &kept.qualname, &kept.class_name, &kept.module,
				   &kept.file, &kept.wraps);
	if (err)
		return err;
	p->functions[p->function_count++] = kept;
	return 0;
}

static int profile_node(struct sink *s, const struct sink_node *n)
{
	struct profile *p = profile_of(s);
	struct profile_pid *entry;
	int err;

	if (n->id != p->node_count || n->parent >= n->id || n->function >= p->function_count ||
	    (n->parent && (!n->function || n->endpoint)) ||
	    n->endpoint >= p->requests.endpoint_count)
		return -EINVAL;
	HASH_FIND(hh, p->pids, &n->pid, sizeof(n->pid), entry);
	if (!entry)
		return -EINVAL;
	err = profile_grow(&p->nodes, p->node_count, &p->node_capacity, sizeof(*p->nodes));
	if (err)
		return err;
	p->nodes[p->node_count++] = (struct profile_node){
		.parent = n->parent,
		.function = n->function,
		.process = entry->process,
		/* Told of a thread's root alone. */
		.tid = n->tid ? n->tid : p->nodes[n->parent].tid,
		.endpoint = n->parent ? p->nodes[n->parent].endpoint : n->endpoint,
	};
	return 0;
}

static int profile_cost(struct sink *s, const struct sink_cost *c)
{
	struct profile *p = profile_of(s);
	struct profile_node *node;

	if (!c->node || c->node >= p->node_count || p->meta.period ||
	    p->meta.no_functions)
		return -EINVAL;
	node = &p->nodes[c->node];
	node->calls = saturating_add(node->calls, c->calls);
	node->self_raw = saturating_add(node->self_raw, c->self);
	node->search_self = saturating_add_signed(node->search_self, c->search_self);
	node->search_caller = saturating_add_signed(node->search_caller, c->search_caller);
	node->kernel_raw = saturating_add(node->kernel_raw, c->kernel_self);
	node->lone_self = saturating_add_signed(node->lone_self, c->lone_self);
	node->lone_caller = saturating_add_signed(node->lone_caller, c->lone_caller);
	return 0;
}

static int profile_native(struct sink *s, const struct sink_native *n)
{
	struct profile *p = profile_of(s);
	struct sink_native kept = *n;
	int err;

	if (!p->meta.period || n->id != p->native_count || n->parent >= n->id)
		return -EINVAL;
	err = profile_grow(&p->natives, p->native_count, &p->native_capacity, sizeof(*p->natives));
	if (!err)
		err = PROFILE_KEEP(p, &kept.symbol, &kept.object);
	if (err)
		return err;
	p->natives[p->native_count++] = kept;
	return 0;
}

/* Keys are compared as bytes. */
_Static_assert(offsetof(struct sink_sample, count) == 3 * 4 + 2 + 1 + 1, "no padding");

static int profile_sample(struct sink *s, const struct sink_sample *c)
{
	struct profile *p = profile_of(s);
	struct profile_node *node;
	struct sink_sample *kept;
	int err;

	if (!p->meta.period || !c->node || c->node >= p->node_count ||
	    c->native >= p->native_count || c->state >= SAMPLE_STATES || !c->count)
		return -EINVAL;
	err = tally_at(&p->sample_tally, c, &kept);
	if (err)
		return err;
	kept->count = saturating_add(kept->count, c->count);
	p->samples = p->sample_tally.items;
	p->sample_count = p->sample_tally.count;
	node = &p->nodes[c->node];
	node->samples = saturating_add(node->samples, c->count);
	node->self_raw = saturating_add(node->self_raw, estimate_cost(c->count, p->meta.period));
	return 0;
}

static int profile_passage(struct sink *s, const struct sink_passage *c)
{
	struct profile *p = profile_of(s);
	struct sink_passage *kept;
	int err;

	if (!p->meta.period || !c->node || c->node >= p->node_count || !c->count)
		return -EINVAL;
	err = tally_at(&p->passage_tally, c, &kept);
	if (err)
		return err;
	kept->count = saturating_add(kept->count, c->count);
	p->passages = p->passage_tally.items;
	p->passage_count = p->passage_tally.count;
	return 0;
}

static int profile_loss(struct sink *s, enum loss loss, uint64_t total)
{
	if (!loss_name(loss))
		return -EINVAL;
	profile_of(s)->losses[loss] = total;
	return 0;
}

static int profile_flush(struct sink *s, uint64_t duration_ns)
{
	profile_of(s)->duration_ns = duration_ns;
	return 0;
}

static int profile_end(struct sink *s, uint64_t duration_ns)
{
	profile_of(s)->ended = true;
	return profile_flush(s, duration_ns);
}

static const struct sink profile_sink = {
	.meta = profile_meta,
	.calibration = profile_calibration_add,
	.process = profile_process,
	.function = profile_function,
	.node = profile_node,
	.cost = profile_cost,
	.native = profile_native,
	.sample = profile_sample,
	.passage = profile_passage,
	.tags = profile_tags,
	.common_tags = profile_common_tags,
	.endpoint = profile_endpoint,
	.backend = profile_backend,
	.group = profile_group,
	.requests = profile_requests_add,
	.phase = profile_phase,
	.worker = profile_worker,
	.import = profile_import,
	.collection = profile_collection_add,
	.loss = profile_loss,
	.flush = profile_flush,
	.end = profile_end,
};

int profile_create(struct profile **ret)
{
	static const struct sink_calibration no_calibration = { .python = "", .build_id = "" };
	static const struct sink_function no_function = { .name = "",	.qualname = "",
							  .class_name = "", .module = "",
							  .file = "",	.wraps = "" };
	static const struct sink_native no_native = { .symbol = "", .object = "" };
	struct profile *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->sink = profile_sink;
	/* Their keys are all that is before the count. */
	p->sample_tally = (struct tally){ .item_size = sizeof(struct sink_sample),
					  .key_size = offsetof(struct sink_sample, count) };
	p->passage_tally = (struct tally){ .item_size = sizeof(struct sink_passage),
					   .key_size = offsetof(struct sink_passage, count) };
	p->meta = (struct sink_meta){ .host = "", .kernel = "", .version = "" };
	if (profile_requests_init(&p->requests) ||
	    profile_grow(&p->calibrations, 0, &p->calibration_capacity, sizeof(*p->calibrations)) ||
	    profile_grow(&p->functions, 0, &p->function_capacity, sizeof(*p->functions)) ||
	    profile_grow(&p->nodes, 0, &p->node_capacity, sizeof(*p->nodes)) ||
	    profile_grow(&p->natives, 0, &p->native_capacity, sizeof(*p->natives))) {
		profile_free(p);
		return -ENOMEM;
	}
	p->calibrations[0] = no_calibration;
	p->functions[0] = no_function;
	p->natives[0] = no_native;
	p->calibration_count = p->function_count = p->node_count = p->native_count = 1;
	*ret = p;
	return 0;
}

void profile_free(struct profile *p)
{
	struct profile_pid *entry, *tmp;

	if (!p)
		return;
	HASH_ITER(hh, p->pids, entry, tmp) {
		HASH_DEL(p->pids, entry);
		free(entry);
	}
	profile_requests_clear(&p->requests);
	arena_free(&p->strings);
	free(p->calibrations);
	free(p->functions);
	free(p->nodes);
	free(p->processes);
	free(p->natives);
	tally_clear(&p->sample_tally);
	tally_clear(&p->passage_tally);
	free(p);
}

void profile_zero(struct profile *p)
{
	for (size_t i = 0; i < p->node_count; i++) {
		struct profile_node *n = &p->nodes[i];

		n->calls = n->self_raw = n->kernel_raw = n->samples = 0;
		n->search_self = n->search_caller = n->lone_self = n->lone_caller = 0;
	}
	tally_empty(&p->sample_tally);
	tally_empty(&p->passage_tally);
	p->sample_count = p->passage_count = 0;
}

const struct sink_calibration *profile_calibration(const struct profile *p,
						   const struct sink_process *process)
{
	uint32_t id = process->calibration;

	return &p->calibrations[id < p->calibration_count ? id : 0];
}
