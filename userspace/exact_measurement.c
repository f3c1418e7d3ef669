// SPDX-License-Identifier: GPL-2.0-or-later
/* The exact mode: a counter on each CPU, probes at each call, a call tree in the kernel. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/wire_request.h"
#include "symbolizer/interpreter.h"
#include "userspace/capture.h"
#include "userspace/clock.h"
#include "userspace/codes.h"
#include "userspace/counter.h"
#include "userspace/counters.h"
#include "userspace/drain.h"
#include "userspace/kernel.h"
#include "userspace/measurement.h"
#include "userspace/phases.h"
#include "userspace/serving.h"
#include "userspace/tracker.h"
#include "userspace/watch.h"

/* How often a process that has exec'ed is looked at. */
#define LOOK_MS 20
/* How long a captured request may take when all is over. */
#define CAPTURE_END_NS 2000000000ull

struct exact {
	struct measurement base; /* first */
	struct session_options options;
	struct counters counters;
	struct kernel *kernel;
	struct codes *codes;
	struct drain *drain;
	struct ring_buffer *ring;
	struct tracker tracker;
	struct watch *watch; /* NULL: requests are not looked at */
	struct capture *capture; /* NULL: all calls are measured */
	/* What the command to be launched is; NULL: no Python, as far as can be told. */
	struct known_build *expected;
	uint64_t expected_type;
};

static struct exact *exact_of(struct measurement *m)
{
	return (struct exact *)m;
}

static const struct exact *exact_of_const(const struct measurement *m)
{
	return (const struct exact *)m;
}

static void tell(struct exact *s, int err)
{
	if (err && !s->tracker.sink_error)
		s->tracker.sink_error = err;
}

static int on_event(void *arg, void *data, size_t size)
{
	const struct wire_event *e = data;
	struct exact *s = arg;

	tracker_event(&s->tracker, e);
	if (s->capture && e->kind == WIRE_EVENT_EXIT)
		capture_died(s->capture, e->tgid);
	return 0;
}

static void exact_meta(const struct measurement *m, struct sink_meta *ret)
{
	const struct exact *s = exact_of_const(m);

	counters_meta(&s->counters, ret);
	ret->requests = s->watch != NULL;
}

static void on_class(void *arg, uint64_t class_id, const char *method, const char *name)
{
	struct exact *s = arg;

	if (s->capture)
		capture_class(s->capture, class_id, method, name);
}

static void on_request(void *arg, const struct wire_request *r, const char *method, const char *name)
{
	struct exact *s = arg;

	if (s->capture)
		capture_request(s->capture, r->head.tgid, method, name);
}

static bool is_in_part(const struct session_options *o)
{
	return o->requests && (o->one_in > 1 || o->endpoint);
}

static int capture_prepare(struct exact *s)
{
	struct capture_options o = {.every = s->options.one_in, .endpoint = s->options.endpoint,
				    .serving = s->watch->serving, .tracker = &s->tracker};

	return is_in_part(&s->options) ? capture_new(&o, &s->capture) : 0;
}

/* A phase pays for the probes of what is captured in it, too. */
static double probes_cost(void *arg)
{
	const struct exact *s = arg;
	double cost = 0;

	for (size_t i = 0; i < s->tracker.builds.n; i++)
		cost += build_cost(s->tracker.builds.v[i]->build);
	return cost;
}

static int watch_prepare(struct exact *s, char *text, size_t len)
{
	struct watch_options o = {.session = &s->options, .sink = s->base.sink,
				  .codes = s->codes, .counter = s->counters.user,
				  .kernel_counter = s->counters.kernel, .exact = s->kernel,
				  .by_request = true, .wanted_only = s->options.endpoint != NULL,
				  .on_class = on_class, .on_request = on_request, .arg = s};
	int err;

	if (!s->options.requests)
		return 0;
	err = watch_open(&o, &s->watch, text, len);
	s->tracker.watch = s->watch;
	if (err)
		return err;
	phases_others(serving_phases(s->watch->serving), probes_cost, s);
	return capture_prepare(s);
}

static int drain_prepare(struct exact *s)
{
	struct drain_ops ops = {.knows = tracker_knows, .cost = tracker_cost,
				.arg = &s->tracker,
				.endpoint = s->watch ? watch_endpoint : NULL,
				.endpoint_arg = s->watch};
	int err = drain_new(s->kernel, s->codes, s->base.sink, &ops, &s->drain);

	if (err)
		return err;
	s->ring = ring_buffer__new(kernel_events_fd(s->kernel), on_event, s, NULL);
	return s->ring ? 0 : -errno;
}

