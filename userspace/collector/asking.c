/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/collector/asking.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "userspace/clock.h"
#include "userspace/collector/collector_parts.h"
#include "userspace/collector/door_text.h"
#include "userspace/collector/minute_metrics.h"
#include "userspace/fleet/daemon_log.h"
#include "userspace/glob.h"

#define THREADS_MAX 64
#define WAITING_MAX 64
#define STOP_S 20

struct job {
	struct job *next;
	struct exchange *exchange; /* NULL: it was answered that it takes too long */
	struct query query;
	enum answer_form form;
	bool minute, older;
	uint64_t began_ns;
	bool runs;
};

struct asking {
	struct collector *collector;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct job *jobs; /* in order of their coming; those that run, too */
	size_t count;
	pthread_t threads[THREADS_MAX];
	unsigned thread_count;
	bool stop;
};

/* ---- who may ask what ---- */

static bool is_within(const struct grant *g, const struct query_condition *w)
{
	if (strcmp(w->key, TAG_KEY_SERVICE) || w->not)
		return false;
	if (!glob_is_pattern(w->glob))
		return grant_covers(g, w->glob);
	for (size_t i = 0; i < g->service_count; i++)
		if (!strcmp(g->services[i], w->glob))
			return true;
	return false;
}

int asking_scope(const struct grant *g, struct query *q, char *err, size_t errlen)
{
	struct query_condition *w;

	for (size_t i = 0; i < g->service_count; i++)
		if (!strcmp(g->services[i], "*"))
			return 0;
	for (unsigned i = 0; i < q->where_count; i++)
		if (is_within(g, &q->where[i]))
			return 0;
	if (g->service_count == 1 && q->where_count < QUERY_CONDITIONS_MAX &&
	    strlen(g->services[0]) < QUERY_TEXT_MAX) {
		w = &q->where[q->where_count++];
		*w = (struct query_condition){ .key = TAG_KEY_SERVICE };
		strcpy(w->glob, g->services[0]);
		return 0;
	}
	snprintf(err, errlen, "this token is for some services: name one, as where=service=%s",
		 g->service_count ? g->services[0] : "NAME");
	return -EACCES;
}

/* ---- the threads ---- */

static void job_unlink(struct asking *a, struct job *j)
{
	struct job **link = &a->jobs;

	while (*link != j)
		link = &(*link)->next;
	*link = j->next;
	a->count--;
	metrics_gauge(&a->collector->metrics, GAUGE_QUERIES, -1);
}

/* Waits for one that nobody runs; NULL: the end. */
static struct job *job_take(struct asking *a)
{
	struct job *j;

	pthread_mutex_lock(&a->lock);
	for (;;) {
		for (j = a->jobs; j && j->runs; j = j->next)
			;
		if (j || a->stop)
			break;
		pthread_cond_wait(&a->more, &a->lock);
	}
	if (j)
		j->runs = true;
	pthread_mutex_unlock(&a->lock);
	return j;
}

static unsigned status_of(int err)
{
	if (err == -EINVAL || err == -ERANGE || err == -ENOENT || err == -ENODATA)
		return MHD_HTTP_BAD_REQUEST;
	if (err == -ETIMEDOUT)
		return MHD_HTTP_GATEWAY_TIMEOUT;
	return err == -EAGAIN ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_INTERNAL_SERVER_ERROR;
}

static void answer_failed(struct collector *c, struct exchange *e, int err, const char *why)
{
	char reason[LOG_VALUE_SIZE];

	metrics_count(&c->metrics, COUNT_QUERY_ERRORS, 1);
	if (status_of(err) != MHD_HTTP_BAD_REQUEST)
		daemon_log_some(LOG_ERR, "query_failed", "error=%d reason=%s", -err,
			       daemon_log_value(reason, why));
	if (err == -EAGAIN)
		e->retry_s = 5;
	exchange_refuse(e, status_of(err), "%s", *why ? why : strerror(-err));
}

static int answer_query(struct collector *c, const struct job *j, char **ret, size_t *ret_size,
			char *why, size_t whylen)
{
	json_t *json = NULL;
	int err = query_run(c->store, &j->query, &json, why, whylen);

	if (!err)
		err = answer_form_make(json, j->form, ret, ret_size, why, whylen);
	json_decref(json);
	return err;
}

