/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/worker_life.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Without memory, HASH_ADD leaves hh.tbl NULL instead of calling exit(). */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "userspace/saturate.h"
#include "userspace/served_cpu.h"
#include "userspace/sink.h"

struct life {
	uint32_t pid;
	bool died;
	/* Of this phase, where requests are watched in phases: what they stand for is not known. */
	uint64_t phase_requests, phase_cost;
	uint64_t clock_ns; /* its own CPU clock when it was first seen */
	struct sink_worker w;
	UT_hash_handle hh;
};

struct worker_lives {
	struct worker_lives_options o;
	uint64_t begin_ns;
	double weight; /* of a request of the last phase */
	struct life *lives;
	/* Of those whose PID has another life now, or who were told: facts that wait. */
	struct sink_worker *ended;
	uint32_t ended_count, ended_capacity;
};

int worker_lives_new(const struct worker_lives_options *o, struct worker_lives **ret)
{
	struct worker_lives *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->o = *o;
	l->weight = 1;
	*ret = l;
	return 0;
}

void worker_lives_free(struct worker_lives *l)
{
	struct life *life, *tmp;

	if (!l)
		return;
	HASH_ITER(hh, l->lives, life, tmp) {
		HASH_DEL(l->lives, life);
		free(life);
	}
	free(l->ended);
	free(l);
}

void worker_lives_begin(struct worker_lives *l, uint64_t at_ns)
{
	l->begin_ns = at_ns;
}

/* 0 is before the beginning. */
static uint64_t since_begin(const struct worker_lives *l, uint64_t at_ns)
{
	return at_ns > l->begin_ns ? at_ns - l->begin_ns : 1;
}

/* What /proc says of a process that lives; what it does not say stays. */
static void life_look(struct life *life, bool birth)
{
	unsigned long kb;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/status", life->pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (birth && sscanf(line, "PPid: %lu", &kb) == 1)
			life->w.ppid = kb;
		else if (sscanf(line, "VmRSS: %lu", &kb) == 1)
			life->w.last_rss = (uint64_t)kb << 10;
		else if (sscanf(line, "VmHWM: %lu", &kb) == 1)
			life->w.peak_rss = (uint64_t)kb << 10;
	}
	if (f)
		fclose(f);
	if (birth)
		life->w.birth_rss = life->w.last_rss;
}

static struct life *life_find(const struct worker_lives *l, uint32_t pid)
{
	struct life *life;

	HASH_FIND(hh, l->lives, &pid, sizeof(pid), life);
	return life;
}

static int life_make(struct worker_lives *l, uint32_t pid, struct life **ret)
{
	struct life *life = calloc(1, sizeof(*life));

	if (!life)
		return -ENOMEM;
	life->pid = life->w.pid = pid;
	life->w.exit_status = -1;
	HASH_ADD(hh, l->lives, pid, sizeof(life->pid), life);
	if (!life->hh.tbl) {
		free(life);
		return -ENOMEM;
	}
	*ret = life;
	return 0;
}

/* Each request of the phase stands for so many. */
static void life_phase(struct life *life, double weight)
{
	life->w.requests += llround(life->phase_requests * weight);
	life->w.request_cost =
		saturating_add(life->w.request_cost, (uint64_t)(life->phase_cost * weight));
	life->phase_requests = life->phase_cost = 0;
}

