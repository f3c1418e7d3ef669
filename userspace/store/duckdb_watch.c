// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/store/duckdb_watch.h"

#include <errno.h>

#include "userspace/clock.h"

/* A statement that had not quite begun does not hear it the first time. */
#define AGAIN_NS 100000000ull

void duck_watch_init(struct duck_watch *w)
{
	*w = (struct duck_watch){ .first = NULL };
	pthread_mutex_init(&w->lock, NULL);
	clock_cond_init(&w->more);
}

void duck_watch_close(struct duck_watch *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
	if (w->runs)
		pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->lock);
}

/* Interrupts what is due; returns when the next will be, 0: there is none. */
static uint64_t look(struct duck_watch *w)
{
	uint64_t now = clock_ns(), next = 0;

	for (struct duck_watched *v = w->first; v; v = v->next) {
		if (v->until_ns <= now) {
			v->link->api->interrupt(v->link->connection);
			v->interrupted = true;
			v->until_ns = now + AGAIN_NS;
		}
		if (!next || v->until_ns < next)
			next = v->until_ns;
	}
	return next;
}

static void *run(void *arg)
{
	struct duck_watch *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		uint64_t next = look(w);
		struct timespec until = clock_at(next);

		if (next)
			pthread_cond_timedwait(&w->more, &w->lock, &until);
		else
			pthread_cond_wait(&w->more, &w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int duck_watch_begin(struct duck_watch *w, struct duck_watched *v, struct duck_link *link,
		     uint64_t until_ns)
{
	int failed = 0;

	*v = (struct duck_watched){ .link = link, .until_ns = until_ns };
	pthread_mutex_lock(&w->lock);
	if (!w->runs)
		failed = pthread_create(&w->thread, NULL, run, w);
	if (!failed) {
		w->runs = true;
		v->next = w->first;
		w->first = v;
		pthread_cond_signal(&w->more);
	}
	pthread_mutex_unlock(&w->lock);
	return failed ? -EAGAIN : 0;
}

bool duck_watch_end(struct duck_watch *w, struct duck_watched *v)
{
	struct duck_watched **link = &w->first;

	pthread_mutex_lock(&w->lock);
	while (*link != v)
		link = &(*link)->next;
	*link = v->next;
	pthread_mutex_unlock(&w->lock);
	return v->interrupted;
}
