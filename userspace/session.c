// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/session.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "symbolizer/interpreter.h"
#include "userspace/clock.h"
#include "userspace/codes.h"
#include "userspace/counter.h"
#include "userspace/counter_reason.h"
#include "userspace/drain.h"
#include "userspace/kernel.h"
#include "userspace/launch.h"
#include "userspace/rights.h"
#include "userspace/tracker.h"

#define DRAIN_NS 1000000000ull
/* How often a process that has exec'ed is looked at. */
#define LOOK_MS 20
struct session {
	struct session_options options;
	struct sink *sink;
	struct counter *counter, *kernel_counter; /* the latter NULL: not counted */
	struct kernel *kernel;
	struct codes *codes;
	struct drain *drain;
	struct ring_buffer *ring;
	struct tracker tracker;
	struct launch launched;
	int launched_status;
	uint64_t started, drained, finished;
	double running; /* of the counter, at the end of the measurement */
	bool told_shared, told_uncounted;
};

/* The first error of the sink ends the session; the rest follows from it. */
static void tell(struct session *s, int err)
{
	if (err && !s->tracker.sink_error)
		s->tracker.sink_error = err;
}

static int on_event(void *arg, void *data, size_t size)
{
	struct session *s = arg;

	tracker_event(&s->tracker, data);
	return 0;
}

static int meta_tell(struct session *s)
{
	struct utsname host;
	struct timespec now;
	struct sink_meta meta = {
		.metric = counter_metric(s->counter),
		.user_only = counter_metric(s->counter) != METRIC_TASK_CLOCK,
		.metric_fallback = counter_fallback_reason(s->counter) != NULL,
		.per_thread = s->options.per_thread,
		.version = PYCOST_VERSION,
		.kernel_mode = s->kernel_counter != NULL,
	};

	uname(&host);
	clock_gettime(CLOCK_REALTIME, &now);
	meta.start_realtime_ns = now.tv_sec * 1000000000ull + now.tv_nsec;
	meta.host = host.nodename;
	meta.kernel = host.release;
	return s->sink->meta(s->sink, &meta);
}

static double counters_running(const struct session *s)
{
	double user = counter_running(s->counter);
	double kernel = s->kernel_counter ? counter_running(s->kernel_counter) : 1;

	return user < kernel ? user : kernel;
}

static int counters_follow_cpus(struct session *s)
{
	int err = counter_follow_cpus(s->counter, kernel_counters_fd(s->kernel));

	if (!err && s->kernel_counter)
		err = counter_follow_cpus(s->kernel_counter, kernel_mode_counters_fd(s->kernel));
	return err;
}

static int kernel_counter_open(struct session *s, char *text, size_t len)
{
	const char *fallback = counter_fallback_reason(s->counter);
	int err = counter_open_kernel(s->counter, &s->kernel_counter);
	char why[256];

	if (!err)
		return 0;
	counter_reason(err, why, sizeof(why));
	if (err == -EINVAL)
		snprintf(why, sizeof(why), "%s",
			 fallback ? fallback : "task-clock has the kernel's time in it already");
	snprintf(text, len, "--kernel: no counter of kernel mode: %s", why);
	return err;
}

static int counters_prepare(struct session *s, char *text, size_t len)
{
	int err = counter_open(s->options.metric, &s->counter);
	char why[256];

	if (err) {
		counter_reason(err, why, sizeof(why));
		snprintf(text, len, "no counter of %s: %s", metric_name(s->options.metric), why);
		return err;
	}
	return s->options.kernel_mode ? kernel_counter_open(s, text, len) : 0;
}

