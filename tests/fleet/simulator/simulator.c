/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ships what a fleet would ship to a real collector, and says what it shipped:
 *
 *	simulator --url http://127.0.0.1:7680 --hosts 1000 --minutes 5
 *
 * Each thread has its share of the hosts and goes through the minutes one after another. A
 * batch is sent until the collector says that it has it; --again sends some once more, --shuffle
 * in any order. The last line is JSON: what was sent and accepted, for comparison.
 */
#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/fleet/simulator/fleet.h"
#include "tests/fleet/simulator/fleet_service.h"

#define THREADS_MAX 64
#define TRIES 600
#define RETRY_US 200000

static struct {
	struct fleet_options fleet;
	const char *url, *token;
	uint64_t begin_s;
	uint32_t minutes, threads;
	double again; /* share of batches that are sent twice */
	bool shuffle, real_time;
} o = {
	.fleet = {.seed = 1, .hosts = 100, .workers = 100, .services = 5, .functions = 20000,
		  .endpoints = 30, .patterns = 8, .samples_per_worker = 120,
		  .requests_per_worker = 60, .users = 1000000, .period = 10100000},
	.url = "http://127.0.0.1:7680", .minutes = 1, .threads = 2,
};

struct sender {
	pthread_t thread;
	uint32_t number;
	const struct fleet *fleet;
	CURL *curl;
	struct curl_slist *headers;
	uint64_t random;
	struct fleet_totals totals;
	uint64_t bytes, posts, duplicates, retries, refused;
	double slowest; /* seconds of one POST */
};

static size_t swallow(char *data, size_t size, size_t n, void *arg)
{
	return size * n;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static struct curl_slist *headers_of(const struct batch *b)
{
	struct curl_slist *list = NULL;
	char line[512], id[2 * BATCH_ID_SIZE + 1];

	for (unsigned i = 0; i < BATCH_ID_SIZE; i++)
		snprintf(id + 2 * i, 3, "%02x", b->id[i]);
	snprintf(line, sizeof(line), "X-Pycost-Batch: %s", id);
	list = curl_slist_append(list, line);
	snprintf(line, sizeof(line), "X-Pycost-Sent: %ld", (long)time(NULL));
	list = curl_slist_append(list, line);
	if (o.token) {
		snprintf(line, sizeof(line), "Authorization: Bearer %s", o.token);
		list = curl_slist_append(list, line);
	}
	list = curl_slist_append(list, "Expect:");
	return curl_slist_append(list, "Content-Type: application/octet-stream");
}

/* The status; 0: nobody answered. */
static long post(struct sender *s, const struct batch *b, const void *bytes, size_t size)
{
	struct curl_slist *headers = headers_of(b);
	double began = now();
	long status = 0;

	curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(s->curl, CURLOPT_POSTFIELDS, bytes);
	curl_easy_setopt(s->curl, CURLOPT_POSTFIELDSIZE, (long)size);
	if (!curl_easy_perform(s->curl))
		curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	s->posts++;
	s->bytes += size;
	if (now() - began > s->slowest)
		s->slowest = now() - began;
	return status;
}

static int deliver(struct sender *s, const struct batch *b)
{
	bool twice = fleet_even(&s->random) < o.again;
	size_t size;
	void *bytes;
	long status = 0;
	int err = batch_pack(b, &bytes, &size);

	for (int i = 0; !err && i < TRIES && status != 200; i++) {
		if (i) {
			usleep(RETRY_US);
			s->retries++;
		}
		status = post(s, b, bytes, size);
		if (status >= 400 && status < 500 && status != 429) {
			s->refused++;
			err = -EBADMSG;
		}
	}
	if (!err && twice) {
		s->duplicates++;
		post(s, b, bytes, size);
	}
	if (!err && status != 200)
		err = -EHOSTUNREACH;
	if (size)
		free(bytes);
	return err;
}

static int host_minute(struct sender *s, uint32_t host, uint32_t minute)
{
	/* One host of a service explains its names, as one would whose collector knows none. */
	bool names = !minute && host < o.fleet.services;
	struct batch b;
	int err = fleet_batch(s->fleet, host, o.begin_s + minute * BATCH_SECONDS, names, &b,
			      &s->totals);

	if (err)
		return err;
	err = deliver(s, &b);
	batch_free(&b);
	return err;
}

static void *sender_run(void *arg)
{
	struct sender *s = arg;
	double began = now();
	long err = 0;

	for (uint32_t minute = 0; !err && minute < o.minutes; minute++) {
		uint32_t shift = o.shuffle ? fleet_random(&s->random) % o.fleet.hosts : 0;

		while (o.real_time && now() - began < minute * BATCH_SECONDS)
			usleep(10000);
		for (uint32_t i = 0; !err && i < o.fleet.hosts; i++) {
			uint32_t host = (i + shift) % o.fleet.hosts;

			if (host % o.threads == s->number)
				err = host_minute(s, host, minute);
		}
	}
	return (void *)-err;
}

static int sender_start(struct sender *s, const struct fleet *f, uint32_t number, const char *url)
{
	s->number = number;
	s->fleet = f;
	s->random = o.fleet.seed * 77 + number + 1;
	s->curl = curl_easy_init();
	if (!s->curl)
		return -ENOMEM;
	curl_easy_setopt(s->curl, CURLOPT_URL, url);
	curl_easy_setopt(s->curl, CURLOPT_POST, 1L);
	curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, swallow);
	curl_easy_setopt(s->curl, CURLOPT_TIMEOUT, 120L);
	curl_easy_setopt(s->curl, CURLOPT_NOSIGNAL, 1L);
	return -pthread_create(&s->thread, NULL, sender_run, s);
}

