/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests and nothing else: no probes of functions, no samples. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "bpf/wire_request.h"
#include "symbolizer/interpreter.h"
#include "userspace/census.h"
#include "userspace/clock.h"
#include "userspace/codes.h"
#include "userspace/counter.h"
#include "userspace/counters.h"
#include "userspace/measurement.h"
#include "userspace/process.h"
#include "userspace/serving.h"
#include "userspace/watch.h"

/* How often, and for how long, a process is looked at that may become Python. */
#define LOOK_MS 20
#define LOOK_NS 2000000000ull

struct watched {
	pid_t pid, parent;
	bool dead;	     /* and no request of it is to come */
	uint64_t look_until; /* ns; 0: it is known whether it is Python */
	char comm[32], python[32], *exe;
	UT_hash_handle hh;
};

struct requests_only {
	struct measurement base; /* first */
	struct session_options options;
	struct counters counters;
	struct codes *codes;
	struct watch *watch;
	struct census *census; /* NULL: not of everyone */
	struct watched *processes;
	unsigned alive, followed, looking;
	int sink_error;
	char notice[NOTICE_SIZE];
};

static struct requests_only *only_of(struct measurement *m)
{
	return (struct requests_only *)m;
}

static const struct requests_only *only_of_const(const struct measurement *m)
{
	return (const struct requests_only *)m;
}

static void tell(struct requests_only *s, int err)
{
	if (err && !s->sink_error)
		s->sink_error = err;
}

/* ---- processes ---- */

static struct watched *find(const struct requests_only *s, pid_t pid)
{
	struct watched *p;

	HASH_FIND_INT(s->processes, &pid, p);
	return p;
}

static void process_drop(struct requests_only *s, struct watched *p)
{
	s->alive -= !p->dead;
	s->looking -= p->look_until != 0;
	HASH_DEL(s->processes, p);
	free(p->exe);
	free(p);
}

static struct watched *process_new(struct requests_only *s, pid_t pid, pid_t parent)
{
	struct watched *p = find(s, pid);

	if (p)
		process_drop(s, p);
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->pid = pid;
	p->parent = parent;
	comm_read(pid, p->comm, sizeof(p->comm));
	HASH_ADD_INT(s->processes, pid, p);
	s->alive++;
	s->followed++;
	return p;
}

static void process_tell(struct requests_only *s, const struct watched *p)
{
	struct sink_process fact = {.pid = p->pid, .ppid = p->parent, .comm = p->comm,
				    .python = p->python, .exe = p->exe ? p->exe : ""};

	tell(s, s->base.sink->process(s->base.sink, &fact));
}

static void process_become(struct watched *p, const struct interpreter *in)
{
	interpreter_version(in, p->python, sizeof(p->python));
	free(p->exe);
	p->exe = strdup(in->target_path);
	comm_read(p->pid, p->comm, sizeof(p->comm));
}

static int only_attach(struct measurement *m, pid_t pid, char *text, size_t len)
{
	struct requests_only *s = only_of(m);
	struct interpreter in;
	struct watched *p;
	int err = interpreter_find(pid, &in);

	if (err) {
		interpreter_explain(err, text, len);
		return err;
	}
	err = watch_follow(s->watch, pid, &in);
	if (!err) {
		p = process_new(s, pid, 0);
		err = p ? 0 : -ENOMEM;
	}
	if (!err) {
		process_become(p, &in);
		process_tell(s, p);
	} else {
		snprintf(text, len, "%s", strerror(-err));
	}
	interpreter_clear(&in);
	return err;
}

static int only_expect(struct measurement *m, const char *command, char *text, size_t len)
{
	return 0;
}

/* It will be looked at as soon as it is the command. */
static int only_follow(struct measurement *m, pid_t pid, char *text, size_t len)
{
	struct requests_only *s = only_of(m);
	int err = watch_follow(s->watch, pid, NULL);
	struct watched *p = err ? NULL : process_new(s, pid, 0);

	if (!p) {
		err = err ? err : -ENOMEM;
		snprintf(text, len, "%s", strerror(-err));
		return err;
	}
	p->look_until = clock_ns() + LOOK_NS;
	s->looking++;
	process_tell(s, p);
	return 0;
}

static void process_born(struct requests_only *s, pid_t pid, pid_t parent_pid)
{
	const struct watched *parent = find(s, parent_pid);
	struct watched *p = process_new(s, pid, parent_pid);

	if (!p)
		return;
	if (parent) {
		strcpy(p->python, parent->python);
		p->exe = parent->exe ? strdup(parent->exe) : NULL;
		if (!*p->comm)
			strcpy(p->comm, parent->comm);
		p->look_until = parent->look_until;
		s->looking += p->look_until != 0;
	}
	process_tell(s, p);
}

static void process_died(struct requests_only *s, struct watched *p)
{
	s->alive -= !p->dead;
	p->dead = true;
}

static void on_life(void *arg, const struct wire_event_life *e)
{
	struct requests_only *s = arg;
	struct watched *p;

	if (e->head.kind == WIRE_EVENT_BORN) {
		process_born(s, e->head.tgid, e->parent);
		return;
	}
	p = find(s, e->head.tgid);
	if (p)
		process_died(s, p);
}

/* Is it Python by now? */
static bool process_look(struct requests_only *s, struct watched *p)
{
	struct interpreter in;

	if (interpreter_find(p->pid, &in))
		return false;
	if (!watch_follow(s->watch, p->pid, &in)) {
		process_become(p, &in);
		process_tell(s, p);
	}
	interpreter_clear(&in);
	return true;
}

static void processes_look(struct requests_only *s)
{
	uint64_t now = clock_ns();
	struct watched *p, *next;

	HASH_ITER(hh, s->processes, p, next)
	{
		if (!p->look_until)
			continue;
		if (!p->dead && !process_look(s, p) && now < p->look_until)
			continue;
		p->look_until = 0;
		s->looking--;
	}
}

