/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requests of a minute, added up by slice, and their users.
 *
 * Requests that were probed cost more than others, by what the probes add. Each is told
 * only by sums and bins, so what the calibration takes out of the sum is taken out of bins
 * and squares in proportion.
 *
 * Where they are watched in phases, all that is told is of those that were seen. How many
 * they stand for is known when their phase is over.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "userspace/fleet/fold_parts.h"
#include "userspace/histogram.h"
#include "userspace/profile_keep.h"
#include "userspace/recording_requests.h"
#include "userspace/saturate.h"

#define SKETCHES_MAX 256

struct request_sums {
	struct batch_requests row; /* its cost is that of requests that were not probed */
	uint64_t backend_calls[REQUEST_BACKENDS], backend_ns[REQUEST_BACKENDS];
	struct histogram bins[REQUEST_DISTRIBUTIONS];
	double correction; /* to be taken out of the row's cost */
	double probed, probed_squares, probed_correction; /* costs of those probed */
	struct histogram probed_bins;
	uint64_t aborted, shared, by_ticks, cut;
	uint64_t open; /* not yet of a phase that is over */
	struct phase_sum estimate;
};

struct users {
	uint64_t slice; /* the key */
	struct sketch sketch;
};

int fold_requests_init(struct fold *f)
{
	struct fold_requests *r = &f->requests;

	r->group_count = 1;
	r->weight = 1;
	r->sketches = (struct tally){ .item_size = sizeof(struct users), .key_size = 8,
				      .max = SKETCHES_MAX };
	return profile_grow(&r->groups, 0, &r->group_capacity, sizeof(*r->groups));
}

static struct request_ids ids_of(const struct fold *f)
{
	const struct profile_requests *r = &f->profile->requests;

	return (struct request_ids){ r->tag_count - 1, r->endpoint_count - 1,
				     r->backend_count - 1, f->requests.group_count - 1,
				     f->profile->meta.budget };
}

static bool slice_is_cut(const struct fold *f, uint32_t slice)
{
	for (uint32_t i = 0; slice != NO_SLICE && i < slices_get(f->slices, slice)->tag_count; i++)
		if (slices_is_cut(f->slices, slice, i))
			return true;
	return false;
}

int fold_requests_group(struct fold *f, const struct sink_group *g)
{
	const struct sink_meta *meta = &f->profile->meta;
	struct fold_requests *r = &f->requests;
	struct request_ids ids = ids_of(f);
	struct fold_group to = { g->pid, NO_SLICE, NO_SLICE, NO_SLICE, .flags = g->flags };
	const char *user;
	int err;

	if (!meta->requests || g->id != r->group_count || !group_is_valid(&ids, g))
		return -EINVAL;
	err = profile_grow(&r->groups, r->group_count, &r->group_capacity, sizeof(*r->groups));
	if (!err)
		err = fold_slice_requests(f, g, &to.slice);
	user = fold_group_user(f, g);
	if (!err && user) {
		to.user = XXH3_64bits(user, strlen(user));
		err = fold_slice_process(f, g->pid, g->tags, &to.users);
	}
	if (!err && g->flags & GROUP_EXACT && !meta->period && !meta->no_functions)
		err = fold_slice_costs(f, g->pid, g->endpoint, metric_name(meta->metric), &to.exact);
	if (err)
		return err;
	to.is_cut = slice_is_cut(f, to.slice);
	r->groups[r->group_count++] = to;
	return 0;
}

/* What the probes cost a call of this process, by its calibration. */
static double probed_call_cost(const struct profile *p, uint32_t pid)
{
	/* The last of that pid: what came before an exec was another program. */
	for (size_t i = p->process_count; i-- > 0;)
		if (p->processes[i].pid == pid) {
			const struct sink_calibration *c = profile_calibration(p, &p->processes[i]);

			return c->entry + c->exit;
		}
	return 0;
}

static int sums_at(struct fold *f, uint32_t slice, struct request_sums **ret)
{
	struct fold_requests *r = &f->requests;

	while (r->sums_count <= slice) {
		int err = profile_grow(&r->sums, r->sums_count, &r->sums_capacity,
				       sizeof(*r->sums));

		if (err)
			return err;
		r->sums_count++;
	}
	*ret = &r->sums[slice];
	return 0;
}

static void cost_add(struct request_sums *to, const struct sink_requests *r, bool probed,
		     double per_call)
{
	double correction = per_call * r->sums[REQUEST_PROBED_CALLS];
	int64_t *cost = &to->row.sums[REQUEST_COST];

	if (probed) {
		to->probed += r->sums[REQUEST_COST];
		to->probed_squares += r->squares[REQUEST_COST];
		to->probed_correction += correction;
	} else {
		*cost = saturating_add_signed(*cost, r->sums[REQUEST_COST]);
		to->row.squares[REQUEST_COST] += r->squares[REQUEST_COST];
		to->correction += correction;
	}
}