static int exact_prepare(struct exact *s, char *text, size_t len)
{
	struct kernel_options ko = {.max_nodes = s->options.max_nodes,
				    .max_threads = s->options.max_threads,
				    .per_thread = s->options.per_thread,
				    .no_follow = s->options.no_follow,
				    .by_request = s->options.requests != NULL,
				    .whole_requests = is_in_part(&s->options)};
	int err = counters_open(&s->counters, s->options.metric, s->options.kernel_mode, text,
				len);

	if (err)
		return err;
	ko.kernel_counter = s->counters.kernel;
	err = kernel_open(&ko, s->counters.user, &s->kernel, text, len);
	if (err)
		return err;
	err = codes_new(s->base.sink, &s->codes);
	s->tracker = (struct tracker){
		.kernel = s->kernel, .sink = s->base.sink, .codes = s->codes,
		.no_follow = s->options.no_follow, .per_thread = s->options.per_thread,
		.on_demand = is_in_part(&s->options),
		.builds = {.kernel = s->kernel, .counter = s->counters.user, .sink = s->base.sink,
			   .no_calibration = s->options.no_calibration},
	};
	if (!err)
		err = watch_prepare(s, text, len);
	if (!err)
		err = drain_prepare(s);
	if (err && !*text)
		snprintf(text, len, "cannot start: %s", strerror(-err));
	return err;
}

/* in: NULL when it is to become a Python. */
static int follow(struct exact *s, pid_t pid, struct known_build *known,
		  const struct interpreter *in, char *text, size_t len)
{
	uint64_t type = in ? in->function_type : s->expected_type;
	int err = tracker_follow(&s->tracker, pid, known, type);

	/* In this order: requests are seen from when the probes are on. */
	if (!err && s->watch)
		err = watch_follow(s->watch, pid, in);
	if (err)
		snprintf(text, len, "%s",
			 err == -EBUSY ? "other tracers hold all places that switch its probes on: stop them first"
				       : strerror(-err));
	return err;
}

static int exact_attach(struct measurement *m, pid_t pid, char *text, size_t len)
{
	struct exact *s = exact_of(m);
	struct interpreter in, seen;
	struct known_build *b;
	int err = interpreter_find(pid, &in);

	if (err) {
		interpreter_explain(err, text, len);
		return err;
	}
	seen = in; /* what it has moves to the build when that is new */
	err = tracker_build(&s->tracker, &in, pid, &b, text, len);
	if (!err)
		err = follow(s, pid, b, &seen, text, len);
	interpreter_clear(&in);
	if (!err)
		tracker_adopt(&s->tracker, pid);
	return err;
}

static int exact_prepare_for(struct measurement *m, pid_t pid, char *text, size_t len)
{
	struct exact *s = exact_of(m);
	struct interpreter in;
	struct known_build *b;
	int err = interpreter_find(pid, &in);

	if (err) {
		interpreter_explain(err, text, len);
		return err;
	}
	err = tracker_build(&s->tracker, &in, pid, &b, text, len);
	interpreter_clear(&in);
	return err;
}

static int exact_expect(struct measurement *m, const char *command, char *text, size_t len)
{
	struct exact *s = exact_of(m);
	struct interpreter in;
	int err;

	s->expected = NULL;
	s->expected_type = 0;
	if (interpreter_open_path(command, getenv("PATH"), &in))
		return 0;
	s->expected_type = in.function_type;
	err = tracker_build(&s->tracker, &in, 0, &s->expected, text, len);
	interpreter_clear(&in);
	return err;
}

static int exact_follow(struct measurement *m, pid_t pid, char *text, size_t len)
{
	struct exact *s = exact_of(m);

	return follow(s, pid, s->expected, NULL, text, len);
}

static bool exact_knows(const struct measurement *m, pid_t pid)
{
	return process_find(exact_of_const(m)->tracker.processes, pid);
}

static bool exact_is_dead(const struct measurement *m, pid_t pid)
{
	return tracker_is_dead(&exact_of_const(m)->tracker, pid);
}

static int exact_begin(struct measurement *m)
{
	struct exact *s = exact_of(m);

	counters_start(&s->counters);
	return s->watch ? watch_begin(s->watch) : 0;
}

static int exact_wait(struct measurement *m, int timeout_ms)
{
	struct exact *s = exact_of(m);
	int err;

	if ((s->tracker.looking || s->options.each) && timeout_ms > LOOK_MS)
		timeout_ms = LOOK_MS;
	if (s->watch)
		timeout_ms = watch_patience(s->watch, timeout_ms);
	if (s->capture && timeout_ms > capture_patience(s->capture))
		timeout_ms = capture_patience(s->capture);
	err = ring_buffer__poll(s->ring, timeout_ms);
	if (err < 0 && err != -EINTR)
		return err;
	tracker_look(&s->tracker);
	if (!s->watch)
		return 0;
	err = watch_consume(s->watch);
	if (s->capture)
		capture_look(s->capture);
	return err;
}