static int session_prepare(struct session *s, char *text, size_t len)
{
	struct kernel_options ko = {.max_nodes = s->options.max_nodes,
				    .max_threads = s->options.max_threads,
				    .per_thread = s->options.per_thread,
				    .no_follow = s->options.no_follow};
	struct drain_ops ops = {.knows = tracker_knows, .cost = tracker_cost,
				.arg = &s->tracker};
	int err = counters_prepare(s, text, len);

	if (err)
		return err;
	ko.kernel_counter = s->kernel_counter;
	err = kernel_open(&ko, s->counter, &s->kernel, text, len);
	if (err)
		return err;
	err = codes_new(s->sink, &s->codes);
	s->tracker = (struct tracker){
		.kernel = s->kernel, .sink = s->sink, .codes = s->codes,
		.no_follow = s->options.no_follow, .per_thread = s->options.per_thread,
		.builds = {.kernel = s->kernel, .counter = s->counter, .sink = s->sink,
			   .no_calibration = s->options.no_calibration},
	};
	if (!err)
		err = drain_new(s->kernel, s->codes, s->sink, &ops, &s->drain);
	if (!err) {
		s->ring = ring_buffer__new(kernel_events_fd(s->kernel), on_event, s, NULL);
		err = s->ring ? meta_tell(s) : -errno;
	}
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
	err = session_prepare(s, text, len);
	if (err) {
		session_close(s);
		return err;
	}
	*ret = s;
	return 0;
}

static int session_follow(struct session *s, pid_t pid, struct known_build *known,
			  uint64_t function_type, char *text, size_t len)
{
	int err = tracker_follow(&s->tracker, pid, known, function_type);

	if (err) {
		snprintf(text, len, "%s",
			 err == -EBUSY ? "another tracer has switched its probes on: stop it first"
				       : strerror(-err));
	} else if (s->tracker.followed == 1) {
		s->started = s->drained = clock_ns();
		counter_start(s->counter);
		if (s->kernel_counter)
			counter_start(s->kernel_counter);
	}
	return err;
}

static void interpreter_explain(int err, char *text, size_t len)
{
	snprintf(text, len, "%s",
		 err == -ENOENT	  ? "it is not Python: no CPython interpreter is mapped in it"
		 : err == -ESTALE ? "its interpreter's file was replaced on disk and cannot be "
				    "reached any more: restart it"
		 : err == -EACCES || err == -EPERM ? "no right to look at it"
						   : strerror(-err));
}

static int attach(struct session *s, pid_t pid, char *text, size_t len)
{
	struct interpreter in;
	struct known_build *b;
	uint64_t type;
	int err = interpreter_find(pid, &in);

	if (err) {
		interpreter_explain(err, text, len);
		return err;
	}
	type = in.function_type;
	err = tracker_build(&s->tracker, &in, pid, &b, text, len);
	interpreter_clear(&in);
	if (!err)
		err = session_follow(s, pid, b, type, text, len);
	if (!err)
		tracker_adopt(&s->tracker, pid);
	return err;
}

int session_attach(struct session *s, pid_t pid, char *text, size_t len)
{
	int err;

	if (process_find(s->tracker.processes, pid))
		return 0;
	if (kill(pid, 0) && errno == ESRCH) {
		snprintf(text, len, "no such process");
		return -ESRCH;
	}
	err = attach(s, pid, text, len);
	if (err && process_gone(pid)) {
		snprintf(text, len, "it ended while pycost attached");
		return -ESRCH;
	}
	rights_explain(err, text, len);
	return err;
}

/* The interpreter that the command will be, when it is one. */
static int launch_prepare(struct session *s, const char *command, struct known_build **ret,
			  uint64_t *ret_type, char *text, size_t len)
{
	struct interpreter in;
	int err;

	if (interpreter_open_path(command, getenv("PATH"), &in))
		return 0;
	*ret_type = in.function_type;
	err = tracker_build(&s->tracker, &in, 0, ret, text, len);
	interpreter_clear(&in);
	return err;
}

