/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sampling: a perf event on each CPU, stacks walked in the kernel, paths built here. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/interpreter.h"
#include "userspace/census.h"
#include "userspace/codes.h"
#include "userspace/counter.h"
#include "userspace/counter_reason.h"
#include "userspace/followed.h"
#include "userspace/line_store.h"
#include "userspace/measurement.h"
#include "userspace/paths.h"
#include "userspace/process.h"
#include "userspace/sample_event.h"
#include "userspace/sample_natives.h"
#include "userspace/sample_notice.h"
#include "userspace/samples.h"
#include "userspace/sampling.h"
#include "userspace/serving.h"
#include "userspace/watch.h"

/* How often a process that has exec'ed is looked at. */
#define LOOK_MS 20

struct sampled {
	struct measurement base; /* first */
	struct session_options options;
	struct sample_events *events;
	struct counter *counter; /* of requests; with these NULL when they are not looked at */
	struct watch *watch;
	struct sampling *sampling;
	struct codes *codes;
	struct line_store *lines;
	struct sample_natives *natives;
	struct paths *paths;
	struct samples now, later; /* what waits for its names is in `later` */
	struct ring_buffer *notes, *ring;
	struct followed followed;
	struct census *census; /* NULL: not of everyone */
	uint64_t unread; /* samples that made no sense */
	bool finished;
	double running; /* of the events, at the end of the measurement */
	struct sample_notices told;
};

static struct sampled *sampled_of(struct measurement *m)
{
	return (struct sampled *)m;
}

static const struct sampled *sampled_of_const(const struct measurement *m)
{
	return (const struct sampled *)m;
}

static void tell(struct sampled *s, int err)
{
	if (err && !s->followed.sink_error)
		s->followed.sink_error = err;
}

static int on_note(void *arg, void *data, size_t size)
{
	struct sampled *s = arg;

	followed_event(&s->followed, data);
	return 0;
}

/*
 * Tells what has been gathered but what waits for its names; of the process `settled`
 * nothing waits.
 */
static void samples_take(struct sampled *s, uint32_t settled)
{
	struct samples waiting;

	tell(s, paths_take(s->paths, &s->now, &s->later, settled));
	waiting = s->later;
	s->later = s->now;
	s->now = waiting;
}

static int on_sample(void *arg, void *data, size_t size)
{
	struct sampled *s = arg;
	int err = samples_add(&s->now, data, size, s->options.per_thread);

	if (err == -ENOSPC) {
		samples_take(s, 0);
		err = samples_add(&s->now, data, size, s->options.per_thread);
	}
	s->unread += err != 0;
	return 0;
}

/* Its requests are seen too; that they are not is no reason not to sample it. */
static void on_found(void *arg, pid_t pid, const struct interpreter *in)
{
	struct sampled *s = arg;

	if (s->watch)
		watch_follow(s->watch, pid, in);
}

/* Called amid an event: a process ends, or becomes another program. */
static void on_settle(void *arg, pid_t pid)
{
	struct sampled *s = arg;

	ring_buffer__consume(s->ring);
	samples_take(s, pid);
}

static void sampled_meta(const struct measurement *m, struct sink_meta *ret)
{
	const struct sampled *s = sampled_of_const(m);

	ret->metric = sample_events_metric(s->events);
	ret->user_only = ret->metric != METRIC_TASK_CLOCK;
	ret->metric_fallback = sample_events_fallback_reason(s->events) != NULL;
	ret->period = sample_events_period(s->events);
	ret->requests = s->watch != NULL;
}

static int events_prepare(struct sampled *s, char *text, size_t len)
{
	const struct session_options *o = &s->options;
	int err = sample_events_open(o->metric, o->rate, o->period, &s->events);
	static const char count[] = "no right to count instructions: ";
	char why[256];

	if (!err)
		return 0;
	counter_reason(err, why, sizeof(why));
	if (err == -ENOENT && o->metric)
		snprintf(why, sizeof(why), "there is no such counter, or none that can interrupt");
	if (!strncmp(why, count, strlen(count)))
		snprintf(text, len, "no right to sample: %s", why + strlen(count));
	else
		snprintf(text, len, "no samples by %s: %s",
			 metric_name(o->metric ? o->metric : METRIC_TASK_CLOCK), why);
	return err;
}