/* It will be told; its PID may be another's. */
static int life_end(struct worker_lives *l, struct life *life)
{
	if (l->ended_count == l->ended_capacity) {
		uint32_t capacity = 2 * l->ended_capacity + 16;
		struct sink_worker *grown = reallocarray(l->ended, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		l->ended = grown;
		l->ended_capacity = capacity;
	}
	life_phase(life, l->weight); /* most likely: the last one's */
	l->ended[l->ended_count++] = life->w;
	HASH_DEL(l->lives, life);
	free(life);
	return 0;
}

int worker_lives_add(struct worker_lives *l, pid_t pid)
{
	struct life *life = life_find(l, pid);
	int err;

	if (life && !life->died)
		return 0;
	if (life) {
		err = life_end(l, life);
		if (err)
			return err;
	}
	err = life_make(l, pid, &life);
	if (err)
		return err;
	life_look(life, true);
	life->clock_ns = process_cpu_ns(pid);
	return 0;
}

/* lived_ns: its own clock. */
static void totals_set(const struct worker_lives *l, struct life *life,
		       const struct wire_served *served, uint64_t lived_ns)
{
	life->w.cost = served->cost;
	life->w.cpu_ns = served->cpu_ns;
	if (!l->o.by_phases || lived_ns <= life->clock_ns)
		return;
	life->w.cpu_ns = lived_ns - life->clock_ns;
	if (served->cpu_ns)
		life->w.cost = (double)served->cost * life->w.cpu_ns / served->cpu_ns;
}

static int life_born(struct worker_lives *l, const struct wire_event_life *e)
{
	struct life *life = life_find(l, e->head.tgid);
	int err = 0;

	/* Whatever had this PID is gone; if nobody said so, what of is not known. */
	if (life)
		err = life_end(l, life);
	if (!err)
		err = life_make(l, e->head.tgid, &life);
	if (err)
		return err;
	life->w.ppid = e->parent;
	life->w.born_ns = since_begin(l, e->at);
	life->w.birth_rss = life->w.last_rss = e->rss;
	life->w.peak_rss = e->peak_rss;
	return 0;
}

static int life_died(struct worker_lives *l, const struct wire_event_life *e)
{
	struct life *life = life_find(l, e->head.tgid);
	int err = life ? 0 : life_make(l, e->head.tgid, &life);

	if (err)
		return err;
	if (!life->w.ppid)
		life->w.ppid = e->parent;
	life->died = true;
	life->w.died_ns = since_begin(l, e->at);
	life->w.exit_status = e->exit_code;
	if (e->rss)
		life->w.last_rss = e->rss;
	if (e->peak_rss)
		life->w.peak_rss = e->peak_rss;
	totals_set(l, life, &e->served, e->served.lived_ns);
	return 0;
}

int worker_lives_event(struct worker_lives *l, const struct wire_event_life *e)
{
	return e->head.kind == WIRE_EVENT_BORN ? life_born(l, e) : life_died(l, e);
}

int worker_lives_request(struct worker_lives *l, pid_t pid, uint64_t cost)
{
	struct life *life = life_find(l, pid);
	int err = life ? 0 : worker_lives_add(l, pid);

	if (err)
		return err;
	life = life_find(l, pid);
	if (l->o.by_phases) {
		life->phase_requests++;
		life->phase_cost = saturating_add(life->phase_cost, cost);
		return 0;
	}
	life->w.requests++;
	life->w.request_cost = saturating_add(life->w.request_cost, cost);
	return 0;
}

void worker_lives_phase(struct worker_lives *l, double weight)
{
	struct life *life, *tmp;

	l->weight = weight;
	HASH_ITER(hh, l->lives, life, tmp)
		life_phase(life, weight);
}

void worker_lives_scale(struct worker_lives *l, double factor)
{
	struct life *life, *tmp;

	HASH_ITER(hh, l->lives, life, tmp) {
		life->w.requests = llround(life->w.requests * factor);
		life->w.request_cost = life->w.request_cost * factor;
	}
}

static int worker_tell(struct worker_lives *l, const struct sink_worker *w)
{
	return l->o.sink->worker ? l->o.sink->worker(l->o.sink, w) : 0;
}

/* Its requests came before its end, or with it: nothing of it is still to come. */
int worker_lives_tell(struct worker_lives *l, bool last)
{
	struct life *life, *tmp;
	int err = 0;

	for (uint32_t i = 0; i < l->ended_count && !err; i++)
		err = worker_tell(l, &l->ended[i]);
	l->ended_count = 0;
	HASH_ITER(hh, l->lives, life, tmp) {
		struct wire_served served;

		if (err || (!life->died && !last))
			continue;
		if (life->phase_requests && !last)
			continue; /* once it is known what they stand for */
		if (!life->died) {
			life_look(life, false);
			if (l->o.totals && !l->o.totals(l->o.arg, life->pid, &served))
				totals_set(l, life, &served, process_cpu_ns(life->pid));
		}
		err = worker_tell(l, &life->w);
		if (life->died) {
			HASH_DEL(l->lives, life);
			free(life);
		}
	}
	return err;
}