static int sums_add(struct request_sums *to, const struct fold_group *g,
		    const struct sink_requests *r, double per_call)
{
	bool probed = g->flags & GROUP_EXACT;
	int err = 0;

	for (int d = 0; d < REQUEST_DISTRIBUTIONS && !err; d++)
		err = histogram_merge(probed && d == DISTRIBUTION_COST ? &to->probed_bins
								       : &to->bins[d],
				      r->bins[d], r->bin_counts[d]);
	if (err)
		return err;
	to->row.count = saturating_add(to->row.count, r->count);
	cost_add(to, r, probed, per_call);
	for (int m = REQUEST_COST + 1; m < REQUEST_MEASURES; m++) {
		to->row.sums[m] = saturating_add_signed(to->row.sums[m], r->sums[m]);
		to->row.squares[m] += r->squares[m];
	}
	for (int b = 0; b < REQUEST_BACKENDS; b++) {
		to->backend_calls[b] = saturating_add(to->backend_calls[b], r->backend_calls[b]);
		to->backend_ns[b] = saturating_add(to->backend_ns[b], r->backend_ns[b]);
	}
	to->aborted += g->flags & GROUP_ABORTED ? r->count : 0;
	to->shared += g->flags & GROUP_SHARED ? r->count : 0;
	to->by_ticks += g->flags & GROUP_TICKS ? r->count : 0;
	to->cut += g->is_cut ? r->count : 0;
	return 0;
}

static int user_add(struct fold *f, uint32_t slice, uint64_t hash)
{
	uint64_t key = slice;
	struct users *users;
	int err = tally_at(&f->requests.sketches, &key, &users);

	if (err == -ENOSPC)
		return fold_count_own(f, "cut.users", 1);
	if (!err)
		sketch_add(&users->sketch, hash);
	return err;
}

int fold_requests_user(struct fold *f, uint32_t slice, const char *user)
{
	return slice == NO_SLICE ? 0 : user_add(f, slice, XXH3_64bits(user, strlen(user)));
}

int fold_requests_add(struct fold *f, const struct sink_requests *r)
{
	struct request_ids ids = ids_of(f);
	const struct fold_group *g;
	struct request_sums *sums;
	int err;

	if (!f->profile->meta.requests || !requests_are_valid(&ids, r))
		return -EINVAL;
	g = &f->requests.groups[r->group];
	if (g->slice == NO_SLICE)
		return fold_count_own(f, "cut.facts", r->count);
	err = sums_at(f, g->slice, &sums);
	if (!err && f->profile->meta.budget) {
		sums->open += r->count;
		f->requests.open += r->count;
	}
	if (!err)
		err = sums_add(sums, g, r, probed_call_cost(f->profile, g->pid));
	if (!err && g->users != NO_SLICE)
		err = user_add(f, g->users, g->user);
	if (!err && g->exact != NO_SLICE)
		err = fold_count(f, g->exact, "requests.probed", r->count);
	return err;
}

int fold_requests_phase(struct fold *f, const struct sink_phase *p)
{
	struct fold_requests *r = &f->requests;
	struct request_ids ids = ids_of(f);
	int merged;

	if (!phase_is_valid(&ids, p))
		return -EINVAL;
	if (!p->watched_ns) {
		r->phases.tail_ns += p->gap_ns;
		return 0;
	}
	merged = phase_times_add(&r->phases, p->gap_ns, p->watched_ns);
	r->weight = phase_weight(p->gap_ns, p->watched_ns);
	for (size_t i = 0; i < r->sums_count; i++) {
		struct request_sums *s = &r->sums[i];

		if (merged)
			phase_sum_merge(&s->estimate);
		phase_sum_add(&r->phases, &s->estimate, r->weight, s->open, s->open);
		s->open = 0;
	}
	r->open = 0;
	return 0;
}

/* A phase that is not over is taken to be as the last; the gap after all, as all before. */
static void estimate_make(const struct fold *f, struct request_sums *s, struct batch_requests *row)
{
	const struct phase_times *t = &f->requests.phases;
	double weight = f->requests.weight, all = (double)t->gap_ns + t->watched_ns;
	double scale = all > 0 ? (all + t->tail_ns) / all : 1;

	row->estimate = row->count;
	if (!f->profile->meta.budget)
		return;
	s->estimate.sum += weight * s->open;
	s->estimate.chance += weight * (weight - 1) * s->open;
	row->estimate = scale * s->estimate.sum;
	row->estimate_variance =
		scale * scale * fmax(phase_sum_variance(t, &s->estimate), s->estimate.chance);
}

