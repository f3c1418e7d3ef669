/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/requests.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/wire_request.h"
#include "userspace/field_tags.h"
#include "userspace/phases.h"
#include "userspace/process_tags.h"
#include "userspace/request_config.h"
#include "userspace/routes.h"
#include "userspace/served_processes.h"
#include "userspace/serving.h"
#include "userspace/worker_life.h"

struct requests {
	struct requests_options o;
	struct sink *sink;
	struct tag_sets *tags;
	struct routes *routes;
	struct request_groups *groups;
	struct worker_lives *lives;
	struct served_processes *processes;
	struct ring_buffer *ring; /* NULL in tests */
	int error; /* the sink's first */
	uint64_t seen, unread, untagged, ungrouped, cut;
	uint64_t covered_ns; /* that phases stand for */
	/* Of the event at hand. */
	struct wire_request request;
	struct wire_event_class class;
	struct tag_list list;
};

/* ---- events: the kernel's own, but no size in them is believed ---- */

static bool lengths_are_valid(const uint16_t lengths[WIRE_FIELDS])
{
	for (int i = 0; i < WIRE_FIELDS; i++)
		if (lengths[i] > WIRE_FIELD_MAX && lengths[i] != WIRE_FIELD_ABSENT)
			return false;
	return true;
}

/* What is empty at the end is not sent. */
static bool request_decode(struct wire_request *q, const void *data, size_t size)
{
	if (size < offsetof(struct wire_request, method) || size > sizeof(*q))
		return false;
	memcpy(q, data, size);
	memset((char *)q + size, 0, sizeof(*q) - size);
	return q->method_length <= WIRE_METHOD_MAX && q->path_length <= WIRE_PATH_MAX &&
	       q->route_length <= WIRE_ROUTE_MAX && q->marks_length <= WIRE_MARKS_MAX &&
	       lengths_are_valid(q->field_lengths);
}

static bool class_decode(struct wire_event_class *c, const void *data, size_t size)
{
	if (size < offsetof(struct wire_event_class, method) || size > sizeof(*c))
		return false;
	memcpy(c, data, size);
	memset((char *)c + size, 0, sizeof(*c) - size);
	return c->method_length <= WIRE_METHOD_MAX && c->route_length <= WIRE_ROUTE_MAX &&
	       lengths_are_valid(c->field_lengths);
}

/* ---- one request ---- */

static int64_t clamped(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : value;
}

static void request_values(const struct requests *r, const struct wire_request *q,
			   struct request_values *ret)
{
	*ret = (struct request_values){ .measures = {
		[REQUEST_COST] = clamped(q->cost),
		[REQUEST_KERNEL_COST] = r->o.kernel_mode ? clamped(q->cost_kernel) : 0,
		[REQUEST_LATENCY] = clamped(q->latency),
		[REQUEST_CPU] = clamped(q->cpu_ns),
		[REQUEST_RUN_QUEUE] = clamped(q->run_queue_ns),
		[REQUEST_SYSCALL] = clamped(q->syscall_ns),
		[REQUEST_GIL] = clamped(q->gil_ns),
		[REQUEST_GC] = clamped(q->gc_ns),
		[REQUEST_GCS] = q->gcs,
		[REQUEST_GC_COST] = clamped(q->gc_cost),
		[REQUEST_IMPORT] = clamped(q->import_ns),
		[REQUEST_IMPORTS] = q->imports,
		[REQUEST_IMPORT_COST] = clamped(q->import_cost),
		[REQUEST_RSS] = q->rss,
		[REQUEST_BYTES_IN] = clamped(q->bytes_in),
		[REQUEST_BYTES_OUT] = clamped(q->bytes_out),
		[REQUEST_THREADS] = q->threads,
		[REQUEST_HEAD] = clamped(q->head_ns),
		[REQUEST_PROBED_CALLS] = clamped(q->probed_calls),
	} };
	for (unsigned i = 0; i < r->o.config->backend_count; i++) {
		ret->backend_calls[i] = q->backends[i].calls;
		ret->backend_ns[i] = q->backends[i].ns;
	}
}

