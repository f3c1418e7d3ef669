/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a body to the store: unpacked and judged by several threads, written in groups by
 * one. Nothing is answered as stored before store_write() says that it is.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "userspace/clock.h"
#include "userspace/collector/collector_parts.h"
#include "userspace/collector/door_text.h"
#include "userspace/fleet/daemon_log.h"

#define GROUP_MAX 1024
#define GROUP_BUSY 100 /* batches: more save little, by tests/fleet/store_day.c */
#define FUTURE_S 300 /* that a batch may seem to come from */
#define RETRY_STORE_S 10
#define HOUR 3600

/* ---- judging ---- */

/* What it takes in memory, roughly: texts are shared, and short. */
static uint64_t weight(const struct batch *b)
{
	return sizeof(*b) + b->slice_count * 512ull + b->function_count * 256ull +
	       b->path_count * sizeof(struct batch_path) + b->cost_count * sizeof(struct batch_cost) +
	       b->path_cost_count * sizeof(struct batch_path_cost) +
	       b->request_count * (sizeof(struct batch_requests) + 1024ull) +
	       b->user_count * (sizeof(struct batch_users) + 1024ull) + b->counter_count * 64ull;
}

/* These return whether it goes on; an exchange that was refused is gone. */
static bool unpack(struct exchange *e)
{
	const struct serve_config *config = e->collector->config;
	char why[512] = "";
	int err = batch_unpack(e->body, e->size, config->unpacked, &e->batch, why, sizeof(why));

	e->unpacked = !err;
	if (err == -EFBIG)
		exchange_refuse_batch(e, BATCH_TOO_LARGE, MHD_HTTP_CONTENT_TOO_LARGE, 0,
				      "a batch may have %llu bytes at most when it is unpacked",
				      (unsigned long long)config->unpacked);
	else if (err == -ENOMEM)
		exchange_refuse_batch(e, BATCH_BUSY, MHD_HTTP_SERVICE_UNAVAILABLE, 5, "no memory");
	else if (err)
		exchange_refuse_batch(e, BATCH_MALFORMED, MHD_HTTP_BAD_REQUEST, 0, "%s",
				      *why ? why : "no batch");
	else if (memcmp(e->id, e->batch.id, BATCH_ID_SIZE))
		exchange_refuse_batch(e, BATCH_MALFORMED, MHD_HTTP_BAD_REQUEST, 0,
				      "X-Pycost-Batch is not the id of the batch");
	else if (!exchange_reserve(e, e->room + weight(&e->batch)))
		exchange_refuse_batch(e, BATCH_BUSY, MHD_HTTP_SERVICE_UNAVAILABLE, 5,
				      "too many batches wait to be stored");
	else
		return true;
	return false;
}

static bool judge_scope(struct exchange *e)
{
	for (uint32_t i = 0; i < e->batch.slice_count; i++) {
		const char *service = batch_slice_tag(&e->batch.slices[i], TAG_KEY_SERVICE);

		if (grant_covers(e->grant, service))
			continue;
		exchange_refuse_batch(e, BATCH_FORBIDDEN, MHD_HTTP_FORBIDDEN, 0,
				      "'%s' may not push for the service '%.100s'", e->grant->name, service);
		return false;
	}
	return true;
}

static bool judge_rate(struct exchange *e)
{
	unsigned wait = sender_rates_take(e->collector->rates, e->grant->name, e->batch.sender, e->size,
					  clock_ns());

	if (wait)
		exchange_refuse_batch(e, BATCH_RATE, MHD_HTTP_TOO_MANY_REQUESTS, wait,
				      "more than one sender may bring in a minute");
	return !wait;
}

/* Puts it where a right clock would have, if it can. */
static bool judge_time(struct exchange *e, int64_t now_s)
{
	const struct serve_config *config = e->collector->config;
	int64_t shift = door_clock_shift(e->sent_s, now_s), begin = e->batch.begin_s;

	if (shift > (int64_t)config->skew_s || -shift > (int64_t)config->skew_s) {
		exchange_refuse_batch(e, BATCH_CLOCK, MHD_HTTP_CONFLICT, HOUR,
				      "the sender's clock is off by %lld s: set it right", (long long)-shift);
		return false;
	}
	if (begin < 0 || begin > now_s - shift + FUTURE_S) {
		/* Later it will be of the past. */
		exchange_refuse_batch(e, BATCH_CLOCK, MHD_HTTP_CONFLICT, HOUR,
				      "the batch is of the future: set the sender's clock right");
		return false;
	}
	if (begin + (int64_t)e->batch.seconds + shift < now_s - (int64_t)config->expiry_s) {
		exchange_refuse_batch(e, BATCH_EXPIRED, MHD_HTTP_GONE, 0,
				      "the batch is older than %llu s", (unsigned long long)config->expiry_s);
		return false;
	}
	if (shift)
		metrics_count(&e->collector->metrics, COUNT_SHIFTED, 1);
	e->batch.begin_s += shift;
	if (begin + shift + (int64_t)(e->batch.seconds + config->export_late_s) < now_s)
		metrics_count(&e->collector->metrics, COUNT_LATE, 1);
	return true;
}

