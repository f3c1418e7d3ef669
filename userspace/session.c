// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "userspace/clock.h"
#include "userspace/launch.h"
#include "userspace/measurement.h"
#include "userspace/process.h"
#include "userspace/rights.h"

#define PASS_NS 1000000000ull

struct session {
	struct session_options options;
	struct sink *sink;
	struct measurement *measurement;
	struct launch launched;
	int launched_status;
	uint64_t started, passed, finished; /* 0: not yet */
};

static void rights_tell(const struct session *s, int err, char *text, size_t len)
{
	rights_explain(err, s->options.sample ? RIGHTS_SAMPLE : RIGHTS_EXACT, text, len);
}

/* The first error of the sink ends the session; the rest follows from it. */
static void tell(struct session *s, int err)
{
	if (err && !*s->measurement->sink_error)
		*s->measurement->sink_error = err;
}

static int meta_tell(struct session *s)
{
	struct utsname host;
	struct timespec now;
	struct sink_meta meta = {.per_thread = s->options.per_thread, .version = PYCOST_VERSION};

	uname(&host);
	clock_gettime(CLOCK_REALTIME, &now);
	meta.start_realtime_ns = now.tv_sec * 1000000000ull + now.tv_nsec;
	meta.host = host.nodename;
	meta.kernel = host.release;
	s->measurement->ops->meta(s->measurement, &meta);
	if (meta.requests)
		meta.budget = s->options.budget;
	return s->sink->meta(s->sink, &meta);
}

static int measurement_prepare(struct session *s, char *text, size_t len)
{
	const struct session_options *o = &s->options;
	int err;

	if (!o->sample)
		err = exact_measurement_open(o, s->sink, &s->measurement, text, len);
	else if (!o->requests || !o->no_samples)
		err = sampled_measurement_open(o, s->sink, &s->measurement, text, len);
	else
		err = requests_measurement_open(o, s->sink, &s->measurement, text, len);
	if (err)
		return err;
	err = meta_tell(s);
	if (err)
		snprintf(text, len, "cannot start: %s", strerror(-err));
	return err;
}

int session_open(const struct session_options *o, struct sink *sink, struct session **ret,
		 char *text, size_t len)
{
	struct session *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->options = *o;
	s->sink = sink;
	s->launched = (struct launch){.go = -1, .in = -1, .out = -1, .failed = -1};
	s->launched_status = -1;
	err = measurement_prepare(s, text, len);
	if (err) {
		session_close(s);
		return err;
	}
	*ret = s;
	return 0;
}

/* The time runs from the first target on. */
static int session_begin(struct session *s, char *text, size_t len)
{
	int err;

	if (s->started)
		return 0;
	s->started = s->passed = clock_ns();
	err = s->measurement->ops->begin(s->measurement);
	if (err)
		snprintf(text, len, "cannot start: %s", strerror(-err));
	return err;
}

int session_everyone(struct session *s, char *text, size_t len)
{
	return session_begin(s, text, len);
}

int session_attach(struct session *s, pid_t pid, char *text, size_t len)
{
	int err;

	if (s->measurement->ops->knows(s->measurement, pid))
		return 0;
	if (kill(pid, 0) && errno == ESRCH) {
		snprintf(text, len, "no such process");
		return -ESRCH;
	}
	err = s->measurement->ops->attach(s->measurement, pid, text, len);
	if (err && process_gone(pid)) {
		snprintf(text, len, "it ended while pycost attached");
		return -ESRCH;
	}
	if (!err)
		err = session_begin(s, text, len);
	rights_tell(s, err, text, len);
	return err;
}

int session_prepare(struct session *s, pid_t pid, char *text, size_t len)
{
	int err = s->measurement->ops->prepare
			  ? s->measurement->ops->prepare(s->measurement, pid, text, len)
			  : 0;

	rights_tell(s, err, text, len);
	return err;
}

int session_launch(struct session *s, char *const argv[], char *text, size_t len)
{
	int err = s->measurement->ops->expect(s->measurement, argv[0], text, len);

	if (err) {
		rights_tell(s, err, text, len);
		return err;
	}
	err = launch_command(argv, &s->launched);
	if (err) {
		snprintf(text, len, "cannot start it: %s", strerror(-err));
		return err;
	}
	err = s->measurement->ops->follow(s->measurement, s->launched.pid, text, len);
	if (!err)
		err = session_begin(s, text, len);
	if (err) {
		rights_tell(s, err, text, len);
		return err;
	}
	err = launch_go(&s->launched);
	if (err)
		snprintf(text, len, "cannot run it: %s", strerror(-err));
	return err;
}

/* wait: it has ended as the kernel sees it, and is a zombie at any moment. */
static void launched_reap(struct session *s, bool wait)
{
	int status;

	if (s->launched.pid <= 0 ||
	    waitpid(s->launched.pid, &status, wait ? 0 : WNOHANG) != s->launched.pid)
		return;
	s->launched_status = status;
	s->launched.pid = 0;
}

static void losses_tell(struct session *s)
{
	uint64_t losses[LOSS_MAX] = {0};

	s->measurement->ops->losses(s->measurement, losses);
	for (int i = 1; i < LOSS_MAX; i++)
		if (losses[i])
			tell(s, s->sink->loss(s->sink, i, losses[i]));
}

int session_poll(struct session *s, int timeout_ms)
{
	struct measurement *m = s->measurement;
	int err = m->ops->wait(m, timeout_ms);
	uint64_t now;

	if (err)
		return err;
	launched_reap(s, m->ops->is_dead(m, s->launched.pid));
	now = clock_ns();
	if (now - s->passed < PASS_NS)
		return *m->sink_error;
	s->passed = now;
	m->ops->pass(m, false);
	losses_tell(s);
	tell(s, s->sink->flush(s->sink, now - s->started));
	return *m->sink_error;
}

int session_finish(struct session *s)
{
	struct measurement *m = s->measurement;

	m->ops->pass(m, true);
	s->finished = clock_ns();
	m->ops->release(m);
	losses_tell(s);
	if (!*m->sink_error)
		tell(s, s->sink->end(s->sink, s->finished - s->started));
	return *m->sink_error;
}

void session_status(struct session *s, struct session_status *ret)
{
	uint64_t until = s->finished ? s->finished : clock_ns();

	*ret = (struct session_status){.launched_status = s->launched_status,
				       .duration_ns = s->started ? until - s->started : 0};
	s->measurement->ops->status(s->measurement, ret);
	s->measurement->ops->losses(s->measurement, ret->losses);
}

const char *session_notice(struct session *s)
{
	static char out[NOTICE_SIZE];

	if (!*s->measurement->notice)
		return NULL;
	strcpy(out, s->measurement->notice);
	*s->measurement->notice = 0;
	return out;
}

void session_close(struct session *s)
{
	if (!s)
		return;
	if (s->measurement)
		s->measurement->ops->close(s->measurement);
	launch_leave(&s->launched);
	free(s);
}
