/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What microhttpd calls, in the threads of connections: who comes, what is wanted, and
 * whether it may. Of who may not, the body is read but not kept, so that the answer gets
 * there; only what says itself to be much too large is cut short.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "userspace/clock.h"
#include "userspace/collector/collector_parts.h"
#include "userspace/collector/door_text.h"
#include "userspace/collector/serve_tls.h"
#include "userspace/fleet/daemon_log.h"

#define IDLE_S 120 /* between requests, with the next one's head */
#define DISCARD_FACTOR 2 /* of the limit of a body */

_Static_assert(TLS_NAME_MAX == 256, "names of a visitor");

static uint64_t seconds_from_now(uint64_t s)
{
	return clock_ns() + s * 1000000000;
}

/* ---- connections ---- */

static gnutls_session_t session_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	return info ? info->tls_session : NULL;
}

void door_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
		     enum MHD_ConnectionNotificationCode toe)
{
	const union MHD_ConnectionInfo *fd, *address;
	struct collector *c = cls;

	if (toe == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*socket_context) {
			visitor_remove(&c->visitors, *socket_context);
			metrics_gauge(&c->metrics, GAUGE_CONNECTIONS, -1);
		}
		*socket_context = NULL;
		return;
	}
	fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	address = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (!fd)
		return;
	*socket_context = visitor_add(&c->visitors, fd->connect_fd, address ? address->client_addr : NULL,
				      seconds_from_now(c->config->request_s));
	if (*socket_context)
		metrics_gauge(&c->metrics, GAUGE_CONNECTIONS, 1);
	if (c->tls)
		serve_tls_ask(session_of(connection));
}

/* ---- who it is ---- */

/* The certificate is looked at once a connection, and again when ours were reloaded. */
static const struct grant *by_certificate(struct exchange *e)
{
	unsigned generation = serve_tls_generation();
	struct visitor *v = e->visitor;
	const struct grant *g = NULL;

	if (v->names_generation != generation || !v->names) {
		if (!v->names)
			v->names = calloc(TLS_NAMES_MAX, TLS_NAME_MAX);
		if (!v->names)
			return NULL;
		v->name_count = serve_tls_names(session_of(e->connection), v->names);
		v->names_generation = generation;
	}
	for (int i = 0; i < v->name_count && !g; i++)
		g = access_by_name(e->access, v->names[i]);
	return g;
}

static const char *header(struct exchange *e, const char *name)
{
	return MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, name);
}

/* A page of some web site must not reach us by a name that it made up for our address. */
static bool is_lured(struct exchange *e)
{
	const char *host = header(e, MHD_HTTP_HEADER_HOST);

	return e->access->open && !e->collector->config->insecure && host && !door_host_is_local(host);
}

static void find_grant(struct exchange *e)
{
	const char *authorization = header(e, MHD_HTTP_HEADER_AUTHORIZATION);

	if (e->access->open)
		e->grant = access_anybody();
	else if (authorization)
		e->grant = access_by_header(e->access, authorization);
	else if (e->collector->tls)
		e->grant = by_certificate(e);
}

static void refuse(struct exchange *e, enum batch_result why, unsigned status, const char *text)
{
	if (e->route == ROUTE_BATCHES) {
		exchange_refuse_batch(e, why, status, 0, "%s", text);
		return;
	}
	metrics_count(&e->collector->metrics, COUNT_REFUSED, 1);
	daemon_log_some(LOG_WARNING, "refused", "status=%u from=%s grant=%s", status, e->visitor->address,
		       e->grant ? e->grant->name : "-");
	exchange_refuse(e, status, "%s", text);
}

