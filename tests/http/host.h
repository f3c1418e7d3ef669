/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's parser of connections, compiled for the host and driven as the programs
 * drive it; what it tells is written down as text, so that two runs can be compared.
 */
#ifndef PYCOST_TESTS_HTTP_HOST_H
#define PYCOST_TESTS_HTTP_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif

#include "bpf/wire_request.h"

static struct wire_field request_fields[WIRE_FIELDS];

#include "bpf/http.bpf.h"

struct host_log {
	size_t length;
	char text[1 << 16];
};

/* A connection's direction; `guard` shows what is written where nothing may be. */
struct host {
	struct http_parser parser;
	char guard_parser[64];
	struct wire_request request;
	char guard_request[64];
	struct http_chunk chunk;
	char guard_chunk[64];
	struct http_quick quick;
	char guard_quick[64];
	bool slow; /* http_run() alone */
	unsigned quicks; /* heads that were gone through in one go */
	bool head_only; /* responses answer a HEAD */
	unsigned begun, ended;
	struct host_log log;
};

static inline void host_write(struct host *h, const char *text, size_t length)
{
	if (h->log.length + length < sizeof(h->log.text)) {
		memcpy(h->log.text + h->log.length, text, length);
		h->log.length += length;
		h->log.text[h->log.length] = 0;
	}
}

static inline void host_say(struct host *h, const char *text)
{
	host_write(h, text, strlen(text));
}

static inline void host_check(bool sound)
{
	if (!sound)
		abort();
}

/* "GET /path route=/path 0=value" */
static inline void host_request(struct host *h)
{
	const struct wire_request *r = &h->request;

	host_check(r->method_length && r->method_length <= WIRE_METHOD_MAX &&
		   r->path_length <= WIRE_PATH_MAX && r->route_length <= WIRE_ROUTE_MAX);
	host_write(h, r->method, r->method_length);
	host_say(h, " ");
	host_write(h, r->path, r->path_length);
	host_say(h, " route=");
	host_write(h, r->route, r->route_length);
}

static inline void host_fields(struct host *h)
{
	const struct wire_request *r = &h->request;
	char text[16];

	for (int i = 0; i < WIRE_FIELDS; i++) {
		if (r->field_lengths[i] == WIRE_FIELD_ABSENT)
			continue;
		host_check(r->field_lengths[i] <= WIRE_FIELD_MAX);
		snprintf(text, sizeof(text), " %d=", i);
		host_say(h, text);
		host_write(h, r->fields[i], r->field_lengths[i]);
		/* Nothing of what came behind it. */
		for (int j = r->field_lengths[i]; j < WIRE_FIELD_MAX; j++)
			host_check(!r->fields[i][j]);
	}
	if (r->flags & WIRE_REQUEST_CUT)
		host_say(h, " cut");
}

static inline void host_begin_message(struct host *h)
{
	memset(&h->request, 0, sizeof(h->request));
	http_clear(&h->request);
	h->begun++;
	if (h->parser.kind == HTTP_KIND_RESPONSE && h->head_only)
		h->parser.flags |= HTTP_NO_BODY;
}

static inline void host_tell(struct host *h, unsigned events)
{
	bool is_response = h->parser.kind == HTTP_KIND_RESPONSE;
	char status[16];

	if (events & HTTP_BEGIN)
		host_begin_message(h);
	if (events & HTTP_LINE && is_response) {
		snprintf(status, sizeof(status), "%u", h->parser.status);
		host_say(h, status);
	} else if (events & HTTP_LINE) {
		http_route(&h->request, &h->chunk);
		host_request(h);
	}
	if (events & HTTP_HEAD) {
		if (!is_response)
			host_fields(h);
		host_say(h, " head");
	}
	if (events & HTTP_INTERIM)
		host_say(h, " interim\n");
	if (events & HTTP_END)
		host_say(h, " end\n");
	if (events & HTTP_UPGRADED)
		host_say(h, " upgraded\n");
	if (events & HTTP_TLS)
		host_say(h, " tls\n");
	if (events & HTTP_ERROR)
		host_say(h, " error\n");
	h->ended += !!(events & HTTP_END);
	host_check(h->ended <= h->begun);
}

static inline void host_open(struct host *h, unsigned kind)
{
	memset(h, 0, offsetof(struct host, log.text));
	h->log.text[0] = 0;
	http_begin(&h->parser, kind);
}

static inline void host_guards(const struct host *h)
{
	for (int i = 0; i < 64; i++)
		host_check(!h->guard_parser[i] && !h->guard_request[i] && !h->guard_chunk[i] &&
			   !h->guard_quick[i]);
}

/* One chunk, of at most HTTP_CHUNK bytes. */
static inline void host_run(struct host *h, const char *data, size_t length)
{
	unsigned events, runs = 0;

	/* What is behind the end is not looked at: it differs from run to run. */
	memset(h->chunk.data, '\n' + (int)h->log.length % 3, sizeof(h->chunk.data));
	memcpy(h->chunk.data, data, length);
	h->chunk.at = 0;
	h->chunk.n = length;
	do {
		events = http_run(&h->parser, &h->request, &h->chunk);
		host_check(h->chunk.at <= h->chunk.n && ++runs <= HTTP_CHUNK + 2);
		host_tell(h, events);
	} while (events & HTTP_AGAIN);
	host_guards(h);
}

static inline bool host_quick_find(struct host *h)
{
	int next = HTTP_QUICK_LINE;

	if (!http_quick_first(&h->parser, &h->quick))
		return false;
	for (int i = 0; i < HTTP_QUICK_LINES && next == HTTP_QUICK_LINE; i++) {
		next = http_quick_next(&h->quick);
		if (next == HTTP_QUICK_LINE && !http_quick_line(&h->parser, &h->quick))
			return false;
	}
	return next == HTTP_QUICK_HEAD;
}

/* A head that is there as a whole: how much of it was taken. */
static inline size_t host_quick(struct host *h, const char *data, size_t length)
{
	size_t n = length < HTTP_QUICK ? length : HTTP_QUICK;

	if (h->slow || n < HTTP_QUICK_LEAST || !http_quick_may(&h->parser))
		return 0;
	memset(h->quick.data, '\n' + (int)h->log.length % 3, sizeof(h->quick.data));
	memcpy(h->quick.data, data, n);
	h->quick.n = n;
	if (!host_quick_find(h))
		return 0;
	h->quicks++;
	http_quick_begin(&h->parser);
	host_tell(h, HTTP_BEGIN);
	host_check(h->quick.head <= n);
	host_tell(h, http_quick_take(&h->parser, &h->request, &h->quick));
	host_guards(h);
	return h->quick.head;
}

/* What one system call has read. */
static inline void host_feed(struct host *h, const char *data, size_t length)
{
	size_t quick = host_quick(h, data, length);

	data += quick;
	length -= quick;
	if (quick && http_is_due(&h->parser))
		host_run(h, data, 0);
	while (length) {
		size_t n = http_skip(&h->parser, length);

		if (n) {
			data += n;
			length -= n;
			if (!h->parser.skip)
				host_run(h, data, 0);
			continue;
		}
		n = length < HTTP_CHUNK ? length : HTTP_CHUNK;
		host_run(h, data, n);
		data += n;
		length -= n;
	}
}

static inline void host_close(struct host *h)
{
	unsigned events = http_close(&h->parser);

	host_tell(h, events);
}

#endif
