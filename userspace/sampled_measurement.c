// SPDX-License-Identifier: GPL-2.0-or-later
/* Sampling: a perf event on each CPU, stacks walked in the kernel, paths built here. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/interpreter.h"
#include "userspace/census.h"
#include "userspace/counter.h"
#include "userspace/measurement.h"
#include "userspace/paths.h"
#include "userspace/process.h"
#include "userspace/sample_event.h"
#include "userspace/sample_natives.h"
#include "userspace/sampled.h"
#include "userspace/sampling.h"
#include "userspace/serving.h"
#include "userspace/watch.h"

/* How often a process that has exec'ed is looked at. */
#define LOOK_MS 20

static struct sampled *sampled_of(struct measurement *m)
{
	return (struct sampled *)m;
}

static const struct sampled *sampled_of_const(const struct measurement *m)
{
	return (const struct sampled *)m;
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

static int sampled_attach(struct measurement *m, pid_t pid, char *text, size_t len)
{
	return followed_attach(&sampled_of(m)->followed, pid, text, len);
}

static int sampled_prepare_for(struct measurement *m, pid_t pid, char *text, size_t len)
{
	return followed_prepare(&sampled_of(m)->followed, pid, text, len);
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
	sampled_tell(s, watch_pass(s->watch, last));
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
		sampled_tell(s, paths_take(s->paths, &s->now, NULL, 0));
		return;
	}
	sample_notice(s->events, &s->told, s->followed.notice, NOTICE_SIZE);
	rings_read(s);
	requests_take(s, false);
	names_fetch(s, false);
	sampled_take(s, 0);
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
	sampled_clear(sampled_of(m));
	free(m);
}

static const struct measurement_ops sampled_ops = {
	.meta = sampled_meta,
	.attach = sampled_attach,
	.prepare = sampled_prepare_for,
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
	err = sampled_prepare(s, text, len);
	if (err) {
		sampled_close(&s->base);
		return err;
	}
	*ret = &s->base;
	return 0;
}