static void tell(const struct sender *all, double seconds)
{
	struct sender t = {.number = 0};

	for (uint32_t i = 0; i < o.threads; i++) {
		const struct sender *s = &all[i];

		t.totals.batches += s->totals.batches;
		t.totals.cost_rows += s->totals.cost_rows;
		t.totals.path_rows += s->totals.path_rows;
		t.totals.request_rows += s->totals.request_rows;
		t.totals.bins += s->totals.bins;
		t.totals.samples += s->totals.samples;
		t.totals.self += s->totals.self;
		t.totals.requests += s->totals.requests;
		t.totals.request_cost += s->totals.request_cost;
		t.bytes += s->bytes;
		t.posts += s->posts;
		t.duplicates += s->duplicates;
		t.retries += s->retries;
		t.refused += s->refused;
		t.slowest = s->slowest > t.slowest ? s->slowest : t.slowest;
	}
	printf("{\"seconds\": %.3f, \"batches\": %lu, \"posts\": %lu, \"duplicates\": %lu, "
	       "\"retries\": %lu, \"refused\": %lu, \"bytes\": %lu, \"slowest\": %.3f, "
	       "\"cost_rows\": %lu, \"path_rows\": %lu, \"request_rows\": %lu, \"bins\": %lu, "
	       "\"samples\": %lu, \"self\": %lu, \"requests\": %lu, \"request_cost\": %lu}\n",
	       seconds, t.totals.batches, t.posts, t.duplicates, t.retries, t.refused, t.bytes,
	       t.slowest, t.totals.cost_rows, t.totals.path_rows, t.totals.request_rows,
	       t.totals.bins, t.totals.samples, t.totals.self, t.totals.requests,
	       t.totals.request_cost);
}

enum { URL, TOKEN, HOSTS, WORKERS, SERVICES, FUNCTIONS, ENDPOINTS, PATTERNS, SAMPLES, REQUESTS,
       USERS, MINUTES, BEGIN, THREADS, SEED, AGAIN, SHUFFLE, REAL_TIME };

static const struct option options[] = {
	{"url", 1, NULL, URL}, {"token", 1, NULL, TOKEN}, {"hosts", 1, NULL, HOSTS},
	{"workers", 1, NULL, WORKERS}, {"services", 1, NULL, SERVICES},
	{"functions", 1, NULL, FUNCTIONS}, {"endpoints", 1, NULL, ENDPOINTS},
	{"patterns", 1, NULL, PATTERNS}, {"samples-per-worker", 1, NULL, SAMPLES},
	{"requests-per-worker", 1, NULL, REQUESTS}, {"users", 1, NULL, USERS},
	{"minutes", 1, NULL, MINUTES}, {"begin", 1, NULL, BEGIN}, {"threads", 1, NULL, THREADS},
	{"seed", 1, NULL, SEED}, {"again", 1, NULL, AGAIN}, {"shuffle", 0, NULL, SHUFFLE},
	{"real-time", 0, NULL, REAL_TIME}, {0},
};

static void set(int option)
{
	uint32_t *const numbers[] = {
		[HOSTS] = &o.fleet.hosts, [WORKERS] = &o.fleet.workers,
		[SERVICES] = &o.fleet.services, [FUNCTIONS] = &o.fleet.functions,
		[ENDPOINTS] = &o.fleet.endpoints, [PATTERNS] = &o.fleet.patterns,
		[SAMPLES] = &o.fleet.samples_per_worker,
		[REQUESTS] = &o.fleet.requests_per_worker, [USERS] = &o.fleet.users,
		[MINUTES] = &o.minutes, [THREADS] = &o.threads,
	};

	switch (option) {
	case URL: o.url = optarg; break;
	case TOKEN: o.token = optarg; break;
	case BEGIN: o.begin_s = strtoull(optarg, NULL, 10); break;
	case SEED: o.fleet.seed = strtoull(optarg, NULL, 10); break;
	case AGAIN: o.again = atof(optarg); break;
	case SHUFFLE: o.shuffle = true; break;
	case REAL_TIME: o.real_time = true; break;
	default: *numbers[option] = strtoul(optarg, NULL, 10);
	}
}

int main(int argc, char **argv)
{
	static struct sender senders[THREADS_MAX];
	struct fleet *fleet;
	char url[300];
	double began;
	int option, err, failed = 0;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return 2;
		set(option);
	}
	if (!o.begin_s)
		o.begin_s = time(NULL) - o.minutes * BATCH_SECONDS;
	o.begin_s -= o.begin_s % BATCH_SECONDS;
	if (!o.threads || o.threads > THREADS_MAX || !o.fleet.services || !o.fleet.endpoints ||
	    o.fleet.functions < 4 * o.fleet.endpoints + 4 * COMMON_FRAMES || !o.fleet.patterns)
		return fprintf(stderr, "simulator: such numbers make no fleet\n"), 2;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	err = fleet_new(&o.fleet, &fleet);
	snprintf(url, sizeof(url), "%s/v1/batches", o.url);
	fprintf(stderr, "simulator: the fleet is made\n");
	began = now();
	for (uint32_t i = 0; !err && i < o.threads; i++)
		err = sender_start(&senders[i], fleet, i, url);
	for (uint32_t i = 0; !err && i < o.threads; i++) {
		void *ended;

		pthread_join(senders[i].thread, &ended);
		failed = ended ? (int)(intptr_t)ended : failed;
	}
	tell(senders, now() - began);
	if (err || failed)
		fprintf(stderr, "simulator: %s\n", strerror(err ? -err : failed));
	return err || failed;
}