static uint16_t group_flags(const struct wire_request *q)
{
	return (q->flags & WIRE_REQUEST_EXACT ? GROUP_EXACT : 0) |
	       (q->flags & WIRE_REQUEST_TLS ? GROUP_TLS : 0) |
	       (q->flags & (WIRE_REQUEST_ABORTED | WIRE_REQUEST_DIED) ? GROUP_ABORTED : 0) |
	       (q->flags & WIRE_REQUEST_SHARED ? GROUP_SHARED : 0) |
	       (q->flags & WIRE_REQUEST_TICKS ? GROUP_TICKS : 0) |
	       (q->protocol == WIRE_PROTOCOL_MARKED ? GROUP_TASK : 0);
}

/* What the request and its process say; *ret: its process alone. */
static int request_tags(struct requests *r, const struct wire_request *q, uint32_t *ret)
{
	const struct request_config *c = r->o.config;
	int err = served_process_tags(r->processes, q->head.tgid, &r->list, ret);

	if (err)
		return err;
	field_tags(c, q->field_lengths, q->fields, false, &r->list);
	mark_tags(c, q->marks, q->marks_length, &r->list);
	return 0;
}

/*
 * *tags: in, its process's, which it stays when there are too many; users are left out
 * before that.
 */
static int request_tags_id(struct requests *r, const struct wire_request *q, uint32_t *tags)
{
	const struct request_config *c = r->o.config;
	uint32_t id;
	int err;

	/* Who has heard of each need not be told again which was whose. */
	if (r->o.each || (!c->field_count && !q->marks_length))
		return 0;
	err = tag_sets_id(r->tags, &r->list, &id);
	if (err == -ENOSPC) {
		r->untagged++;
		tags_without_users(c, &r->list);
		err = tag_sets_id(r->tags, &r->list, &id);
	}
	if (!err)
		*tags = id;
	return err == -ENOSPC ? 0 : err;
}

static void request_each(struct requests *r, const struct wire_request *q,
			 const struct sink_group *g, const struct request_values *v)
{
	char method[WIRE_METHOD_MAX + 1] = "", path[WIRE_PATH_MAX + 1] = "";
	struct request_seen seen = { .begin_ns = q->begin, .pid = g->pid, .tid = q->tid,
				     .status = g->status, .flags = g->flags, .method = method,
				     .path = path, .endpoint = g->endpoint,
				     .endpoint_method = routes_method(r->routes, g->endpoint),
				     .endpoint_name = routes_name(r->routes, g->endpoint),
				     .tags = &r->list, .values = v };

	memcpy(method, q->method, q->method_length);
	memcpy(path, q->path, q->path_length);
	r->o.each(r->o.each_arg, &seen);
}

static int request_take(struct requests *r, const struct wire_request *q)
{
	struct sink_group group = { .pid = q->head.tgid, .status = q->status,
				    .flags = group_flags(q) };
	struct request_values values;
	int err = routes_endpoint(r->routes, q, &group.endpoint);

	if (!err)
		err = request_tags(r, q, &group.tags);
	if (err)
		return err;
	request_values(r, q, &values);
	r->seen++;
	if (r->o.on_request)
		r->o.on_request(r->o.arg, q, routes_method(r->routes, group.endpoint),
				routes_name(r->routes, group.endpoint));
	if (r->o.each)
		request_each(r, q, &group, &values);
	err = worker_lives_request(r->lives, q->head.tgid, q->cost);
	if (!err)
		err = request_tags_id(r, q, &group.tags);
	if (err)
		return err;
	err = request_groups_add(r->groups, &group, &values);
	if (err == -ENOSPC) {
		r->ungrouped++;
		err = 0;
	}
	return err;
}

static int class_take(struct requests *r, const struct wire_event_class *c)
{
	uint32_t endpoint = 0;
	int err = routes_class(r->routes, c);

	if (!err)
		err = routes_class_endpoint(r->routes, c->class_id, &endpoint);
	if (!err && endpoint && r->o.on_class)
		r->o.on_class(r->o.arg, c->class_id, routes_method(r->routes, endpoint),
			      routes_name(r->routes, endpoint));
	return err;
}

static int life_take(struct requests *r, const struct wire_event_life *e)
{
	int err = 0;

	if (e->head.kind == WIRE_EVENT_BORN)
		err = served_process_born(r->processes, e->head.tgid, e->parent);
	else
		served_process_died(r->processes, e->head.tgid);
	if (r->o.on_life)
		r->o.on_life(r->o.arg, e);
	return err ? err : worker_lives_event(r->lives, e);
}

