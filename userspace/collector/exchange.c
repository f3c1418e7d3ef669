/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/collector/exchange.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/clock.h"
#include "userspace/collector/collector.h"
#include "userspace/collector/collector_parts.h"
#include "userspace/collector/visitor.h"
#include "userspace/fleet/daemon_log.h"

#define BODY_ROOM_FIRST 16384
#define SENDING_S 300 /* in which an answer must be read */

void exchange_answer(struct exchange *e, unsigned status, const char *type, char *text, size_t size)
{
	e->type = type;
	e->text = text;
	e->text_size = text ? size : 0;
	e->status = status;
	if (e->asleep) {
		e->asleep = false;
		MHD_resume_connection(e->connection);
	}
}

/* As JSON; foreign bytes in it become question marks. */
static char *error_json(const char *fmt, va_list ap)
{
	char text[1024];
	json_t *object;
	char *ret;

	vsnprintf(text, sizeof(text), fmt, ap);
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
			*c = '?';
	object = json_pack("{s:s}", "error", text);
	ret = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	return ret;
}

static void refuse(struct exchange *e, unsigned status, const char *fmt, va_list ap)
{
	char *text = error_json(fmt, ap);

	exchange_answer(e, status, "application/json", text, text ? strlen(text) : 0);
}

void exchange_refuse(struct exchange *e, unsigned status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	refuse(e, status, fmt, ap);
	va_end(ap);
}

static void log_refused(const struct exchange *e, unsigned status, const char *why)
{
	char sender[LOG_VALUE_SIZE], reason[LOG_VALUE_SIZE];

	daemon_log_some(LOG_WARNING, "batch_refused", "status=%u from=%s grant=%s sender=%s reason=%s",
		       status, e->visitor->address, e->grant ? e->grant->name : "-",
		       daemon_log_value(sender, e->unpacked ? e->batch.sender : "-"),
		       daemon_log_value(reason, why));
}

void exchange_refuse_batch(struct exchange *e, enum batch_result why, unsigned status,
			   unsigned retry_s, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	metrics_batch(&e->collector->metrics, why);
	log_refused(e, status, text);
	exchange_free_body(e);
	exchange_free_batch(e);
	e->retry_s = retry_s;
	exchange_refuse(e, status, "%s", text);
}

static enum MHD_Result send_it(struct exchange *e, struct MHD_Response *response)
{
	struct collector *c = e->collector;
	char retry[16];
	enum MHD_Result ret;

	if (e->type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, e->type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (e->status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
	if (e->retry_s) {
		snprintf(retry, sizeof(retry), "%u", e->retry_s);
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, retry);
	}
	if (collector_is_draining(c))
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	visitor_until(&c->visitors, e->visitor, clock_ns() + SENDING_S * 1000000000ull);
	ret = MHD_queue_response(e->connection, e->status, response);
	MHD_destroy_response(response);
	return ret;
}

enum MHD_Result exchange_send(struct exchange *e)
{
	static char nothing[] = "{\"error\":\"no memory\"}";
	struct MHD_Response *response;

	if (e->text)
		response = MHD_create_response_from_buffer(e->text_size, e->text, MHD_RESPMEM_MUST_FREE);
	else
		response = MHD_create_response_from_buffer(sizeof(nothing) - 1, nothing,
							   MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	e->text = NULL;
	return send_it(e, response);
}

/* ---- bodies ---- */

bool exchange_reserve(struct exchange *e, uint64_t bytes)
{
	struct serve_metrics *m = &e->collector->metrics;
	int64_t change = bytes - e->reserved;

	if (metrics_gauge(m, GAUGE_IN_FLIGHT_BYTES, change) >
		    (int64_t)e->collector->config->in_flight && change > 0) {
		metrics_gauge(m, GAUGE_IN_FLIGHT_BYTES, -change);
		return false;
	}
	e->reserved = bytes;
	return true;
}

void exchange_free_body(struct exchange *e)
{
	exchange_reserve(e, e->reserved - e->room);
	free(e->body);
	e->body = NULL;
	e->size = e->room = 0;
}

void exchange_free_batch(struct exchange *e)
{
	batch_free(&e->batch);
	e->unpacked = false;
	exchange_reserve(e, e->room);
}

static int make_room(struct exchange *e, size_t size)
{
	size_t room = e->room ? e->room : BODY_ROOM_FIRST;
	char *more;

	while (room < size)
		room *= 2;
	if (room == e->room)
		return 0;
	if (!exchange_reserve(e, e->reserved + room - e->room))
		return -ENOBUFS;
	more = realloc(e->body, room);
	if (!more) {
		exchange_reserve(e, e->reserved - (room - e->room));
		return -ENOBUFS;
	}
	e->body = more;
	e->room = room;
	return 0;
}

int exchange_take(struct exchange *e, const char *data, size_t size)
{
	int err;

	if (size > e->collector->config->body - e->size)
		return -EMSGSIZE;
	err = make_room(e, e->size + size);
	if (err)
		return err;
	memcpy(e->body + e->size, data, size);
	e->size += size;
	return 0;
}