static int paths_prepare(struct sampled *s)
{
	struct paths_options o = {.sink = s->base.sink, .codes = s->codes, .lines = s->lines,
				  .natives = s->natives, .max_nodes = s->options.max_nodes,
				  .per_thread = s->options.per_thread, .owner = followed_owner,
				  .lives = followed_lives, .arg = &s->followed,
				  .endpoint = s->watch ? watch_endpoint : NULL,
				  .endpoint_arg = s->watch};
	int err = samples_init(&s->now);

	if (!err)
		err = samples_init(&s->later);
	return err ? err : paths_new(&o, &s->paths);
}

static int rings_open(struct sampled *s)
{
	s->notes = ring_buffer__new(sampling_events_fd(s->sampling), on_note, s, NULL);
	if (!s->notes)
		return -errno;
	sampling_set_readers(s->sampling, on_note, on_sample, s);
	s->ring = ring_buffer__new(sampling_samples_fd(s->sampling), on_sample, s, NULL);
	return s->ring ? 0 : -errno;
}

/* What a period of events comes to is not known before. */
static unsigned ring_rate(const struct session_options *o)
{
	return o->period ? SAMPLE_RATE_MAX : o->rate ? o->rate : SAMPLE_RATE_DEFAULT;
}

static int natives_prepare(struct sampled *s, char *text, size_t len)
{
	int err = sample_natives_new(s->base.sink, s->options.debuginfod, &s->natives);

	if (err == -EDESTADDRREQ)
		snprintf(text, len, "--debuginfod: $DEBUGINFOD_URLS names no server: set it, to "
				    "https://debuginfod.debian.net for example");
	else if (err == -ENOENT)
		snprintf(text, len, "--debuginfod: there is no debuginfod-find: install the package "
				    "debuginfod");
	else if (err)
		snprintf(text, len, "cannot start: %s", strerror(-err));
	return err;
}

/* What requests cost is counted, in what the samples are of. */
static int watch_prepare(struct sampled *s, char *text, size_t len)
{
	struct watch_options o = {.session = &s->options, .sink = s->base.sink,
				  .codes = s->codes, .by_request = true};
	char why[256];
	int err;

	if (!s->options.requests)
		return 0;
	err = counter_open(sample_events_metric(s->events), &s->counter);
	o.counter = s->counter;
	if (!err)
		return watch_open(&o, &s->watch, text, len);
	counter_reason(err, why, sizeof(why));
	snprintf(text, len, "no counter for requests: %s", why);
	return err;
}

static int sampled_prepare(struct sampled *s, char *text, size_t len)
{
	int err = natives_prepare(s, text, len);

	if (!err)
		err = events_prepare(s, text, len);
	if (!err && codes_new(s->base.sink, &s->codes)) {
		snprintf(text, len, "cannot start: %s", strerror(ENOMEM));
		err = -ENOMEM;
	}
	if (!err)
		err = watch_prepare(s, text, len);
	if (!err)
		err = sampling_open(ring_rate(&s->options), s->options.no_follow,
				    s->watch ? serving_class_of_fd(s->watch->serving) : -1,
				    &s->sampling, text, len);
	if (err)
		return err;
	err = line_store_new(&s->lines);
	if (!err)
		err = paths_prepare(s);
	if (!err)
		err = rings_open(s);
	if (!err && s->options.everyone)
		err = census_new(&s->census);
	s->followed.sampling = s->sampling;
	s->followed.codes = s->codes;
	s->followed.lines = s->lines;
	s->followed.natives = s->natives;
	if (err)
		snprintf(text, len, "cannot start: %s", strerror(-err));
	return err;
}

static int sampled_attach(struct measurement *m, pid_t pid, char *text, size_t len)
{
	return followed_attach(&sampled_of(m)->followed, pid, text, len);
}