/* The dead are forgotten; and of those that live, the end may not have been heard. */
static void processes_tidy(struct requests_only *s)
{
	struct watched *p, *next;

	HASH_ITER(hh, s->processes, p, next)
	{
		if (p->dead)
			process_drop(s, p);
		else if (kill(p->pid, 0) && errno == ESRCH)
			process_died(s, p);
	}
}

static bool only_knows(const struct measurement *m, pid_t pid)
{
	const struct watched *p = find(only_of_const(m), pid);

	return p && !p->dead;
}

static bool only_is_dead(const struct measurement *m, pid_t pid)
{
	const struct requests_only *s = only_of_const(m);
	const struct watched *p = find(s, pid);

	return pid > 0 && (!p || p->dead);
}

/* What is no Python is left out without a word: nobody asked for it. */
static void on_census(void *arg, pid_t pid)
{
	struct requests_only *s = arg;
	char why[256];

	if (!only_knows(&s->base, pid))
		only_attach(&s->base, pid, why, sizeof(why));
}

/* ---- */

static void only_meta(const struct measurement *m, struct sink_meta *ret)
{
	const struct requests_only *s = only_of_const(m);

	counters_meta(&s->counters, ret);
	ret->requests = true;
	ret->no_functions = true;
}

static int only_begin(struct measurement *m)
{
	struct requests_only *s = only_of(m);
	int err;

	counters_start(&s->counters);
	err = watch_begin(s->watch);
	if (!err && s->census)
		census_take(s->census, on_census, s);
	return err;
}

static int only_wait(struct measurement *m, int timeout_ms)
{
	struct requests_only *s = only_of(m);
	struct pollfd fd = {requests_poll_fd(s->watch->requests), POLLIN, 0};
	int err;

	if (s->looking && timeout_ms > LOOK_MS)
		timeout_ms = LOOK_MS;
	/* Each is to be told while it is new. */
	if (s->options.each && timeout_ms > LOOK_MS)
		timeout_ms = LOOK_MS;
	if (poll(&fd, 1, watch_patience(s->watch, timeout_ms)) < 0 && errno != EINTR)
		return -errno;
	err = watch_consume(s->watch);
	if (!err && s->looking)
		processes_look(s);
	return err;
}

static void only_pass(struct measurement *m, bool last)
{
	struct requests_only *s = only_of(m);
	const char *note;

	if (last) {
		counters_finish(&s->counters);
	} else {
		counters_look(&s->counters, serving_counters_fd(s->watch->serving),
			      serving_kernel_counters_fd(s->watch->serving), s->notice,
			      sizeof(s->notice));
		if (s->census)
			census_take(s->census, on_census, s);
	}
	tell(s, watch_pass(s->watch, last));
	processes_tidy(s);
	note = *s->notice ? NULL : watch_notice(s->watch);
	if (note)
		snprintf(s->notice, sizeof(s->notice), "%s", note);
}

static void only_release(struct measurement *m)
{
}

static void only_losses(const struct measurement *m, uint64_t ret[LOSS_MAX])
{
	const struct requests_only *s = only_of_const(m);

	watch_losses(s->watch, ret);
	counters_losses(&s->counters, ret);
}

static void only_status(const struct measurement *m, struct session_status *ret)
{
	const struct requests_only *s = only_of_const(m);

	ret->metric = counter_metric(s->counters.user);
	ret->fallback_reason = counter_fallback_reason(s->counters.user);
	ret->caution = counter_caution(s->counters.user);
	ret->targets = s->alive;
	ret->followed = s->followed;
	ret->requests = requests_seen(s->watch->requests);
	ret->kernel_mode = s->counters.kernel != NULL;
}

static void only_close(struct measurement *m)
{
	struct requests_only *s = only_of(m);
	struct watched *p, *next;

	watch_close(s->watch);
	HASH_ITER(hh, s->processes, p, next)
		process_drop(s, p);
	codes_free(s->codes);
	census_free(s->census);
	counters_close(&s->counters);
	free(s);
}

static const struct measurement_ops only_ops = {
	.meta = only_meta,
	.attach = only_attach,
	.expect = only_expect,
	.follow = only_follow,
	.knows = only_knows,
	.is_dead = only_is_dead,
	.begin = only_begin,
	.wait = only_wait,
	.pass = only_pass,
	.release = only_release,
	.losses = only_losses,
	.status = only_status,
	.close = only_close,
};

static int only_prepare(struct requests_only *s, char *text, size_t len)
{
	struct watch_options o = {.session = &s->options, .sink = s->base.sink,
				  .on_life = on_life, .arg = s};
	int err = counters_open(&s->counters, s->options.metric, s->options.kernel_mode, text,
				len);

	if (err)
		return err;
	err = codes_new(s->base.sink, &s->codes);
	if (!err && s->options.everyone)
		err = census_new(&s->census);
	if (err) {
		snprintf(text, len, "cannot start: %s", strerror(-err));
		return err;
	}
	o.codes = s->codes;
	o.counter = s->counters.user;
	o.kernel_counter = s->counters.kernel;
	return watch_open(&o, &s->watch, text, len);
}

int requests_measurement_open(const struct session_options *o, struct sink *sink,
			      struct measurement **ret, char *text, size_t len)
{
	struct requests_only *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->base = (struct measurement){.ops = &only_ops, .sink = sink,
				       .sink_error = &s->sink_error, .notice = s->notice};
	s->options = *o;
	err = only_prepare(s, text, len);
	if (err) {
		only_close(&s->base);
		return err;
	}
	*ret = &s->base;
	return 0;
}
