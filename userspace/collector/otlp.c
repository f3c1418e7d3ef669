/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/collector/otlp.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "userspace/collector/collector_parts.h"
#include "userspace/collector/otlp_post.h"
#include "userspace/fleet/daemon_log.h"
#include "userspace/query/minute.h"
#include "userspace/query/query_tree.h"

#define BACKLOG_S 3600
#define FIRST_S 5
#define LAST_S 300
#define PATHS_MAX "10000" /* of each metric and mode */

enum kind { METRICS, PROFILES, KINDS };
static const char *const paths[KINDS] = { "/v1/metrics", "/v1development/profiles" };
static const char *const names[KINDS] = { "metrics", "profiles" };

struct way {
	struct otlp *otlp;
	enum kind kind;
	uint64_t next_s; /* the minute that is to be sent next */
	uint64_t wait_s; /* after an error; 0: the last one went well */
	pthread_t thread;
	bool runs;
	struct otlp_post *post;
};

/* Each kind has a thread, so that a receiver of one of them does not hold up the other. */
struct otlp {
	struct collector *collector;
	struct way ways[KINDS];
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop; /* atomic */
};

/* ---- what is sent ---- */

static int metrics_make(struct collector *c, uint64_t minute, uint8_t **ret, size_t *size, char *why,
			size_t whylen)
{
	struct minute m;
	struct query all;
	int err;

	query_init(&all, QUERY_REQUESTS, minute);
	err = minute_load(c->store, &all, minute, c->config->export_series, &m, why, whylen);
	if (err)
		return err;
	metrics_count(&c->metrics, COUNT_EXPORT_CUT, m.cut);
	err = otlp_metrics_pack(&m, ret, size);
	minute_free(&m);
	return err;
}

static int profiles_make(struct collector *c, uint64_t minute, uint8_t **ret, size_t *size, char *why,
			 size_t whylen)
{
	struct query_tree tree;
	json_t *answer = NULL;
	struct query q;
	int err;

	query_init(&q, QUERY_PATHS, minute);
	err = query_set(&q, "by", TAG_KEY_SERVICE "," TAG_KEY_VERSION, minute, why, whylen);
	if (!err)
		err = query_set(&q, "limit", PATHS_MAX, minute, why, whylen);
	q.since = minute;
	q.until = minute + MINUTE_S;
	if (!err)
		err = query_run(c->store, &q, &answer, why, whylen);
	if (err)
		return err;
	err = query_tree_parse(answer, &tree);
	json_decref(answer);
	if (err)
		return err;
	err = otlp_profiles_pack(&tree, minute, MINUTE_S, ret, size);
	query_tree_free(&tree);
	return err;
}

/* ---- sending ---- */

static void tell(struct way *w, const char *event, uint64_t minute, int err, const char *why)
{
	char reason[LOG_VALUE_SIZE];

	daemon_log_some(LOG_WARNING, event, "what=%s minute=%llu error=%d reason=%s", names[w->kind],
		       (unsigned long long)minute, -err, daemon_log_value(reason, *why ? why : strerror(-err)));
}

/* -EAGAIN: it is to be tried again. */
static int send_minute(struct way *w, uint64_t minute)
{
	struct collector *c = w->otlp->collector;
	uint64_t rejected = 0, wait = 0;
	char why[512] = "";
	uint8_t *bytes = NULL;
	size_t size = 0;
	int err = w->kind == METRICS ? metrics_make(c, minute, &bytes, &size, why, sizeof(why))
				     : profiles_make(c, minute, &bytes, &size, why, sizeof(why));

	if (err == -ENODATA)
		return 0;
	if (err)
		err = err == -ENOMEM || err == -EAGAIN || err == -EIO ? -EAGAIN : err;
	else
		err = otlp_post_send(w->post, bytes, size, &rejected, &wait, why, sizeof(why));
	free(bytes);
	if (!err) {
		metrics_count(&c->metrics, COUNT_OTLP, 1);
		metrics_count(&c->metrics, COUNT_OTLP_REJECTED, rejected);
		if (rejected)
			tell(w, "otlp_rejected", minute, -EBADMSG, why);
		w->wait_s = 0;
		return 0;
	}
	metrics_count(&c->metrics, COUNT_OTLP_ERRORS, 1);
	tell(w, "otlp_failed", minute, err, why);
	if (err != -EAGAIN) {
		metrics_count(&c->metrics, COUNT_OTLP_DROPPED, 1);
		return 0;
	}
	w->wait_s = w->wait_s ? w->wait_s * 2 : FIRST_S;
	if (w->wait_s < wait)
		w->wait_s = wait;
	if (w->wait_s > LAST_S)
		w->wait_s = LAST_S;
	return -EAGAIN;
}