void requests_event(struct requests *r, const void *data, size_t size)
{
	struct wire_event head;
	int err = 0;

	if (size < sizeof(head)) {
		r->unread++;
		return;
	}
	memcpy(&head, data, sizeof(head));
	if (head.kind == WIRE_EVENT_REQUEST && request_decode(&r->request, data, size)) {
		err = request_take(r, &r->request);
	} else if (head.kind == WIRE_EVENT_CLASS && class_decode(&r->class, data, size)) {
		err = class_take(r, &r->class);
	} else if ((head.kind == WIRE_EVENT_BORN || head.kind == WIRE_EVENT_DIED) &&
		   size >= sizeof(struct wire_event_life)) {
		struct wire_event_life life;

		memcpy(&life, data, sizeof(life));
		err = life_take(r, &life);
	} else {
		r->unread++;
	}
	if (err && !r->error)
		r->error = err;
}

/* ---- */

static int on_event(void *arg, void *data, size_t size)
{
	requests_event(arg, data, size);
	return 0;
}

static int class_canonical(void *arg, uint64_t class_id, uint64_t canonical)
{
	return serving_canonical(arg, class_id, canonical);
}

static int process_totals(void *arg, pid_t pid, struct wire_served *ret)
{
	return serving_totals(arg, pid, ret);
}

static int requests_prepare(struct requests *r)
{
	const struct request_config *c = r->o.config;
	struct serving *s = r->o.serving;
	struct routes_options routes = { .config = c, .sink = r->sink,
					 .canonical = s ? class_canonical : NULL, .arg = s };
	struct worker_lives_options lives = { .sink = r->sink, .totals = s ? process_totals : NULL,
					      .arg = s, .by_phases = r->o.by_phases };
	int err = tag_sets_new(r->sink, c->max_tag_sets, &r->tags);

	routes.tags = r->tags;
	if (!err)
		err = routes_new(&routes, &r->routes);
	if (!err)
		err = request_groups_new(r->sink, &r->groups);
	if (!err)
		err = worker_lives_new(&lives, &r->lives);
	if (!err)
		err = served_processes_new(c, r->tags, &r->processes);
	if (err || !s)
		return err;
	r->ring = ring_buffer__new(serving_events_fd(s), on_event, r, NULL);
	return r->ring ? 0 : -errno;
}

int requests_open(const struct requests_options *o, struct sink *sink, struct requests **ret,
		  char *err, size_t errlen)
{
	struct requests *r = calloc(1, sizeof(*r));
	int error = -ENOMEM;

	if (r) {
		r->o = *o;
		r->sink = sink;
		error = requests_prepare(r);
	}
	if (error) {
		snprintf(err, errlen, "cannot start: %s", strerror(-error));
		requests_close(r);
		return error;
	}
	*ret = r;
	return 0;
}

void requests_close(struct requests *r)
{
	if (!r)
		return;
	ring_buffer__free(r->ring);
	served_processes_free(r->processes);
	worker_lives_free(r->lives);
	request_groups_free(r->groups);
	routes_free(r->routes);
	tag_sets_free(r->tags);
	free(r);
}

static int backends_tell(struct requests *r)
{
	const struct request_config *c = r->o.config;
	int err = 0;

	for (unsigned i = 0; i < c->backend_count && r->sink->backend && !err; i++) {
		struct sink_backend fact = { i + 1, c->backends[i].name };

		err = r->sink->backend(r->sink, &fact);
	}
	return err;
}

int requests_begin(struct requests *r, const char *host, uint64_t at_ns)
{
	const struct request_config *c = r->o.config;
	uint32_t id;
	int err = backends_tell(r);

	if (err)
		return err;
	r->list.count = 0;
	tag_list_set(&r->list, "host", 4, host, strlen(host));
	for (unsigned i = 0; i < c->tag_count; i++)
		if (c->tags[i].source == TAG_TEXT)
			tag_list_set(&r->list, c->tags[i].key, strlen(c->tags[i].key),
				     c->tags[i].value, strlen(c->tags[i].value));
	worker_lives_begin(r->lives, at_ns);
	err = tag_sets_id(r->tags, &r->list, &id);
	return err || !r->sink->common_tags ? err : r->sink->common_tags(r->sink, id);
}