/* In the order of enum wire_loss. */
static const enum loss losses_of_wire[WIRE_LOSS_MAX] = {
	[WIRE_LOSS_NODES] = LOSS_NODES,
	[WIRE_LOSS_DEPTH] = LOSS_DEPTH,
	[WIRE_LOSS_THREADS] = LOSS_THREADS,
	[WIRE_LOSS_NAMES] = LOSS_NAMES,
	[WIRE_LOSS_MEMORY] = LOSS_MEMORY,
	[WIRE_LOSS_TRUNCATED] = LOSS_RESYNC_TRUNCATED,
	[WIRE_LOSS_PROCS] = LOSS_PROCESSES,
	[WIRE_LOSS_SLICES] = LOSS_SLICES,
	[WIRE_LOSS_EVENTS] = LOSS_EVENTS,
	[WIRE_LOSS_UNCOUNTED] = LOSS_UNCOUNTED,
	[WIRE_LOSS_SAMPLES] = LOSS_SAMPLES,
	[WIRE_LOSS_CLASSES] = LOSS_CLASSES,
};

static void exact_losses(const struct measurement *m, uint64_t ret[LOSS_MAX])
{
	const struct exact *s = exact_of_const(m);
	uint64_t wire[WIRE_LOSS_MAX] = {0};

	kernel_losses(s->kernel, wire);
	for (int i = 0; i < WIRE_LOSS_MAX; i++)
		ret[losses_of_wire[i]] += wire[i];
	ret[LOSS_LATE_ATTACH] += s->tracker.late;
	ret[LOSS_NAMES] += s->tracker.unnamed;
	for (size_t i = 0; i < s->tracker.builds.n; i++)
		ret[LOSS_PROBES_MISSED] += build_missed(s->tracker.builds.v[i]->build);
	if (s->watch)
		watch_losses(s->watch, ret);
	counters_losses(&s->counters, ret);
}

/* What requests have to tell goes first. */
static void notices_look(struct exact *s)
{
	char *notice = s->tracker.notice;
	const char *note = !*notice && s->watch ? watch_notice(s->watch) : NULL;

	if (note)
		snprintf(notice, sizeof(s->tracker.notice), "%s", note);
	counters_look(&s->counters, kernel_counters_fd(s->kernel),
		      kernel_mode_counters_fd(s->kernel), notice, sizeof(s->tracker.notice));
}

/* What is captured may come to its end, so that what is told of it is whole. */
static void capture_end(struct exact *s)
{
	uint64_t until = clock_ns() + CAPTURE_END_NS;

	while (s->capture && !capture_finish(s->capture) && clock_ns() < until) {
		ring_buffer__poll(s->ring, capture_patience(s->capture));
		tell(s, watch_consume(s->watch));
	}
}

static void exact_pass(struct measurement *m, bool last)
{
	struct exact *s = exact_of(m);

	if (last)
		capture_end(s);
	/* Endpoints before the roots that are theirs. */
	if (s->watch)
		tell(s, watch_pass(s->watch, last));
	/* Names before the nodes that have them: other work may have come between. */
	ring_buffer__consume(s->ring);
	if (last) {
		tell(s, drain_finish(s->drain, s->counters.user));
		counters_finish(&s->counters);
		return;
	}
	notices_look(s);
	tell(s, drain_run(s->drain));
	tracker_tidy(&s->tracker, s->drain);
}

static void exact_release(struct measurement *m)
{
	struct exact *s = exact_of(m);

	tracker_release(&s->tracker);
	/* The machine may have changed its pace: what is told is the mean of both ends. */
	tracker_calibrate(&s->tracker);
}

static void exact_status(const struct measurement *m, struct session_status *ret)
{
	const struct exact *s = exact_of_const(m);

	ret->metric = counter_metric(s->counters.user);
	ret->fallback_reason = counter_fallback_reason(s->counters.user);
	ret->caution = counter_caution(s->counters.user);
	ret->targets = s->tracker.alive;
	ret->followed = s->tracker.followed;
	ret->calls = drain_calls(s->drain);
	ret->paths = drain_nodes(s->drain);
	ret->kernel_mode = s->counters.kernel != NULL;
	ret->requests = s->watch ? requests_seen(s->watch->requests) : 0;
}

static void exact_close(struct measurement *m)
{
	struct exact *s = exact_of(m);

	tracker_clear(&s->tracker);
	ring_buffer__free(s->ring);
	capture_free(s->capture);
	watch_close(s->watch);
	drain_free(s->drain);
	codes_free(s->codes);
	kernel_close(s->kernel);
	counters_close(&s->counters);
	free(s);
}

static const struct measurement_ops exact_ops = {
	.meta = exact_meta,
	.attach = exact_attach,
	.prepare = exact_prepare_for,
	.expect = exact_expect,
	.follow = exact_follow,
	.knows = exact_knows,
	.is_dead = exact_is_dead,
	.begin = exact_begin,
	.wait = exact_wait,
	.pass = exact_pass,
	.release = exact_release,
	.losses = exact_losses,
	.status = exact_status,
	.close = exact_close,
};

int exact_measurement_open(const struct session_options *o, struct sink *sink,
			   struct measurement **ret, char *text, size_t len)
{
	struct exact *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->base = (struct measurement){.ops = &exact_ops, .sink = sink,
				       .sink_error = &s->tracker.sink_error,
				       .notice = s->tracker.notice};
	s->options = *o;
	err = exact_prepare(s, text, len);
	if (err) {
		exact_close(&s->base);
		return err;
	}
	*ret = &s->base;
	return 0;
}
