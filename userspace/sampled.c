// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/sampled.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "userspace/census.h"
#include "userspace/codes.h"
#include "userspace/counter.h"
#include "userspace/counter_reason.h"
#include "userspace/line_store.h"
#include "userspace/paths.h"
#include "userspace/sample_event.h"
#include "userspace/sample_natives.h"
#include "userspace/sampling.h"
#include "userspace/serving.h"
#include "userspace/watch.h"

void sampled_tell(struct sampled *s, int err)
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

void sampled_take(struct sampled *s, uint32_t settled)
{
	struct samples waiting;

	sampled_tell(s, paths_take(s->paths, &s->now, &s->later, settled));
	waiting = s->later;
	s->later = s->now;
	s->now = waiting;
}

static int on_sample(void *arg, void *data, size_t size)
{
	struct sampled *s = arg;
	int err = samples_add(&s->now, data, size, s->options.per_thread);

	if (err == -ENOSPC) {
		sampled_take(s, 0);
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
	sampled_take(s, pid);
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

int sampled_prepare(struct sampled *s, char *text, size_t len)
{
	int err;

	s->followed.sink = s->base.sink;
	s->followed.no_follow = s->options.no_follow;
	s->followed.settle = on_settle;
	s->followed.found = on_found;
	s->followed.arg = s;
	err = natives_prepare(s, text, len);
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

void sampled_clear(struct sampled *s)
{
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
}