static void admit(struct exchange *e)
{
	enum access_right right = e->route == ROUTE_BATCHES ? MAY_PUSH
				  : e->route == ROUTE_QUERY ? MAY_QUERY
							    : MAY_METRICS;

	if (is_lured(e)) {
		refuse(e, BATCH_FORBIDDEN, MHD_HTTP_FORBIDDEN,
		       "without tokens this is for requests to an address or localhost only");
		return;
	}
	if (e->route == ROUTE_HEALTH || e->route == ROUTE_READY ||
	    (e->route == ROUTE_METRICS && e->collector->config->open_metrics))
		return;
	find_grant(e);
	if (!e->grant)
		refuse(e, BATCH_UNAUTHORIZED, MHD_HTTP_UNAUTHORIZED,
		       "a token or a client certificate that is known here is needed");
	else if (!(e->grant->may & right) && !(right == MAY_METRICS && e->grant->may & MAY_QUERY))
		refuse(e, BATCH_FORBIDDEN, MHD_HTTP_FORBIDDEN,
		       right == MAY_PUSH    ? "this token may not push"
		       : right == MAY_QUERY ? "this token may not query"
					    : "this token may not read metrics");
}

/* ---- what it wants ---- */

static void find_route(struct exchange *e, const char *method, const char *url)
{
	static const char query[] = "/v1/query/";
	static const struct {
		const char *path;
		enum route route;
	} paths[] = {
		{ "/v1/batches", ROUTE_BATCHES },
		{ "/metrics", ROUTE_METRICS },
		{ "/health", ROUTE_HEALTH },
		{ "/ready", ROUTE_READY },
	};
	enum query_what what = 0;

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (!strcmp(paths[i].path, url))
			e->route = paths[i].route;
	if (!strncmp(url, query, sizeof(query) - 1))
		what = query_by_name(url + sizeof(query) - 1);
	if (!strcmp(url, "/v1/pprof")) {
		what = QUERY_PATHS;
		e->form = FORM_PPROF;
	} else if (!strcmp(url, "/v1/aggregates")) {
		what = QUERY_REQUESTS;
		e->minute = true;
		e->older = door_wants_older(header(e, MHD_HTTP_HEADER_ACCEPT));
	}
	if (what) {
		e->route = ROUTE_QUERY;
		query_init(&e->query, what, time(NULL));
	}
	if (e->route == ROUTE_NONE)
		exchange_refuse(e, MHD_HTTP_NOT_FOUND,
				"there are /v1/batches, /v1/query/{functions,callers,paths,requests,series,"
				"users,tags,counters}, /v1/pprof, /v1/aggregates, /metrics, /health and "
				"/ready");
	else if (strcmp(method, e->route == ROUTE_BATCHES ? "POST" : "GET"))
		exchange_refuse(e, MHD_HTTP_METHOD_NOT_ALLOWED, "this takes %s only",
				e->route == ROUTE_BATCHES ? "POST" : "GET");
}

static enum MHD_Result take_argument(void *cls, enum MHD_ValueKind kind, const char *key,
				     const char *value)
{
	struct exchange *e = cls;
	char why[512];

	if (e->status)
		return MHD_NO;
	if (e->minute && strcmp(key, "where")) {
		exchange_refuse(e, MHD_HTTP_BAD_REQUEST, "this takes where only: it is of the last minute");
		return MHD_YES;
	}
	if (value && !strcmp(key, "format")) {
		e->form = answer_form_by_name(value);
		return MHD_YES;
	}
	if (!value || query_set(&e->query, key, value, time(NULL), why, sizeof(why)))
		exchange_refuse(e, MHD_HTTP_BAD_REQUEST, "%s", value ? why : "a key without a value");
	return MHD_YES;
}

