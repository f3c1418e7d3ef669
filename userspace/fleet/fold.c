/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/fleet/fold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "userspace/estimate.h"
#include "userspace/fleet/fold_parts.h"
#include "userspace/saturate.h"

#define SLICES_DEFAULT 1000
#define VALUES_DEFAULT 100
#define ENDPOINTS_DEFAULT 500
#define COSTS_DEFAULT 100000
#define PATHS_DEFAULT 20000
#define SHARE_DEFAULT 0.001
#define PHASE_PATIENCE_NS (10 * 1000000000ull)

static const char *const users_default[] = { "user", "user_hash" };

static struct fold *fold_of(struct sink *s)
{
	return (struct fold *)s;
}

static struct sink *profile_of(struct sink *s)
{
	return &fold_of(s)->profile->sink;
}

static uint64_t minute_of(const struct fold *f, uint64_t duration_ns)
{
	uint64_t s = saturating_add(f->profile->meta.start_realtime_ns, duration_ns) / 1000000000;

	/* No clock is right that says more. */
	s = s < UINT32_MAX ? s : UINT32_MAX;
	return s - s % BATCH_SECONDS;
}

static int fold_meta(struct sink *s, const struct sink_meta *meta)
{
	int err = profile_of(s)->meta(profile_of(s), meta);

	if (!err)
		fold_of(s)->begin_s = minute_of(fold_of(s), 0);
	return err;
}

static int fold_calibration(struct sink *s, const struct sink_calibration *c)
{
	const struct fold_options *o = &fold_of(s)->o;

	for (size_t i = 0; i < o->calibration_count; i++)
		if (o->calibrations[i].id == c->id)
			c = &o->calibrations[i];
	return profile_of(s)->calibration(profile_of(s), c);
}

static int fold_process(struct sink *s, const struct sink_process *p)
{
	return profile_of(s)->process(profile_of(s), p);
}

static int fold_function(struct sink *s, const struct sink_function *f)
{
	int err = profile_of(s)->function(profile_of(s), f);

	return err ? err : fold_names_function(fold_of(s), f->id);
}

static int fold_node(struct sink *s, const struct sink_node *n)
{
	struct sink_node own = *n;
	int err = fold_views_node(fold_of(s), &own);

	if (!err)
		err = profile_of(s)->node(profile_of(s), &own);
	return err || own.parent ? err : fold_costs_root(fold_of(s), &own);
}

static int fold_cost(struct sink *s, const struct sink_cost *c)
{
	return profile_of(s)->cost(profile_of(s), c);
}

/* Lines, opcodes and native functions stay where they were measured. */
static int fold_native(struct sink *s, const struct sink_native *n)
{
	return 0;
}

static int fold_sample(struct sink *s, const struct sink_sample *c)
{
	struct profile *p = fold_of(s)->profile;
	uint32_t id = fold_views_id(fold_of(s), c->node);
	struct profile_node *node;

	if (!p->meta.period || !id || id >= p->node_count || !c->count)
		return -EINVAL;
	node = &p->nodes[id];
	node->samples = saturating_add(node->samples, c->count);
	node->self_raw = saturating_add(node->self_raw, estimate_cost(c->count, p->meta.period));
	return 0;
}

static int fold_passage(struct sink *s, const struct sink_passage *c)
{
	return 0;
}

static int fold_tags(struct sink *s, const struct sink_tags *t)
{
	return profile_of(s)->tags(profile_of(s), t);
}

static int fold_common_tags(struct sink *s, uint32_t tags)
{
	return profile_of(s)->common_tags(profile_of(s), tags);
}

static int fold_endpoint(struct sink *s, const struct sink_endpoint *e)
{
	return profile_of(s)->endpoint(profile_of(s), e);
}

static int fold_backend(struct sink *s, const struct sink_backend *b)
{
	return profile_of(s)->backend(profile_of(s), b);
}

static int fold_group(struct sink *s, const struct sink_group *g)
{
	return fold_requests_group(fold_of(s), g);
}

static int fold_requests(struct sink *s, const struct sink_requests *r)
{
	return fold_requests_add(fold_of(s), r);
}

static int fold_phase(struct sink *s, const struct sink_phase *p)
{
	return fold_requests_phase(fold_of(s), p);
}

static int fold_worker_told(struct sink *s, const struct sink_worker *w)
{
	return fold_worker(fold_of(s), w);
}

static int fold_loss(struct sink *s, enum loss loss, uint64_t total)
{
	return profile_of(s)->loss(profile_of(s), loss, total);
}

/* Sums of these are among those of requests; by function nobody asks a fleet for them. */
static int fold_import(struct sink *s, const struct sink_import *i)
{
	return 0;
}

static int fold_collection(struct sink *s, const struct sink_collection *c)
{
	return 0;
}

/* ---- batches ---- */