int session_launch(struct session *s, char *const argv[], char *text, size_t len)
{
	struct known_build *b = NULL;
	uint64_t type = 0;
	int err = launch_prepare(s, argv[0], &b, &type, text, len);

	if (err) {
		rights_explain(err, text, len);
		return err;
	}
	err = launch_command(argv, &s->launched);
	if (err) {
		snprintf(text, len, "cannot start it: %s", strerror(-err));
		return err;
	}
	err = session_follow(s, s->launched.pid, b, type, text, len);
	if (err) {
		rights_explain(err, text, len);
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
};

static void losses_read(const struct session *s, uint64_t ret[LOSS_MAX])
{
	uint64_t wire[WIRE_LOSS_MAX] = {0};

	memset(ret, 0, LOSS_MAX * sizeof(*ret));
	kernel_losses(s->kernel, wire);
	for (int i = 0; i < WIRE_LOSS_MAX; i++)
		ret[losses_of_wire[i]] += wire[i];
	ret[LOSS_LATE_ATTACH] = s->tracker.late;
	ret[LOSS_NAMES] += s->tracker.unnamed;
	for (size_t i = 0; i < s->tracker.builds.n; i++)
		ret[LOSS_PROBES_MISSED] += build_missed(s->tracker.builds.v[i]->build);
	/* In parts of a million of the time; 0 when the events ran throughout. */
	ret[LOSS_MULTIPLEXED] = (1 - (s->finished ? s->running : counters_running(s))) * 1e6;
}

static void losses_tell(struct session *s)
{
	uint64_t losses[LOSS_MAX];

	losses_read(s, losses);
	for (int i = 1; i < LOSS_MAX; i++)
		if (losses[i])
			tell(s, s->sink->loss(s->sink, i, losses[i]));
}

/* Each once, and only when the last notice was taken. */
static void counter_look(struct session *s)
{
	int err = counters_follow_cpus(s);
	char *notice = s->tracker.notice, why[256];

	if (*notice)
		return;
	if (err && !s->told_uncounted) {
		s->told_uncounted = true;
		counter_reason(err, why, sizeof(why));
		snprintf(notice, sizeof(s->tracker.notice),
			 "a CPU came online, and what runs there is not counted: %s", why);
	} else if (!s->told_shared && counters_running(s) < 1) {
		s->told_shared = true;
		snprintf(notice, sizeof(s->tracker.notice),
			 "others use the hardware counters too, and ours is off the PMU for a part "
			 "of the time: costs are parts only");
	}
}

int session_poll(struct session *s, int timeout_ms)
{
	uint64_t now;
	int err;

	if (s->tracker.looking && timeout_ms > LOOK_MS)
		timeout_ms = LOOK_MS;
	err = ring_buffer__poll(s->ring, timeout_ms);
	if (err < 0 && err != -EINTR)
		return err;
	launched_reap(s, tracker_is_dead(&s->tracker, s->launched.pid));
	tracker_look(&s->tracker);
	now = clock_ns();
	if (now - s->drained < DRAIN_NS)
		return s->tracker.sink_error;
	s->drained = now;
	counter_look(s);
	tell(s, drain_run(s->drain));
	tracker_tidy(&s->tracker, s->drain);
	losses_tell(s);
	tell(s, s->sink->flush(s->sink, now - s->started));
	return s->tracker.sink_error;
}

int session_finish(struct session *s)
{
	ring_buffer__consume(s->ring);
	tell(s, drain_finish(s->drain, s->counter));
	s->finished = clock_ns();
	s->running = counters_running(s);
	tracker_release(&s->tracker);
	/* The machine may have changed its pace: what is told is the mean of both ends. */
	tracker_calibrate(&s->tracker);
	losses_tell(s);
	if (!s->tracker.sink_error)
		tell(s, s->sink->end(s->sink, s->finished - s->started));
	return s->tracker.sink_error;
}

void session_status(struct session *s, struct session_status *ret)
{
	*ret = (struct session_status){
		.metric = counter_metric(s->counter),
		.fallback_reason = counter_fallback_reason(s->counter),
		.caution = counter_caution(s->counter),
		.targets = s->tracker.alive,
		.followed = s->tracker.followed,
		.calls = drain_calls(s->drain),
		.paths = drain_nodes(s->drain),
		.duration_ns = s->tracker.followed ? (s->finished ? s->finished : clock_ns()) - s->started : 0,
		.launched_status = s->launched_status,
		.kernel_mode = s->kernel_counter != NULL,
	};
	losses_read(s, ret->losses);
}

const char *session_notice(struct session *s)
{
	static char out[sizeof(s->tracker.notice)];

	if (!*s->tracker.notice)
		return NULL;
	strcpy(out, s->tracker.notice);
	*s->tracker.notice = 0;
	return out;
}

void session_close(struct session *s)
{
	if (!s)
		return;
	tracker_clear(&s->tracker);
	launch_leave(&s->launched);
	ring_buffer__free(s->ring);
	drain_free(s->drain);
	codes_free(s->codes);
	kernel_close(s->kernel);
	counter_close(s->counter);
	counter_close(s->kernel_counter);
	free(s);
}