static void read_query(struct exchange *e)
{
	char why[512];

	MHD_get_connection_values(e->connection, MHD_GET_ARGUMENT_KIND, take_argument, e);
	if (!e->status && collector_is_draining(e->collector)) {
		e->retry_s = 5;
		exchange_refuse(e, MHD_HTTP_SERVICE_UNAVAILABLE, "the collector is about to end");
	}
	if (!e->status && e->form == ANSWER_FORMS)
		exchange_refuse(e, MHD_HTTP_BAD_REQUEST,
				"format is json, csv, openmetrics, folded, pprof or speedscope");
	if (!e->status && !answer_form_fits(e->form, e->query.what))
		exchange_refuse(e, MHD_HTTP_BAD_REQUEST,
				"folded, pprof and speedscope are of paths; openmetrics of functions, "
				"requests and counters");
	if (!e->status && asking_scope(e->grant, &e->query, why, sizeof(why)))
		refuse(e, BATCH_FORBIDDEN, MHD_HTTP_FORBIDDEN, why);
}

static void read_batch_head(struct exchange *e)
{
	const char *id = header(e, "X-Pycost-Batch"), *sent = header(e, "X-Pycost-Sent");
	const char *size = header(e, MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t limit = e->collector->config->body;

	if (!id || door_batch_id(id, e->id))
		exchange_refuse_batch(e, BATCH_MALFORMED, MHD_HTTP_BAD_REQUEST, 0,
				      "X-Pycost-Batch must be the batch's id, 32 hexadecimal digits");
	else if (sent && door_unix_time(sent, &e->sent_s))
		exchange_refuse_batch(e, BATCH_MALFORMED, MHD_HTTP_BAD_REQUEST, 0,
				      "X-Pycost-Sent must be the time of sending, in Unix seconds");
	else if (size && strtoull(size, NULL, 10) > limit)
		exchange_refuse_batch(e, BATCH_TOO_LARGE, MHD_HTTP_CONTENT_TOO_LARGE, 0,
				      "a batch may have %llu bytes at most", (unsigned long long)limit);
	else if (collector_is_draining(e->collector))
		exchange_refuse_batch(e, BATCH_DRAINING, MHD_HTTP_SERVICE_UNAVAILABLE, 5,
				      "the collector is about to end");
}

static struct exchange *exchange_begin(struct collector *c, struct MHD_Connection *connection,
				       const char *url, const char *method)
{
	const union MHD_ConnectionInfo *visitor =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct exchange *e;

	if (!visitor || !visitor->socket_context)
		return NULL; /* there was no memory for it */
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->collector = c;
	e->connection = connection;
	e->visitor = visitor->socket_context;
	e->began_ns = clock_ns();
	/* Before it is looked whether we are draining. */
	__atomic_add_fetch(&c->exchanges, 1, __ATOMIC_SEQ_CST);
	pthread_rwlock_rdlock(&c->access_lock);
	e->access = access_get(c->access);
	pthread_rwlock_unlock(&c->access_lock);
	visitor_until(&c->visitors, e->visitor, seconds_from_now(c->config->request_s));
	find_route(e, method, url);
	if (!e->status)
		admit(e);
	if (!e->status && e->route == ROUTE_BATCHES)
		read_batch_head(e);
	if (!e->status && e->route == ROUTE_QUERY)
		read_query(e);
	return e;
}

void door_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
		    enum MHD_RequestTerminationCode toe)
{
	struct collector *c = cls;
	struct exchange *e = *con_cls;

	if (!e)
		return;
	*con_cls = NULL;
	if (e->route == ROUTE_BATCHES && !e->acted && !e->status)
		metrics_batch(&c->metrics, BATCH_BROKEN_OFF);
	if (e->route == ROUTE_BATCHES && e->status)
		metrics_time(&c->metrics, TIME_BATCH, clock_ns() - e->began_ns);
	visitor_until(&c->visitors, e->visitor, seconds_from_now(IDLE_S));
	exchange_free_body(e);
	exchange_free_batch(e);
	exchange_reserve(e, 0);
	access_put(e->access);
	free(e->text);
	free(e);
	__atomic_sub_fetch(&c->exchanges, 1, __ATOMIC_ACQ_REL);
}

/* ---- bodies, and what comes of them ---- */

