/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "symbolizer/interpreter.h"
#include "userspace/clock.h"
#include "userspace/marks.h"
#include "userspace/phases.h"
#include "userspace/request_config.h"
#include "userspace/serving.h"
#include "userspace/session.h"
#include "userspace/tls.h"

/* How often processes are looked at that have become another program. */
#define LOOK_MS 20

static int marks_prepare(struct watch *w, const struct watch_options *o, char *text, size_t len)
{
	struct marks_options mo = {.serving = w->serving, .sink = o->sink, .codes = o->codes,
				   .audit = o->session->requests->marks,
				   .no_follow = o->session->no_follow,
				   .endpoint = watch_endpoint, .arg = w};

	return marks_open(&mo, &w->marks, text, len);
}

/* Without it, requests over TLS are missing, but no others. */
static void tls_prepare(struct watch *w)
{
	char why[200] = "";

	if (!tls_open(w->serving, &w->tls, why, sizeof(why)))
		return;
	snprintf(w->why, sizeof(w->why), "requests over TLS are not seen: %s", why);
	w->no_tls = w->why;
}

static void on_class(void *arg, uint64_t class_id, const char *method, const char *name)
{
	const struct watch_options *o = &((struct watch *)arg)->options;

	if (o->on_class)
		o->on_class(o->arg, class_id, method, name);
}

static void on_request(void *arg, const struct wire_request *r, const char *method, const char *name)
{
	const struct watch_options *o = &((struct watch *)arg)->options;

	if (o->on_request)
		o->on_request(o->arg, r, method, name);
}

static void on_life(void *arg, const struct wire_event_life *e)
{
	struct watch *w = arg;

	if (e->head.kind == WIRE_EVENT_BORN) {
		serving_born(w->serving, e->head.tgid, e->parent);
		if (w->tls)
			tls_follow(w->tls, e->head.tgid, true);
	} else {
		serving_died(w->serving, e->head.tgid);
		if (w->tls)
			tls_unfollow(w->tls, e->head.tgid);
	}
	if (w->options.on_life)
		w->options.on_life(w->options.arg, e);
}

int watch_open(const struct watch_options *o, struct watch **ret, char *text, size_t len)
{
	const struct session_options *so = o->session;
	struct serving_options serving = {.config = so->requests, .counter = o->counter,
					  .kernel_counter = o->kernel_counter, .exact = o->exact,
					  .by_request = o->by_request, .no_follow = so->no_follow,
					  .budget = so->budget,
					  .wanted_only = o->wanted_only};
	struct requests_options ro = {.config = so->requests,
				      .kernel_mode = o->kernel_counter != NULL,
				      .by_phases = so->budget != 0,
				      .on_class = on_class, .on_request = on_request,
				      .on_life = on_life, .each = so->each,
				      .each_arg = so->each_arg};
	struct watch *w = calloc(1, sizeof(*w));
	int err = -ENOMEM;

	if (!w)
		return err;
	err = serving_open(&serving, &w->serving, text, len);
	w->options = *o;
	ro.serving = w->serving;
	ro.arg = w;
	if (!err)
		err = requests_open(&ro, o->sink, &w->requests, text, len);
	if (!err)
		err = marks_prepare(w, o, text, len);
	if (err) {
		watch_close(w);
		return err;
	}
	tls_prepare(w);
	*ret = w;
	return 0;
}

void watch_close(struct watch *w)
{
	if (!w)
		return;
	tls_close(w->tls);
	marks_close(w->marks);
	requests_close(w->requests);
	serving_close(w->serving);
	free(w);
}

int watch_begin(struct watch *w)
{
	struct utsname host;

	uname(&host);
	return requests_begin(w->requests, host.nodename, clock_ns());
}

int watch_follow(struct watch *w, pid_t pid, const struct interpreter *in)
{
	char python[32] = "";
	int err = serving_follow(w->serving, pid, in);

	if (err)
		return err;
	if (in)
		interpreter_version(in, python, sizeof(python));
	err = requests_process(w->requests, pid, python);
	/* Marks are more than nothing, but no more than that: their notice says why not. */
	if (!err)
		marks_follow(w->marks, pid);
	if (!err && w->tls)
		tls_follow(w->tls, pid, !w->options.session->no_follow);
	return err;
}

int watch_consume(struct watch *w)
{
	struct phases *phases = serving_phases(w->serving);
	/* What a request stands for is asked while its phase is not over. */
	int err = phases && w->options.on_request ? requests_consume(w->requests) : 0;

	if (!err)
		err = requests_turn(w->requests);
	marks_look(w->marks);
	marks_consume(w->marks);
	return err ? err : requests_consume(w->requests);
}

int watch_patience(const struct watch *w, int timeout_ms)
{
	timeout_ms = phases_patience(serving_phases(w->serving), timeout_ms);
	return marks_looking(w->marks) && timeout_ms > LOOK_MS ? LOOK_MS : timeout_ms;
}

int watch_pass(struct watch *w, bool last)
{
	int err = requests_pass(w->requests, last);
	int marks_err = marks_pass(w->marks, last);

	if (w->tls && !last)
		tls_pass(w->tls);
	return err ? err : marks_err;
}

uint32_t watch_endpoint(void *watch, uint64_t class_id)
{
	return requests_endpoint(((struct watch *)watch)->requests, class_id);
}

void watch_losses(const struct watch *w, uint64_t losses[LOSS_MAX])
{
	requests_losses(w->requests, losses);
	marks_losses(w->marks, losses);
}

const char *watch_notice(struct watch *w)
{
	const char *said = w->tls ? tls_notice(w->tls) : w->no_tls;
	const char *tasks = serving_tasks_reason(w->serving);

	w->no_tls = NULL;
	if (!said && *tasks && !w->tasks_told) {
		w->tasks_told = true;
		said = tasks;
	}
	return said ? said : marks_notice(w->marks);
}