/* Its walker is loaded before it runs, so that no more of it is missed than need be. */
static int sampled_expect(struct measurement *m, const char *command, char *text, size_t len)
{
	struct sampled_build *b;
	struct interpreter in;
	int err;

	if (interpreter_open_path(command, getenv("PATH"), &in))
		return 0;
	err = sampling_build(sampled_of(m)->sampling, &in, 0, &b, text, len);
	if (!err)
		err = sampling_prove(sampled_of(m)->sampling, b, 0, text, len);
	interpreter_clear(&in);
	return err;
}

static int sampled_follow(struct measurement *m, pid_t pid, char *text, size_t len)
{
	int err = followed_wait_for(&sampled_of(m)->followed, pid);

	if (err)
		snprintf(text, len, "%s", strerror(-err));
	return err;
}

static bool sampled_knows(const struct measurement *m, pid_t pid)
{
	return followed_knows(&sampled_of_const(m)->followed, pid);
}

static bool sampled_is_dead(const struct measurement *m, pid_t pid)
{
	return followed_is_dead(&sampled_of_const(m)->followed, pid);
}

/* What is no Python, or cannot be walked, is left out without a word: nobody asked for it. */
static void on_census(void *arg, pid_t pid)
{
	struct sampled *s = arg;
	char why[256];

	if (!followed_knows(&s->followed, pid))
		followed_attach(&s->followed, pid, why, sizeof(why));
}

static int sampled_begin(struct measurement *m)
{
	struct sampled *s = sampled_of(m);
	int err = s->watch ? watch_begin(s->watch) : 0;

	if (err)
		return err;
	if (s->counter)
		counter_start(s->counter);
	if (s->census)
		census_take(s->census, on_census, s);
	return sample_events_start(s->events, sampling_program_fd(s->sampling));
}

static int sampled_wait(struct measurement *m, int timeout_ms)
{
	struct sampled *s = sampled_of(m);
	struct pollfd fds[] = {{ring_buffer__epoll_fd(s->notes), POLLIN, 0},
			       {ring_buffer__epoll_fd(s->ring), POLLIN, 0},
			       {s->watch ? requests_poll_fd(s->watch->requests) : -1, POLLIN, 0}};
	int err = 0;

	if ((s->followed.looking || s->options.each) && timeout_ms > LOOK_MS)
		timeout_ms = LOOK_MS;
	if (s->watch)
		timeout_ms = watch_patience(s->watch, timeout_ms);
	if (poll(fds, 3, timeout_ms) > 0) {
		if (fds[0].revents)
			err = ring_buffer__consume(s->notes);
		if (err >= 0 && fds[1].revents)
			err = ring_buffer__consume(s->ring);
	}
	if (err < 0 && err != -EINTR)
		return err;
	followed_look(&s->followed);
	return s->watch ? watch_consume(s->watch) : 0;
}

/* What has come by debuginfod names the samples that are read from now on. */
static void names_fetch(struct sampled *s, bool last)
{
	if (sample_natives_poll(s->natives) && last && !*s->followed.notice)
		snprintf(s->followed.notice, NOTICE_SIZE,
			 "debuginfod was still asked for names at the end: what it has not brought is "
			 "shown without");
}

/*
 * A sample is sent after the names of its functions, so these are looked for once more
 * when the samples have been read.
 */
static void rings_read(struct sampled *s)
{
	ring_buffer__consume(s->notes);
	ring_buffer__consume(s->ring);
	ring_buffer__consume(s->notes);
}

/* Endpoints before the roots that are theirs. */
static void requests_take(struct sampled *s, bool last)
{
	const char *note;

	if (!s->watch)
		return;
	/* What of it cannot be counted shows in the losses. */
	counter_follow_cpus(s->counter, serving_counters_fd(s->watch->serving));
	tell(s, watch_pass(s->watch, last));
	note = *s->followed.notice ? NULL : watch_notice(s->watch);
	if (note)
		snprintf(s->followed.notice, NOTICE_SIZE, "%s", note);
}

