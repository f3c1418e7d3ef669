/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <time.h>

#include "userspace/clock.h"
#include "userspace/collector/exchange.h"

/* In half of the time that one waits for others: fewer are not worth waiting on for. */
#define STEADY 4

void exchange_queue_init(struct exchange_queue *q)
{
	*q = (struct exchange_queue){ 0 };
	q->last = &q->first;
	pthread_mutex_init(&q->lock, NULL);
	clock_cond_init(&q->more);
}

void exchange_queue_free(struct exchange_queue *q)
{
	pthread_cond_destroy(&q->more);
	pthread_mutex_destroy(&q->lock);
}

void exchange_queue_put(struct exchange_queue *q, struct exchange *e)
{
	e->next = NULL;
	e->queued_ns = clock_ns();
	pthread_mutex_lock(&q->lock);
	*q->last = e;
	q->last = &e->next;
	q->count++;
	q->came++;
	q->bytes += e->reserved;
	pthread_cond_signal(&q->more);
	pthread_mutex_unlock(&q->lock);
}

static struct exchange *unlink_first(struct exchange_queue *q)
{
	struct exchange *e = q->first;

	q->first = e->next;
	if (!q->first)
		q->last = &q->first;
	q->count--;
	q->bytes -= e->reserved;
	e->next = NULL;
	return e;
}

struct exchange *exchange_queue_take(struct exchange_queue *q)
{
	struct exchange *e = NULL;

	pthread_mutex_lock(&q->lock);
	while (!q->first && !q->closed)
		pthread_cond_wait(&q->more, &q->lock);
	if (q->first)
		e = unlink_first(q);
	pthread_mutex_unlock(&q->lock);
	return e;
}

/* False: the time has come, and there are not so many yet. */
static bool wait_until(struct exchange_queue *q, uint64_t at_ns, uint64_t bytes, size_t most)
{
	struct timespec t = clock_at(at_ns);

	while (!q->closed && q->bytes < bytes && q->count < most)
		if (pthread_cond_timedwait(&q->more, &q->lock, &t) == ETIMEDOUT)
			return false;
	return true;
}

static void wait_for_more(struct exchange_queue *q, const struct exchange_grouping *g)
{
	uint64_t first_ns = q->first->queued_ns, half_ns = g->wait_ns / 2, came;

	/* Many that were here before the half are no sign that there will be more. */
	if (wait_until(q, first_ns + half_ns, g->bytes, g->most))
		return;
	came = q->came;
	if (wait_until(q, first_ns + g->wait_ns, g->bytes, g->most))
		return;
	for (uint64_t at = g->wait_ns; half_ns && at < g->busy_ns && q->came - came >= STEADY;) {
		came = q->came;
		at = at + half_ns < g->busy_ns ? at + half_ns : g->busy_ns;
		if (wait_until(q, first_ns + at, g->bytes, g->busy_count))
			return;
	}
}

struct exchange *exchange_queue_take_group(struct exchange_queue *q,
					   const struct exchange_grouping *g)
{
	struct exchange *chain = NULL, **end = &chain;
	uint64_t taken = 0;

	pthread_mutex_lock(&q->lock);
	while (!q->first && !q->closed)
		pthread_cond_wait(&q->more, &q->lock);
	if (q->first)
		wait_for_more(q, g);
	for (size_t n = 0; n < g->most && q->first && taken < g->bytes; n++) {
		*end = unlink_first(q);
		taken += (*end)->reserved;
		end = &(*end)->next;
	}
	pthread_mutex_unlock(&q->lock);
	return chain;
}

void exchange_queue_close(struct exchange_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_cond_broadcast(&q->more);
	pthread_mutex_unlock(&q->lock);
}
