/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/collector/otlp.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "userspace/collector/collector_parts.h"
#include "userspace/collector/serve_log.h"

#define MINUTE_S 60
#define LATE_S 120
#define BACKLOG_S 3600
#define LOOK_S 10
#define TIMEOUT_S 30L
#define ROWS_MAX "10000"

struct otlp {
	struct collector *collector;
	CURL *curl;
	struct curl_slist *headers;
	char *url;
	uint64_t next_s; /* the minute that is to be sent next */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
};

static size_t take_nothing(char *data, size_t size, size_t count, void *arg)
{
	return size * count;
}

/* A header from a file, which may be a secret: its first line. */
static int add_header_file(struct otlp *o, const char *path)
{
	char line[2048];
	FILE *f = fopen(path, "re");
	struct curl_slist *more = NULL;

	if (!f)
		return -errno;
	setvbuf(f, NULL, _IONBF, 0);
	if (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\r\n")] = 0;
		more = strchr(line, ':') ? curl_slist_append(o->headers, line) : NULL;
	}
	fclose(f);
	explicit_bzero(line, sizeof(line));
	if (!more)
		return -EINVAL;
	o->headers = more;
	return 0;
}

static long post(struct otlp *o, const char *text)
{
	long status = 0;

	curl_easy_setopt(o->curl, CURLOPT_URL, o->url);
	curl_easy_setopt(o->curl, CURLOPT_HTTPHEADER, o->headers);
	curl_easy_setopt(o->curl, CURLOPT_POSTFIELDS, text);
	curl_easy_setopt(o->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(text));
	curl_easy_setopt(o->curl, CURLOPT_WRITEFUNCTION, take_nothing);
	curl_easy_setopt(o->curl, CURLOPT_TIMEOUT, TIMEOUT_S);
	curl_easy_setopt(o->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(o->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	if (curl_easy_perform(o->curl) == CURLE_OK)
		curl_easy_getinfo(o->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static int ask(struct otlp *o, uint64_t minute, json_t **ret, char *why, size_t size)
{
	const char *const settings[][2] = {
		{ "by", o->collector->config->otlp_by },
		{ "limit", ROWS_MAX },
	};
	struct query q;
	int err = 0;

	query_init(&q, QUERY_REQUESTS, minute + MINUTE_S);
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings) && !err; i++)
		err = query_set(&q, settings[i][0], settings[i][1], minute, why, size);
	q.since = minute;
	q.until = minute + MINUTE_S;
	return err ? err : query_run(o->collector->store, &q, ret, why, size);
}

/* 0: sent, or there was nothing; else it is tried again. */
static int send_minute(struct otlp *o, uint64_t minute)
{
	char why[512] = "", reason[LOG_VALUE_SIZE];
	json_t *answer = NULL, *metrics = NULL;
	char *text = NULL;
	long status = 0;
	int err = ask(o, minute, &answer, why, sizeof(why));

	if (!err && !json_array_size(json_object_get(answer, "rows"))) {
		json_decref(answer);
		return 0;
	}
	if (!err)
		metrics = otlp_metrics(answer);
	text = metrics ? json_dumps(metrics, JSON_COMPACT) : NULL;
	if (text)
		status = post(o, text);
	free(text);
	json_decref(metrics);
	json_decref(answer);
	if (status >= 200 && status < 300) {
		metrics_count(&o->collector->metrics, COUNT_OTLP, 1);
		return 0;
	}
	metrics_count(&o->collector->metrics, COUNT_OTLP_ERRORS, 1);
	serve_log_some(LOG_WARNING, "otlp_failed", "status=%ld reason=%s", status,
		       serve_log_value(reason, *why ? why : "not taken"));
	/* What it will never take is left out, so that the next may come. */
	return status >= 400 && status < 500 && status != 429 && status != 408 ? 0 : -EAGAIN;
}

static bool sleep_a_while(struct otlp *o)
{
	struct timespec until;
	bool stop;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LOOK_S;
	pthread_mutex_lock(&o->lock);
	while (!o->stop && !pthread_cond_timedwait(&o->wake, &o->lock, &until))
		;
	stop = o->stop;
	pthread_mutex_unlock(&o->lock);
	return !stop;
}

static void *work(void *arg)
{
	struct otlp *o = arg;

	do {
		uint64_t now = time(NULL), oldest = (now - BACKLOG_S) / MINUTE_S * MINUTE_S;

		if (o->next_s < oldest)
			o->next_s = oldest;
		while (o->next_s + MINUTE_S + LATE_S <= now && !__atomic_load_n(&o->stop, __ATOMIC_RELAXED) &&
		       !send_minute(o, o->next_s))
			o->next_s += MINUTE_S;
	} while (sleep_a_while(o));
	return NULL;
}

static void otlp_free(struct otlp *o)
{
	curl_slist_free_all(o->headers);
	if (o->curl)
		curl_easy_cleanup(o->curl);
	pthread_cond_destroy(&o->wake);
	pthread_mutex_destroy(&o->lock);
	free(o->url);
	free(o);
}

static int prepare(struct otlp *o, char *err, size_t errlen)
{
	const struct serve_config *config = o->collector->config;
	const char *header_file = config->otlp_header_file;
	int error;

	snprintf(err, errlen, "no memory");
	o->curl = curl_easy_init();
	o->headers = curl_slist_append(NULL, "Content-Type: application/json");
	if (!o->curl || !o->headers || asprintf(&o->url, "%s/v1/metrics", config->otlp_url) < 0)
		return -ENOMEM;
	error = header_file ? add_header_file(o, header_file) : 0;
	if (error)
		snprintf(err, errlen, "cannot use %s: %s", header_file,
			 error == -EINVAL ? "its first line must be 'NAME: VALUE'" : strerror(-error));
	return error;
}

int otlp_start(struct collector *c, struct otlp **ret, char *err, size_t errlen)
{
	struct otlp *o;
	int error;

	*ret = NULL;
	if (!c->config->otlp_url)
		return 0;
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->collector = c;
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->wake, NULL);
	/* From what comes from now on; older minutes another may have sent. */
	o->next_s = time(NULL) / MINUTE_S * MINUTE_S - LATE_S;
	error = prepare(o, err, errlen);
	if (!error)
		error = -pthread_create(&o->thread, NULL, work, o);
	if (error)
		otlp_free(o);
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
	pthread_cond_signal(&o->wake);
	pthread_mutex_unlock(&o->lock);
	pthread_join(o->thread, NULL);
	otlp_free(o);
}
