/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/agent/board.h"

#include <errno.h>
#include <jansson.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/clock.h"
#include "userspace/fleet/listen_address.h"

#define STALE_NS (60ull * 1000000000) /* a loop that has put nothing up for so long hangs */
#define METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct board {
	pthread_mutex_t mutex;
	struct board_numbers numbers;
	struct spool *spool;
	struct sender *sender;
	struct MHD_Daemon *daemon;
};

static enum MHD_Result answer(struct MHD_Connection *to, unsigned status, const char *type, char *text,
			      size_t size)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result ok;

	if (!r) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	ok = MHD_queue_response(to, status, r);
	MHD_destroy_response(r);
	return ok;
}

static struct board_numbers numbers_now(struct board *b)
{
	struct board_numbers n;

	pthread_mutex_lock(&b->mutex);
	n = b->numbers;
	pthread_mutex_unlock(&b->mutex);
	return n;
}

static enum MHD_Result metrics_answer(struct board *b, struct MHD_Connection *to)
{
	struct board_numbers n = numbers_now(b);
	struct spool_status spool;
	struct sender_status sender;
	size_t size = 0;
	char *text;

	spool_status(b->spool, &spool);
	sender_status(b->sender, &sender);
	text = board_metrics(&n, &spool, &sender, &size);
	return text ? answer(to, MHD_HTTP_OK, METRICS_TYPE, text, size) : MHD_NO;
}

/*
 * Live is an agent whose loop turns, even when it can measure nothing for now: to start it
 * again would not help. What is wrong is told.
 */
static enum MHD_Result health_answer(struct board *b, struct MHD_Connection *to)
{
	struct board_numbers n = numbers_now(b);
	bool stale = n.at_ns && clock_ns() - n.at_ns > STALE_NS;
	struct spool_status spool;
	struct sender_status sender;
	json_t *body;
	char *text;

	spool_status(b->spool, &spool);
	sender_status(b->sender, &sender);
	body = json_pack("{s:s, s:b, s:s, s:i, s:i, s:s, s:s}", "status", stale ? "hangs" : "ok",
			 "measuring", n.measuring, "trouble", n.trouble, "processes",
			 (int)n.roster.attached, "budget_level", (int)n.level, "spool",
			 spool.disk_error, "sender", sender.trouble);
	text = json_dumps(body, JSON_SORT_KEYS);
	json_decref(body);
	if (!text)
		return MHD_NO;
	return answer(to, stale ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK, "application/json", text,
		      strlen(text));
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *to, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_size, void **state)
{
	struct board *b = arg;

	if (strcmp(method, "GET") && strcmp(method, "HEAD"))
		return answer(to, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", strdup("GET only\n"), 9);
	if (!strcmp(url, "/metrics"))
		return metrics_answer(b, to);
	if (!strcmp(url, "/health"))
		return health_answer(b, to);
	return answer(to, MHD_HTTP_NOT_FOUND, "text/plain", strdup("/metrics or /health\n"), 20);
}

int board_open(const char *listen, struct spool *spool, struct sender *sender, struct board **ret,
	       char *text, size_t len)
{
	struct board *b = calloc(1, sizeof(*b));
	struct sockaddr_storage address;
	bool local;
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD;

	if (!b)
		return -ENOMEM;
	b->spool = spool;
	b->sender = sender;
	pthread_mutex_init(&b->mutex, NULL);
	if (listen_address_parse(listen, &address, &local)) {
		snprintf(text, len, "%s is no address", listen);
		board_close(b);
		return -EINVAL;
	}
	if (address.ss_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	errno = 0;
	b->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, b, MHD_OPTION_SOCK_ADDR, &address,
				     MHD_OPTION_CONNECTION_LIMIT, 16u, MHD_OPTION_CONNECTION_TIMEOUT, 10u,
				     MHD_OPTION_END);
	if (!b->daemon) {
		snprintf(text, len, "cannot listen at %s: %s", listen, strerror(errno ? errno : EINVAL));
		board_close(b);
		return -EADDRNOTAVAIL;
	}
	*ret = b;
	return 0;
}

void board_close(struct board *b)
{
	if (!b)
		return;
	if (b->daemon)
		MHD_stop_daemon(b->daemon);
	pthread_mutex_destroy(&b->mutex);
	free(b);
}

void board_put(struct board *b, const struct board_numbers *n)
{
	if (!b)
		return;
	pthread_mutex_lock(&b->mutex);
	b->numbers = *n;
	b->numbers.at_ns = clock_ns();
	pthread_mutex_unlock(&b->mutex);
}