static enum MHD_Result take_body(struct exchange *e, const char *data, size_t size)
{
	int err;

	metrics_count(&e->collector->metrics, COUNT_BYTES, size);
	if (e->status || e->route != ROUTE_BATCHES) {
		e->dropped += size;
		return e->dropped > DISCARD_FACTOR * e->collector->config->body ? MHD_NO : MHD_YES;
	}
	err = exchange_take(e, data, size);
	if (err == -EMSGSIZE)
		exchange_refuse_batch(e, BATCH_TOO_LARGE, MHD_HTTP_CONTENT_TOO_LARGE, 0,
				      "a batch may have %llu bytes at most",
				      (unsigned long long)e->collector->config->body);
	else if (err)
		exchange_refuse_batch(e, BATCH_BUSY, MHD_HTTP_SERVICE_UNAVAILABLE, 5,
				      "too many batches wait to be stored");
	return MHD_YES;
}

static void answer_text(struct exchange *e, unsigned status, const char *text)
{
	char *copy = strdup(text);

	exchange_answer(e, status, "application/json", copy, copy ? strlen(copy) : 0);
}

static void answer_metrics(struct exchange *e)
{
	struct collector *c = e->collector;
	struct serve_state s = {
		.ready = collector_is_ready(c),
		.certificate_expires = c->tls ? serve_tls_expires() : 0,
		.started_s = c->started_s,
	};
	bool older = door_wants_older(header(e, MHD_HTTP_HEADER_ACCEPT));
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	pthread_mutex_lock(&c->status_lock);
	s.store = c->status;
	pthread_mutex_unlock(&c->status_lock);
	if (out) {
		metrics_write(&c->metrics, &s, older, out);
		fclose(out);
	}
	exchange_answer(e, MHD_HTTP_OK, door_metrics_type(older), text, size);
}

static void answer_ready(struct exchange *e)
{
	if (collector_is_ready(e->collector)) {
		answer_text(e, MHD_HTTP_OK, "{\"ready\":true}");
		return;
	}
	e->retry_s = 5;
	answer_text(e, MHD_HTTP_SERVICE_UNAVAILABLE, "{\"ready\":false}");
}

/* All of it is here. */
static enum MHD_Result act(struct exchange *e)
{
	struct collector *c = e->collector;

	e->acted = true;
	if (!e->status && (e->route == ROUTE_BATCHES || e->route == ROUTE_QUERY)) {
		visitor_until(&c->visitors, e->visitor, 0);
		e->asleep = true;
		MHD_suspend_connection(e->connection);
		if (e->route == ROUTE_BATCHES)
			exchange_queue_put(&c->unpacking, e);
		else
			asking_put(c->asking, e);
		return MHD_YES;
	}
	if (!e->status && e->route == ROUTE_METRICS)
		answer_metrics(e);
	else if (!e->status && e->route == ROUTE_READY)
		answer_ready(e);
	else if (!e->status)
		answer_text(e, MHD_HTTP_OK, "{\"alive\":true}");
	return exchange_send(e);
}

/* Not to be read to its end: the answer may not get there, as it is still being sent. */
static bool is_endless(struct exchange *e)
{
	const char *size = header(e, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return e->status && size && strtoull(size, NULL, 10) > DISCARD_FACTOR * e->collector->config->body;
}

enum MHD_Result door_request(void *cls, struct MHD_Connection *connection, const char *url,
			     const char *method, const char *version, const char *data, size_t *size,
			     void **con_cls)
{
	struct exchange *e = *con_cls;

	if (!e) {
		e = exchange_begin(cls, connection, url, method);
		*con_cls = e;
		if (!e)
			return MHD_NO;
		return is_endless(e) ? exchange_send(e) : MHD_YES;
	}
	if (*size) {
		enum MHD_Result ret = take_body(e, data, *size);

		*size = 0;
		return ret;
	}
	if (!e->acted)
		return act(e);
	return exchange_send(e);
}
