/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/agent/workshop.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/behind.h"
#include "userspace/clock.h"

struct workshop {
	pthread_t thread;
	enum workshop_state doing;
	bool done, hurry; /* atomic */
	struct measuring_options options;
	struct measuring *old;
	pid_t *pids;
	size_t count;
	struct workshop_work work;
};

int workshop_new(struct workshop **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

/* ---- in the thread ---- */

static bool is_hurried(struct workshop *w)
{
	return __atomic_load_n(&w->hurry, __ATOMIC_RELAXED);
}

static void make(struct workshop *w)
{
	struct measuring_options *o = &w->options;
	struct workshop_work *to = &w->work;
	char why[512];
	int err = measuring_open(o, &to->made, to->why, sizeof(to->why));

	if (err && o->exact && !is_hurried(w)) {
		o->exact = false;
		to->fell_back = true;
		measuring_open(o, &to->made, to->why, sizeof(to->why));
	}
	/* What it cannot do for one is told when that is attached to. */
	for (size_t i = 0; to->made && i < w->count && !is_hurried(w); i++)
		session_prepare(to->made->session, w->pids[i], why, sizeof(why));
}

static void *work(void *arg)
{
	struct workshop *w = arg;

	if (w->doing == WORKSHOP_OPENING) {
		make(w);
	} else {
		measuring_free(w->old);
		malloc_trim(0);
	}
	__atomic_store_n(&w->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* ---- outside ---- */

static int begin(struct workshop *w, enum workshop_state what)
{
	int err;

	w->doing = what;
	w->done = false;
	w->work = (struct workshop_work){.opening = what == WORKSHOP_OPENING, .began_ns = clock_ns()};
	err = thread_start(&w->thread, work, w);
	if (err)
		w->doing = WORKSHOP_IDLE;
	return err;
}

int workshop_open(struct workshop *w, const struct measuring_options *o, const pid_t *pids, size_t count)
{
	int err;

	w->options = *o;
	w->pids = malloc(count * sizeof(*pids) + 1);
	if (!w->pids)
		return -ENOMEM;
	memcpy(w->pids, pids, count * sizeof(*pids));
	w->count = count;
	err = begin(w, WORKSHOP_OPENING);
	if (err) {
		free(w->pids);
		w->pids = NULL;
	}
	return err;
}

void workshop_drop(struct workshop *w, struct measuring *m)
{
	if (!m)
		return;
	if (w->doing == WORKSHOP_IDLE) {
		w->old = m;
		if (!begin(w, WORKSHOP_DROPPING))
			return;
	}
	measuring_free(m);
}

enum workshop_state workshop_state(struct workshop *w)
{
	if (w->doing != WORKSHOP_IDLE && __atomic_load_n(&w->done, __ATOMIC_ACQUIRE))
		return WORKSHOP_DONE;
	return w->doing;
}

void workshop_take(struct workshop *w, struct workshop_work *ret)
{
	pthread_join(w->thread, NULL);
	w->doing = WORKSHOP_IDLE;
	free(w->pids);
	w->pids = NULL;
	w->count = 0;
	*ret = w->work;
}

void workshop_free(struct workshop *w)
{
	struct workshop_work last;

	if (!w)
		return;
	if (w->doing != WORKSHOP_IDLE) {
		__atomic_store_n(&w->hurry, true, __ATOMIC_RELAXED);
		workshop_take(w, &last);
		measuring_free(last.made);
	}
	free(w);
}
