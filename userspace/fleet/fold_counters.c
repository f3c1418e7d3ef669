/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Losses, lives of workers, and whatever else the parts count. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "userspace/fleet/fold_parts.h"

#define LIVES_MAX 100000
#define NAME_SIZE 64

struct count {
	uint64_t slice; /* these two are the key; a name is known by its address */
	const char *name;
	double value;
};

/* A worker that was told of while it lived. */
struct life {
	uint32_t pid, ppid; /* the key, with the next */
	uint64_t born_ns;
	uint64_t requests, cost, request_cost, cpu_ns;
};

void fold_counters_init(struct fold *f)
{
	f->counters.counts = (struct tally){ .item_size = sizeof(struct count),
					     .key_size = 8 + sizeof(char *) };
	f->counters.lives = (struct tally){ .item_size = sizeof(struct life), .key_size = 16,
					    .max = LIVES_MAX };
}

int fold_count(struct fold *f, uint32_t slice, const char *name, double value)
{
	struct count key = { .slice = slice, .name = name }, *count;
	int err;

	if (!value || slice == NO_SLICE)
		return 0;
	err = tally_at(&f->counters.counts, &key, &count);
	if (!err)
		count->value += value;
	return err;
}

int fold_count_own(struct fold *f, const char *name, double value)
{
	return fold_count(f, FOLD_OWN, name, value);
}

/* Totals again and again: what is added is what came since the last time. */
int fold_worker(struct fold *f, const struct sink_worker *w)
{
	struct life unknown = { .pid = 0 }, *life;
	uint32_t slice;
	int err;

	if (!f->profile->meta.requests)
		return -EINVAL;
	err = fold_slice_process(f, w->pid, 0, &slice);
	if (err)
		return err;
	/* Of who has ended, nothing more will be told. */
	life = tally_find(&f->counters.lives, w);
	if (!life && !w->died_ns)
		err = tally_at(&f->counters.lives, w, &life);
	if (err && err != -ENOSPC)
		return err;
	life = life ? life : &unknown;
	err = fold_count(f, slice, "workers.requests", (double)w->requests - life->requests);
	if (!err)
		err = fold_count(f, slice, "workers.cost", (double)w->cost - life->cost);
	if (!err)
		err = fold_count(f, slice, "workers.request_cost",
				 (double)w->request_cost - life->request_cost);
	if (!err)
		err = fold_count(f, slice, "workers.cpu_ns", (double)w->cpu_ns - life->cpu_ns);
	life->requests = w->requests;
	life->cost = w->cost;
	life->request_cost = w->request_cost;
	life->cpu_ns = w->cpu_ns;
	if (!err && w->died_ns)
		err = fold_count(f, slice, "workers.ended", 1);
	if (!err && w->died_ns && w->exit_status > 0)
		err = fold_count(f, slice, "workers.failed", 1);
	return err;
}

/* Made once: counters are known by their names' addresses. */
static const char *loss_counter(struct fold *f, enum loss loss)
{
	const char **name = &f->counters.loss_names[loss];
	char *made;

	if (!*name) {
		made = arena_alloc(&f->texts, NAME_SIZE);
		if (made)
			snprintf(made, NAME_SIZE, "loss.%s", loss_name(loss));
		*name = made;
	}
	return *name;
}

static int losses_count(struct fold *f)
{
	const uint64_t *now = f->profile->losses;
	uint64_t *then = f->counters.losses;
	int err = 0;

	for (int i = 1; i < LOSS_MAX && !err; i++) {
		const char *name;

		if (i == LOSS_MULTIPLEXED || now[i] <= then[i])
			continue;
		name = loss_counter(f, i);
		err = name ? fold_count_own(f, name, now[i] - then[i]) : -ENOMEM;
		then[i] = now[i];
	}
	return err;
}

/* A share of all the time until now, so that of this minute follows from two of them. */
static int time_count(struct fold *f)
{
	uint64_t now = f->profile->duration_ns;
	uint64_t off = (double)f->profile->losses[LOSS_MULTIPLEXED] / 1e6 * now;
	int err = fold_count_own(f, "measured.ns", now - f->told_ns);

	if (!err && off > f->counters.multiplexed_ns)
		err = fold_count_own(f, "loss.multiplexed.ns", off - f->counters.multiplexed_ns);
	if (off > f->counters.multiplexed_ns)
		f->counters.multiplexed_ns = off;
	return err;
}

static int row_make(struct fold *f, const struct count *c, uint32_t own)
{
	struct batch_counter *row = maker_counter(&f->maker);

	if (!row)
		return -ENOMEM;
	row->name = c->name;
	row->value = c->value;
	return maker_slice(&f->maker, c->slice == FOLD_OWN ? own : c->slice, &row->slice);
}

int fold_counters_make(struct fold *f)
{
	const struct count *counts;
	uint32_t own;
	int err = losses_count(f);

	if (!err)
		err = time_count(f);
	if (!err)
		err = fold_slice_own(f, &own);
	counts = f->counters.counts.items;
	for (uint32_t i = 0; i < f->counters.counts.count && !err; i++)
		if (counts[i].slice != FOLD_OWN || own != NO_SLICE)
			err = row_make(f, &counts[i], own);
	tally_empty(&f->counters.counts);
	return err;
}

void fold_counters_clear(struct fold *f)
{
	tally_clear(&f->counters.counts);
	tally_clear(&f->counters.lives);
}