int requests_process(struct requests *r, pid_t pid, const char *python)
{
	int err = served_process_add(r->processes, pid, python);

	return err ? err : worker_lives_add(r->lives, pid);
}

int requests_poll_fd(const struct requests *r)
{
	return ring_buffer__epoll_fd(r->ring);
}

int requests_consume(struct requests *r)
{
	int err = r->ring ? ring_buffer__consume(r->ring) : 0;

	return err < 0 && err != -EINTR ? err : 0;
}

/* All that began in it, then the phase itself. */
static int phase_tell(struct requests *r, const struct phase *p)
{
	struct sink_phase fact = { p->gap_ns, p->watched_ns, p->cost_ns, p->cpu_ns };
	int err = requests_consume(r);

	r->cut += p->cut;
	if (!err)
		err = request_groups_tell(r->groups);
	if (p->watched_ns) {
		worker_lives_phase(r->lives,
				   (double)(p->gap_ns + p->watched_ns) / p->watched_ns);
		r->covered_ns += p->gap_ns + p->watched_ns;
	} else if (r->covered_ns) {
		worker_lives_scale(r->lives, 1 + (double)p->gap_ns / r->covered_ns);
	}
	return err || !r->sink->phase ? err : r->sink->phase(r->sink, &fact);
}

int requests_turn(struct requests *r)
{
	struct phase phase;
	int ret = r->o.serving ? phases_turn(serving_phases(r->o.serving), &phase) : 0, err;

	if (ret <= 0)
		return ret;
	err = phase_tell(r, &phase);
	if (err && !r->error)
		r->error = err;
	return 0;
}

static int last_phase_tell(struct requests *r)
{
	struct phase phase;

	if (!r->o.serving || !phases_finish(serving_phases(r->o.serving), &phase))
		return 0;
	return phase_tell(r, &phase);
}

int requests_pass(struct requests *r, bool last)
{
	int err;

	if (r->o.serving && last)
		serving_finish(r->o.serving);
	else if (r->o.serving)
		serving_pass(r->o.serving);
	err = requests_consume(r);
	if (err && !r->error)
		r->error = err;
	if (!r->error)
		r->error = request_groups_tell(r->groups);
	if (!r->error && last)
		r->error = last_phase_tell(r);
	if (!r->error)
		r->error = worker_lives_tell(r->lives, last);
	served_processes_tidy(r->processes);
	return r->error;
}

uint32_t requests_endpoint(struct requests *r, uint64_t class_id)
{
	uint32_t ret;
	int err = routes_class_endpoint(r->routes, class_id, &ret);

	if (err && !r->error)
		r->error = err;
	return err ? 0 : ret;
}

uint64_t requests_seen(const struct requests *r)
{
	return r->seen;
}

static const struct {
	uint8_t wire, loss;
} of_wire[] = {
	{ WIRE_LOSS_REQUESTS, LOSS_REQUESTS },	 { WIRE_LOSS_CONNECTIONS, LOSS_CONNECTIONS },
	{ WIRE_LOSS_CLASSES, LOSS_CLASSES },	 { WIRE_LOSS_SERVERS, LOSS_SERVERS },
	{ WIRE_LOSS_GARBLED, LOSS_GARBLED },	 { WIRE_LOSS_SLICES, LOSS_SLICES },
	{ WIRE_LOSS_UNCOUNTED, LOSS_UNCOUNTED }, { WIRE_LOSS_PROCS, LOSS_PROCESSES },
	{ WIRE_LOSS_EVENTS, LOSS_EVENTS },
};

void requests_losses(const struct requests *r, uint64_t losses[LOSS_MAX])
{
	uint64_t wire[WIRE_LOSS_MAX] = { 0 };

	if (r->o.serving)
		serving_losses(r->o.serving, wire);
	for (size_t i = 0; i < sizeof(of_wire) / sizeof(*of_wire); i++)
		losses[of_wire[i].loss] += wire[of_wire[i].wire];
	losses[LOSS_REQUESTS] += r->unread + r->ungrouped;
	losses[LOSS_CLASSES] += routes_beyond(r->routes);
	losses[LOSS_TAGS] += r->untagged;
	losses[LOSS_CUT] += r->cut;
}