static int head_make(struct fold *f, struct batch *b)
{
	maker_batch(&f->maker, b);
	b->sender = f->o.sender;
	b->begin_s = f->begin_s;
	b->seconds = BATCH_SECONDS;
	if (f->o.id)
		return f->o.id(f->o.arg, f->begin_s, b->id);
	return getrandom(b->id, sizeof(b->id), 0) == sizeof(b->id) ? 0 : -EIO;
}

/* Of all until now; the rest of the minute may follow in another one. */
static int batch_make(struct fold *f)
{
	struct batch b;
	int err = fold_views_make(f);

	if (!err)
		err = fold_costs_make(f);
	if (!err)
		err = fold_requests_make(f);
	if (!err)
		err = fold_counters_make(f);
	if (!err)
		err = head_make(f, &b);
	if (!err && b.slice_count)
		err = f->o.emit(f->o.arg, &b);
	maker_empty(&f->maker);
	f->batches++;
	f->told_ns = f->profile->duration_ns;
	return err;
}

static int fold_flush(struct sink *s, uint64_t duration_ns)
{
	struct fold *f = fold_of(s);
	uint64_t minute;
	int err = profile_of(s)->flush(profile_of(s), duration_ns);

	minute = minute_of(f, duration_ns);
	if (err || minute <= f->begin_s)
		return err;
	/* Soon it may be known what they stand for. */
	if (f->requests.open && duration_ns > PHASE_PATIENCE_NS &&
	    minute_of(f, duration_ns - PHASE_PATIENCE_NS) <= f->begin_s)
		return 0;
	err = batch_make(f);
	f->begin_s = minute;
	return err;
}

static int fold_end(struct sink *s, uint64_t duration_ns)
{
	int err = profile_of(s)->end(profile_of(s), duration_ns);

	return err ? err : fold_finish(fold_of(s));
}

int fold_finish(struct fold *f)
{
	if (f->finished || !f->profile->has_meta)
		return 0;
	f->finished = true;
	return batch_make(f);
}

int fold_user(struct fold *f, uint32_t pid, const char *user)
{
	uint32_t slice;
	int err = fold_slice_process(f, pid, 0, &slice);

	return err ? err : fold_requests_user(f, slice, user);
}

void fold_status(const struct fold *f, struct fold_status *ret)
{
	*ret = (struct fold_status){
		.nodes = f->profile->node_count - 1,
		.functions = f->profile->function_count - 1,
		.groups = f->requests.group_count - 1,
		.slices = slices_count(f->slices),
		.batches = f->batches,
	};
}

/* ---- beginning and end ---- */

static const struct sink fold_handlers = {
	.meta = fold_meta,
	.calibration = fold_calibration,
	.process = fold_process,
	.function = fold_function,
	.node = fold_node,
	.cost = fold_cost,
	.native = fold_native,
	.sample = fold_sample,
	.passage = fold_passage,
	.tags = fold_tags,
	.common_tags = fold_common_tags,
	.endpoint = fold_endpoint,
	.backend = fold_backend,
	.group = fold_group,
	.requests = fold_requests,
	.phase = fold_phase,
	.worker = fold_worker_told,
	.import = fold_import,
	.collection = fold_collection,
	.loss = fold_loss,
	.flush = fold_flush,
	.end = fold_end,
};

static void defaults_set(struct fold_options *o)
{
	o->limits.slices = o->limits.slices ? o->limits.slices : SLICES_DEFAULT;
	o->limits.values = o->limits.values ? o->limits.values : VALUES_DEFAULT;
	o->limits.endpoints = o->limits.endpoints ? o->limits.endpoints : ENDPOINTS_DEFAULT;
	o->max_costs = o->max_costs ? o->max_costs : COSTS_DEFAULT;
	o->max_paths = o->max_paths ? o->max_paths : PATHS_DEFAULT;
	o->path_share = o->path_share > 0 ? o->path_share : SHARE_DEFAULT;
	if (!o->users) {
		o->users = users_default;
		o->user_count = sizeof(users_default) / sizeof(*users_default);
	}
}

int fold_create(const struct fold_options *o, struct fold **ret)
{
	struct fold *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->sink = fold_handlers;
	f->o = *o;
	defaults_set(&f->o);
	fold_counters_init(f);
	f->o.sender = batch_text(&f->texts, o->sender);
	err = f->o.sender ? profile_create(&f->profile) : -ENOMEM;
	if (!err)
		err = slices_new(&f->o.limits, &f->slices);
	if (!err)
		err = fold_names_init(f);
	if (!err)
		err = fold_views_init(f);
	if (!err)
		err = fold_requests_init(f);
	if (err) {
		fold_free(f);
		return err;
	}
	f->maker.slices = f->slices;
	*ret = f;
	return 0;
}

struct sink *fold_sink(struct fold *f)
{
	return &f->sink;
}

void fold_free(struct fold *f)
{
	if (!f)
		return;
	fold_names_clear(f);
	fold_views_clear(f);
	fold_requests_clear(f);
	fold_counters_clear(f);
	maker_clear(&f->maker);
	slices_free(f->slices);
	profile_free(f->profile);
	arena_free(&f->texts);
	free(f->roots);
	free(f);
}