static void sampled_pass(struct measurement *m, bool last)
{
	struct sampled *s = sampled_of(m);

	if (last) {
		s->running = sample_events_running(s->events);
		sample_events_stop(s->events);
		s->finished = true;
		rings_read(s);
		requests_take(s, true);
		names_fetch(s, true);
		tell(s, paths_take(s->paths, &s->now, NULL, 0));
		return;
	}
	sample_notice(s->events, &s->told, s->followed.notice, NOTICE_SIZE);
	rings_read(s);
	requests_take(s, false);
	names_fetch(s, false);
	samples_take(s, 0);
	followed_tidy(&s->followed);
	if (s->census)
		census_take(s->census, on_census, s);
}

static void sampled_release(struct measurement *m)
{
}

static void sampled_losses(const struct measurement *m, uint64_t ret[LOSS_MAX])
{
	const struct sampled *s = sampled_of_const(m);
	uint64_t wire[WIRE_LOSS_MAX] = {0};

	sampling_losses(s->sampling, wire);
	ret[LOSS_NAMES] += wire[WIRE_LOSS_NAMES] + s->followed.unnamed;
	ret[LOSS_PROCESSES] += wire[WIRE_LOSS_PROCS];
	ret[LOSS_EVENTS] += wire[WIRE_LOSS_EVENTS];
	ret[LOSS_SAMPLES] += wire[WIRE_LOSS_SAMPLES] + s->unread;
	ret[LOSS_LINES] += s->followed.unlined;
	ret[LOSS_NATIVES] += sample_natives_lost(s->natives);
	ret[LOSS_THROTTLED] += sample_events_throttled(s->events);
	/* In parts of a million of the time; 0 when the events ran throughout. */
	ret[LOSS_MULTIPLEXED] +=
		(1 - (s->finished ? s->running : sample_events_running(s->events))) * 1e6;
	paths_losses(s->paths, ret);
	if (s->watch)
		watch_losses(s->watch, ret);
}

static void sampled_status(const struct measurement *m, struct session_status *ret)
{
	const struct sampled *s = sampled_of_const(m);

	ret->metric = sample_events_metric(s->events);
	ret->fallback_reason = sample_events_fallback_reason(s->events);
	ret->caution = sample_events_caution(s->events);
	ret->targets = s->followed.alive;
	ret->followed = s->followed.followed;
	ret->samples = paths_samples(s->paths);
	ret->period = sample_events_period(s->events);
	ret->paths = paths_nodes(s->paths);
	ret->requests = s->watch ? requests_seen(s->watch->requests) : 0;
}

static void sampled_close(struct measurement *m)
{
	struct sampled *s = sampled_of(m);

	sample_events_close(s->events);
	if (s->codes && s->natives)
		followed_clear(&s->followed);
	ring_buffer__free(s->notes);
	ring_buffer__free(s->ring);
	watch_close(s->watch);
	paths_free(s->paths);
	samples_clear(&s->now);
	samples_clear(&s->later);
	sample_natives_free(s->natives);
	line_store_free(s->lines);
	codes_free(s->codes);
	census_free(s->census);
	sampling_close(s->sampling);
	counter_close(s->counter);
	free(s);
}

static const struct measurement_ops sampled_ops = {
	.meta = sampled_meta,
	.attach = sampled_attach,
	.expect = sampled_expect,
	.follow = sampled_follow,
	.knows = sampled_knows,
	.is_dead = sampled_is_dead,
	.begin = sampled_begin,
	.wait = sampled_wait,
	.pass = sampled_pass,
	.release = sampled_release,
	.losses = sampled_losses,
	.status = sampled_status,
	.close = sampled_close,
};

int sampled_measurement_open(const struct session_options *o, struct sink *sink,
			     struct measurement **ret, char *text, size_t len)
{
	struct sampled *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->base = (struct measurement){.ops = &sampled_ops, .sink = sink,
				       .sink_error = &s->followed.sink_error,
				       .notice = s->followed.notice};
	s->options = *o;
	s->followed.sink = sink;
	s->followed.no_follow = o->no_follow;
	s->followed.settle = on_settle;
	s->followed.found = on_found;
	s->followed.arg = s;
	err = sampled_prepare(s, text, len);
	if (err) {
		sampled_close(&s->base);
		return err;
	}
	*ret = &s->base;
	return 0;
}