void *intake_unpack(void *arg)
{
	struct collector *c = arg;
	struct exchange *e;

	while ((e = exchange_queue_take(&c->unpacking))) {
		if (!unpack(e) || !judge_scope(e) || !judge_rate(e) || !judge_time(e, time(NULL)))
			continue;
		exchange_free_body(e);
		metrics_gauge(&c->metrics, GAUGE_WAITING, 1);
		exchange_queue_put(&c->grouping, e);
	}
	return NULL;
}

/* ---- writing ---- */

/* A group: each batch once, and the exchanges that wait for it. */
struct group {
	struct exchange *members[GROUP_MAX];
	size_t count;
	const struct batch *batches[GROUP_MAX];
	enum store_written written[GROUP_MAX];
	size_t batch_of[GROUP_MAX];
	size_t batch_count;
};

/* The same batch twice: its sender gave up waiting, and asks again. */
static void group_make(struct group *g, struct exchange *chain)
{
	g->count = g->batch_count = 0;
	for (struct exchange *e = chain; e; e = e->next) {
		size_t n = 0;

		while (n < g->batch_count && memcmp(g->batches[n]->id, e->batch.id, BATCH_ID_SIZE))
			n++;
		if (n == g->batch_count)
			g->batches[g->batch_count++] = &e->batch;
		g->batch_of[g->count] = n;
		g->members[g->count++] = e;
	}
}

static void answer_stored(struct exchange *e, enum store_written w)
{
	static const char *const texts[] = {
		[STORE_NEW] = "{\"stored\":\"new\"}",
		[STORE_DUPLICATE] = "{\"stored\":\"duplicate\"}",
	};
	char *text = strdup(texts[w]);

	metrics_batch(&e->collector->metrics, w == STORE_NEW ? BATCH_NEW : BATCH_DUPLICATE);
	exchange_free_batch(e);
	exchange_answer(e, MHD_HTTP_OK, "application/json", text, text ? strlen(text) : 0);
}

/* -EINVAL and -EBADMSG are of the batches, anything else of the store. */
static void answer_failed(struct exchange *e, int err)
{
	if (err == -EINVAL || err == -EBADMSG)
		exchange_refuse_batch(e, BATCH_MALFORMED, MHD_HTTP_BAD_REQUEST, 0,
				      "the store does not take this batch");
	else
		exchange_refuse_batch(e, BATCH_STORE, MHD_HTTP_SERVICE_UNAVAILABLE, RETRY_STORE_S,
				      "the store does not take anything now");
}

static int group_write(struct collector *c, struct group *g)
{
	uint64_t began = clock_ns();
	char why[512] = "", reason[LOG_VALUE_SIZE];
	int err;

	__atomic_store_n(&c->writing_since_ns, began, __ATOMIC_RELAXED);
	err = store_write(c->store, g->batches, g->batch_count, g->written, why, sizeof(why));
	__atomic_store_n(&c->writing_since_ns, 0, __ATOMIC_RELAXED);
	metrics_time(&c->metrics, TIME_GROUP, clock_ns() - began);
	metrics_count(&c->metrics, err ? COUNT_GROUP_ERRORS : COUNT_GROUPS, 1);
	if (!err)
		return 0;
	daemon_log_some(LOG_ERR, "store_failed", "batches=%zu error=%d reason=%s", g->batch_count, -err,
		       daemon_log_value(reason, why));
	if (err != -EINVAL && err != -EBADMSG)
		collector_failed(c);
	return err;
}

static void group_answer(struct group *g, int err)
{
	bool told[GROUP_MAX] = { false };

	for (size_t i = 0; i < g->count; i++) {
		size_t n = g->batch_of[i];

		if (err)
			answer_failed(g->members[i], err);
		else
			answer_stored(g->members[i], told[n] ? STORE_DUPLICATE : g->written[n]);
		told[n] = true;
	}
}

/* One bad batch must not keep the others out. */
static void group_one_by_one(struct collector *c, struct group *g, struct exchange *chain)
{
	while (chain) {
		struct exchange *e = chain;

		chain = e->next;
		e->next = NULL;
		group_make(g, e);
		group_answer(g, group_write(c, g));
	}
}

void *intake_group(void *arg)
{
	struct collector *c = arg;
	const struct serve_config *config = c->config;
	const struct exchange_grouping grouping = {
		.wait_ns = config->group_ms * 1000000, .busy_ns = config->group_busy_ms * 1000000,
		.bytes = config->group_bytes, .most = GROUP_MAX, .busy_count = GROUP_BUSY,
	};
	struct exchange *chain;
	struct group g;

	while ((chain = exchange_queue_take_group(&c->grouping, &grouping))) {
		size_t count;
		int err;

		group_make(&g, chain);
		count = g.count;
		err = group_write(c, &g);
		if (err && count > 1 && (err == -EINVAL || err == -EBADMSG))
			group_one_by_one(c, &g, chain);
		else
			group_answer(&g, err);
		metrics_gauge(&c->metrics, GAUGE_WAITING, -(int64_t)count);
	}
	return NULL;
}