/* What is too old for the backlog is dropped. */
static void forget(struct way *w, uint64_t now)
{
	uint64_t oldest = now > BACKLOG_S ? (now - BACKLOG_S) / MINUTE_S * MINUTE_S : 0;

	if (w->next_s >= oldest)
		return;
	metrics_count(&w->otlp->collector->metrics, COUNT_OTLP_DROPPED, (oldest - w->next_s) / MINUTE_S);
	w->next_s = oldest;
}

static bool is_stopped(void *arg)
{
	struct otlp *o = arg;

	return __atomic_load_n(&o->stop, __ATOMIC_RELAXED);
}

static bool sleep_until(struct otlp *o, uint64_t when_s)
{
	struct timespec until = { .tv_sec = when_s };

	pthread_mutex_lock(&o->lock);
	while (!o->stop && pthread_cond_timedwait(&o->wake, &o->lock, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&o->lock);
	return !is_stopped(o);
}

static void *work(void *arg)
{
	struct way *w = arg;
	uint64_t late = w->otlp->collector->config->export_late_s, now, when;

	do {
		int err = 0;

		now = time(NULL);
		forget(w, now);
		while (!err && w->next_s + MINUTE_S + late <= now && !is_stopped(w->otlp)) {
			err = send_minute(w, w->next_s);
			w->next_s += err ? 0 : MINUTE_S;
		}
		now = time(NULL);
		when = err ? now + w->wait_s : w->next_s + MINUTE_S + late;
		/* A clock that was set must not keep us waiting for it. */
		if (when > now + LAST_S)
			w->next_s = now / MINUTE_S * MINUTE_S;
	} while (sleep_until(w->otlp, when > now + LAST_S ? now + MINUTE_S : when));
	return NULL;
}

/* ---- beginning and end ---- */

static int way_start(struct otlp *o, enum kind kind, uint64_t first, char *err, size_t errlen)
{
	const struct serve_config *config = o->collector->config;
	struct way *w = &o->ways[kind];
	int error = otlp_post_new(config->otlp_endpoint, paths[kind], config->otlp_headers_file,
				  is_stopped, o, &w->post, err, errlen);

	w->otlp = o;
	w->kind = kind;
	w->next_s = first;
	if (error)
		return error;
	error = -pthread_create(&w->thread, NULL, work, w);
	w->runs = !error;
	return error;
}

int otlp_start(struct collector *c, struct otlp **ret, char *err, size_t errlen)
{
	const struct serve_config *config = c->config;
	const bool wanted[KINDS] = { config->otlp_metrics, config->otlp_profiles };
	/* The last complete minute; older ones another may have sent. */
	uint64_t first = minute_last(time(NULL), config->export_late_s);
	struct otlp *o;
	int error = 0;

	*ret = NULL;
	if (!config->otlp_endpoint)
		return 0;
	snprintf(err, errlen, "no memory");
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->collector = c;
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->wake, NULL);
	for (int i = 0; i < KINDS && !error; i++)
		if (wanted[i])
			error = way_start(o, i, first, err, errlen);
	if (error)
		otlp_stop(o);
	else
		*ret = o;
	return error;
}

void otlp_stop(struct otlp *o)
{
	if (!o)
		return;
	pthread_mutex_lock(&o->lock);
	__atomic_store_n(&o->stop, true, __ATOMIC_RELAXED);
	pthread_cond_broadcast(&o->wake);
	pthread_mutex_unlock(&o->lock);
	for (int i = 0; i < KINDS; i++) {
		if (o->ways[i].runs)
			pthread_join(o->ways[i].thread, NULL);
		otlp_post_free(o->ways[i].post);
	}
	pthread_cond_destroy(&o->wake);
	pthread_mutex_destroy(&o->lock);
	free(o);
}