/* The probed ones, without what the probes cost, among the others. */
static int probed_merge(struct request_sums *s)
{
	double left = fmin(fmax(s->probed - s->probed_correction, 0), 0x1p62);
	double scale = s->probed > 0 ? left / s->probed : 0;
	int64_t *cost = &s->row.sums[REQUEST_COST];
	double plain = fmin(fmax(*cost - s->correction, 0), 0x1p62);
	int err = 0;

	*cost = fmin(round(plain + left), 0x1p62);
	s->row.squares[REQUEST_COST] += scale * scale * s->probed_squares;
	for (uint32_t i = 0; i < s->probed_bins.count && !err; i++) {
		struct sink_bin bin = s->probed_bins.bins[i];
		double low = histogram_low(bin.bin), high = histogram_high(bin.bin);

		bin.bin = histogram_bin(fmin(scale * (low + (high - low) / 2), 0x1p63));
		err = histogram_merge(&s->bins[DISTRIBUTION_COST], &bin, 1);
	}
	return err;
}

/* Bins and back ends of a row live in the maker until the batch is gone. */
static int parts_make(struct fold *f, const struct request_sums *s, struct batch_requests *row)
{
	const struct profile_requests *r = &f->profile->requests;
	struct batch_backend *backends =
		arena_items(&f->maker.memory, REQUEST_BACKENDS, sizeof(*backends));

	if (!backends)
		return -ENOMEM;
	row->backends = backends;
	for (size_t b = 0; b + 1 < r->backend_count; b++)
		if (s->backend_calls[b] || s->backend_ns[b]) {
			const char *name = batch_text(&f->maker.memory, r->backends[b + 1].name);

			if (!name)
				return -ENOMEM;
			backends[row->backend_count++] = (struct batch_backend){
				name, s->backend_calls[b], s->backend_ns[b]
			};
		}
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++) {
		size_t size = s->bins[d].count * sizeof(struct sink_bin);
		struct sink_bin *bins = arena_items(&f->maker.memory, 1, size);

		if (!bins)
			return -ENOMEM;
		if (size)
			memcpy(bins, s->bins[d].bins, size);
		row->bins[d] = bins;
		row->bin_counts[d] = s->bins[d].count;
	}
	return 0;
}

static int sums_make(struct fold *f, struct request_sums *s, uint32_t slice)
{
	struct batch_requests *row;
	int err = probed_merge(s);

	row = err ? NULL : maker_requests(&f->maker);
	if (!row)
		return -ENOMEM;
	*row = s->row;
	estimate_make(f, s, row);
	for (int m = 0; m < REQUEST_MEASURES; m++)
		row->squares[m] = fmin(row->squares[m], 0x1p1000);
	err = parts_make(f, s, row);
	if (!err)
		err = maker_slice(&f->maker, slice, &row->slice);
	if (!err)
		err = fold_count(f, slice, "requests.aborted", s->aborted);
	if (!err)
		err = fold_count(f, slice, "requests.shared", s->shared);
	if (!err)
		err = fold_count(f, slice, "requests.by_ticks", s->by_ticks);
	return err ? err : fold_count_own(f, "cut.tags", s->cut);
}

static void sums_empty(struct request_sums *s)
{
	struct histogram bins[REQUEST_DISTRIBUTIONS], probed_bins = s->probed_bins;

	memcpy(bins, s->bins, sizeof(bins));
	*s = (struct request_sums){ .probed_bins = probed_bins };
	memcpy(s->bins, bins, sizeof(bins));
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
		histogram_empty(&s->bins[d]);
	histogram_empty(&s->probed_bins);
}

static int users_make(struct fold *f, const struct users *users)
{
	struct batch_users *row = maker_users(&f->maker);
	struct batch_register *registers;

	registers = arena_items(&f->maker.memory, SKETCH_REGISTERS, sizeof(*registers));
	if (!row || !registers)
		return -ENOMEM;
	row->registers = registers;
	for (uint32_t i = 0; i < SKETCH_REGISTERS; i++)
		if (users->sketch.ranks[i])
			registers[row->register_count++] =
				(struct batch_register){ i, users->sketch.ranks[i] };
	return maker_slice(&f->maker, users->slice, &row->slice);
}

int fold_requests_make(struct fold *f)
{
	struct fold_requests *r = &f->requests;
	const struct users *users = r->sketches.items;
	int err = 0;

	for (uint32_t i = 0; i < r->sums_count && !err; i++) {
		if (!r->sums[i].row.count)
			continue;
		err = sums_make(f, &r->sums[i], i);
		sums_empty(&r->sums[i]);
	}
	for (uint32_t i = 0; i < r->sketches.count && !err; i++)
		err = users_make(f, &users[i]);
	tally_empty(&r->sketches);
	r->phases = (struct phase_times){ .phases = 0 };
	r->open = 0;
	return err;
}

void fold_requests_clear(struct fold *f)
{
	struct fold_requests *r = &f->requests;

	for (size_t i = 0; i < r->sums_count; i++) {
		for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
			histogram_free(&r->sums[i].bins[d]);
		histogram_free(&r->sums[i].probed_bins);
	}
	free(r->sums);
	free(r->groups);
	tally_clear(&r->sketches);
}