static int answer_minute(struct collector *c, const struct job *j, char **ret, size_t *ret_size,
			 char *why, size_t whylen)
{
	uint64_t begin = minute_last(time(NULL), c->config->export_late_s);
	struct minute m;
	FILE *out;
	int err = minute_load(c->store, &j->query, begin, c->config->export_series, &m, why, whylen);

	if (err)
		return err;
	metrics_count(&c->metrics, COUNT_EXPORT_CUT, m.cut);
	out = open_memstream(ret, ret_size);
	if (out)
		minute_metrics_write(&m, j->older, out);
	minute_free(&m);
	if (out && !fclose(out))
		return 0;
	if (out)
		free(*ret);
	return -ENOMEM;
}

static void run(struct asking *a, struct job *j)
{
	struct collector *c = a->collector;
	char why[1024] = "";
	const char *type = j->minute ? door_metrics_type(j->older) : answer_form_type(j->form);
	char *text = NULL;
	struct exchange *e;
	size_t size;
	int err = (j->minute ? answer_minute : answer_query)(c, j, &text, &size, why, sizeof(why));

	metrics_time(&c->metrics, TIME_QUERY, clock_ns() - j->began_ns);
	pthread_mutex_lock(&a->lock);
	job_unlink(a, j);
	e = j->exchange;
	pthread_mutex_unlock(&a->lock);
	if (e && err)
		answer_failed(c, e, err, why);
	else if (e)
		exchange_answer(e, MHD_HTTP_OK, type, text, size);
	else
		free(text);
	free(j);
}

static void *work(void *arg)
{
	struct asking *a = arg;
	struct job *j;

	while ((j = job_take(a)))
		run(a, j);
	return NULL;
}

int asking_start(struct collector *c, struct asking **ret)
{
	struct asking *a = calloc(1, sizeof(*a));
	int err = 0;

	if (!a)
		return -ENOMEM;
	a->collector = c;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->more, NULL);
	while (a->thread_count < c->config->queries && a->thread_count < THREADS_MAX && !err) {
		err = -pthread_create(&a->threads[a->thread_count], NULL, work, a);
		a->thread_count += !err;
	}
	if (err)
		asking_stop(a);
	else
		*ret = a;
	return err;
}

int asking_stop(struct asking *a)
{
	struct timespec until;

	if (!a)
		return 0;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_broadcast(&a->more);
	pthread_mutex_unlock(&a->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_S;
	for (unsigned i = 0; i < a->thread_count; i++)
		if (pthread_timedjoin_np(a->threads[i], NULL, &until))
			return -EBUSY;
	pthread_cond_destroy(&a->more);
	pthread_mutex_destroy(&a->lock);
	free(a);
	return 0;
}

void asking_put(struct asking *a, struct exchange *e)
{
	struct job *j = NULL, **link;
	size_t waiting;

	metrics_count(&a->collector->metrics, COUNT_QUERIES, 1);
	pthread_mutex_lock(&a->lock);
	waiting = a->count;
	if (waiting < WAITING_MAX)
		j = calloc(1, sizeof(*j));
	if (j) {
		j->exchange = e;
		j->query = e->query;
		j->form = e->form;
		j->minute = e->minute;
		j->older = e->older;
		j->began_ns = clock_ns();
		j->query.until_ns = j->began_ns + a->collector->config->query_s * 1000000000;
		for (link = &a->jobs; *link; link = &(*link)->next)
			;
		*link = j;
		a->count++;
		metrics_gauge(&a->collector->metrics, GAUGE_QUERIES, 1);
		pthread_cond_signal(&a->more);
	}
	pthread_mutex_unlock(&a->lock);
	if (j)
		return;
	metrics_count(&a->collector->metrics, COUNT_QUERY_BUSY, 1);
	e->retry_s = 5;
	exchange_refuse(e, MHD_HTTP_SERVICE_UNAVAILABLE, "%zu queries wait already", waiting);
}

void asking_tick(struct asking *a, uint64_t now_ns)
{
	uint64_t limit = a->collector->config->query_s;
	struct job *j, *next;

	pthread_mutex_lock(&a->lock);
	for (j = a->jobs; j; j = next) {
		struct exchange *e = j->exchange;

		next = j->next;
		if (!e || now_ns - j->began_ns < limit * 1000000000)
			continue;
		j->exchange = NULL;
		if (!j->runs) {
			job_unlink(a, j);
			free(j);
		}
		metrics_count(&a->collector->metrics, COUNT_QUERY_TIMEOUTS, 1);
		exchange_refuse(e, MHD_HTTP_GATEWAY_TIMEOUT,
				"no answer within %llu s: ask for less time, or fewer tags",
				(unsigned long long)limit);
	}
	pthread_mutex_unlock(&a->lock);
}
