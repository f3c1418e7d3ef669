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
#include "userspace/builds.h"
#include "userspace/codes.h"
#include "userspace/counter.h"
#include "userspace/drain.h"
#include "userspace/kernel.h"
#include "userspace/launch.h"
#include "userspace/process.h"

#define DRAIN_NS 1000000000ull
/* After an exec, a dynamic linker may still have to map libpython. */
#define LOOK_NS 2000000000ull
/* Descriptors of dead processes are closed this many at a time: see bury(). */
#define BURY_BATCH 256

struct session {
	struct session_options options;
	struct sink *sink;
	struct counter *counter;
	struct kernel *kernel;
	struct codes *codes;
	struct drain *drain;
	struct ring_buffer *ring;
	struct builds builds;
	struct process *processes;
	struct launch launched;
	int launched_status;
	pid_t orphan; /* a process met in the tree whose fork note was lost */
	unsigned dead, followed, looking;
	uint64_t late;
	uint64_t started, drained, finished;
	int sink_error;
	char notice[256];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void notice(struct session *s, const char *format, const char *what)
{
	snprintf(s->notice, sizeof(s->notice), format, what);
}

/* The first error of the sink ends the session; the rest follows from it. */
static void tell(struct session *s, int err)
{
	if (err && !s->sink_error)
		s->sink_error = err;
}

/* What calibration could not do is worth a word, not an error. */
static int build_get(struct session *s, struct interpreter *in, pid_t pid,
		     struct known_build **ret, char *text, size_t len)
{
	int err = builds_get(&s->builds, in, pid, ret, text, len);

	if (!err && *text)
		notice(s, "%s: costs will hold the probes' own", text);
	return err;
}

/* ---- processes ---- */

static void process_tell(struct session *s, struct process *p)
{
	const struct known_build *k = p->build;
	struct sink_process fact = {.pid = p->pid, .ppid = p->parent, .comm = p->comm,
				    .python = "", .exe = ""};

	if (k) {
		fact.python = k->version;
		fact.exe = build_interpreter(k->build)->target_path;
		fact.calibration = k->cost.known ? k->id : 0;
	}
	tell(s, s->sink->process(s->sink, &fact));
}

/*
 * A child of a followed process.  It is being measured already; what is opened
 * here keeps its probes on should its parent's be closed.
 */
static void process_forked(struct session *s, pid_t pid, pid_t parent_pid)
{
	struct process *parent = process_find(s->processes, parent_pid), *p;
	struct process *old = process_find(s->processes, pid);
	struct hold passing = HOLD_NONE;

	if (s->options.no_follow) {
		/* Opened and closed: that takes the copied probes out. */
		if (parent && parent->build &&
		    !hold_open(build_interpreter(parent->build->build), pid, &passing))
			hold_close(&passing);
		return;
	}
	if (old) /* a PID come round again */
		process_remove(&s->processes, old);
	if (process_add(&s->processes, pid, parent_pid, &p))
		return;
	s->followed++;
	if (parent) {
		p->build = parent->build;
		p->names = names_share(parent->names);
		if (p->build)
			hold_open(build_interpreter(p->build->build), pid, &p->hold);
	}
	process_tell(s, p);
}

/* 0 when Python was found in it and its probes are on. */
static int process_look(struct session *s, struct process *p)
{
	struct interpreter in;
	struct known_build *b;
	char why[256] = "";
	int err = interpreter_find(p->pid, &in);

	if (err)
		return err;
	err = build_get(s, &in, p->pid, &b, why, sizeof(why));
	if (err) {
		notice(s, "a process started by a target is not measured: %s", why);
		interpreter_clear(&in);
		return -ENOTSUP;
	}
	kernel_retype(s->kernel, p->pid, in.function_type);
	interpreter_clear(&in);
	if (p->build != b) {
		p->build = b;
		hold_close(&p->hold);
		err = hold_open(build_interpreter(b->build), p->pid, &p->hold);
		s->late += !err;
	}
	process_tell(s, p);
	return 0;
}

static void process_execed(struct session *s, pid_t pid)
{
	struct process *p = process_find(s->processes, pid);
	struct names *names;

	if (!p)
		return;
	if (!names_open(pid, &names)) {
		names_drop(p->names);
		p->names = names;
	}
	p->look_until = now_ns() + LOOK_NS;
	s->looking++;
}

static void processes_look(struct session *s)
{
	struct process *p, *next;
	uint64_t now = now_ns();

	HASH_ITER(hh, s->processes, p, next)
	{
		if (!p->look_until)
			continue;
		if (process_look(s, p) == -ENOENT && now < p->look_until && !p->dead)
			continue;
		p->look_until = 0;
		s->looking--;
	}
}

static void process_exited(struct session *s, pid_t pid)
{
	struct process *p = process_find(s->processes, pid);

	if (!p || p->dead)
		return;
	p->dead = true;
	s->dead++;
}

static void code_gone(void *arg, const struct wire_code_key *key)
{
	struct session *s = arg;

	kernel_forget_code(s->kernel, key);
}

/*
 * Takes the dead out, after a pass over the tree that had their last costs.
 * Closing a process's descriptors makes the kernel look at every process with
 * the same file, and a child just forked, not yet process_forked()'s, would lose its
 * probes: so it is done seldom, and many at a time.
 */
static void bury(struct session *s)
{
	struct process *p, *next;

	if (s->dead < BURY_BATCH)
		return;
	HASH_ITER(hh, s->processes, p, next)
	{
		if (!p->dead)
			continue;
		drain_recycle(s->drain, p->pid);
		codes_forget(s->codes, p->pid, code_gone, s);
		process_remove(&s->processes, p);
	}
	s->dead = 0;
}

/* ---- events ---- */

static void code_announced(struct session *s, const struct wire_event_code *e)
{
	struct process *p = process_find(s->processes, e->head.tgid);

	if (!p || !p->names || !p->build)
		return;
	tell(s, codes_learn(s->codes, e, p->names->resolver, build_interpreter(p->build->build)->minor));
}

static int on_event(void *arg, void *data, size_t size)
{
	struct session *s = arg;
	const struct wire_event *e = data;
	const struct wire_event_fork *fork = data;

	switch (e->kind) {
	case WIRE_EVENT_CODE:
		code_announced(s, data);
		break;
	case WIRE_EVENT_FORK:
		process_forked(s, e->tgid, fork->parent);
		break;
	case WIRE_EVENT_EXEC:
		process_execed(s, e->tgid);
		break;
	case WIRE_EVENT_EXIT:
		process_exited(s, e->tgid);
		break;
	}
	return 0;
}

static bool knows(void *arg, uint32_t tgid)
{
	struct session *s = arg;

	if (process_find(s->processes, tgid))
		return true;
	s->orphan = tgid;
	return false;
}

/* ---- the session ---- */

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
	};

	uname(&host);
	clock_gettime(CLOCK_REALTIME, &now);
	meta.start_realtime_ns = now.tv_sec * 1000000000ull + now.tv_nsec;
	meta.host = host.nodename;
	meta.kernel = host.release;
	return s->sink->meta(s->sink, &meta);
}

static int session_prepare(struct session *s, char *text, size_t len)
{
	struct kernel_options ko = {.max_nodes = s->options.max_nodes,
				    .max_threads = s->options.max_threads,
				    .per_thread = s->options.per_thread,
				    .no_follow = s->options.no_follow};
	struct drain_ops ops = {.knows = knows, .arg = s};
	int err = counter_open(s->options.metric, &s->counter);

	if (err) {
		snprintf(text, len, "no counter of %s: %s", metric_name(s->options.metric),
			 counter_reason(err));
		return err;
	}
	err = kernel_open(&ko, s->counter, &s->kernel, text, len);
	if (err)
		return err;
	s->builds = (struct builds){.kernel = s->kernel, .counter = s->counter, .sink = s->sink,
				    .no_calibration = s->options.no_calibration};
	err = codes_new(s->sink, &s->codes);
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

/* Follows a process with the probes of b on; b NULL: when it has Python. */
static int session_follow(struct session *s, pid_t pid, struct known_build *b,
			  uint64_t function_type, char *text, size_t len)
{
	struct wire_proc proc = {.func_type = function_type};
	struct process *p;
	int err = process_add(&s->processes, pid, 0, &p);

	if (err)
		return err;
	err = names_open(pid, &p->names);
	if (!err && !s->options.per_thread) {
		proc.root = kernel_root(s->kernel, pid);
		err = proc.root ? 0 : -ENOSPC;
	}
	if (!err)
		err = kernel_follow(s->kernel, pid, &proc);
	if (!err && b) {
		p->build = b;
		err = hold_open(build_interpreter(b->build), pid, &p->hold);
	}
	if (err) {
		kernel_unfollow(s->kernel, pid);
		process_remove(&s->processes, p);
		snprintf(text, len, "%s",
			 err == -ESRCH	 ? "it ended while pycost attached"
			 : err == -EBUSY ? "another tracer has switched its probes on: stop it first"
					 : strerror(-err));
		return err;
	}
	if (!s->followed++)
		s->started = s->drained = now_ns();
	process_tell(s, p);
	return 0;
}

int session_attach(struct session *s, pid_t pid, char *text, size_t len)
{
	struct interpreter in;
	struct known_build *b;
	uint64_t type;
	int err;

	if (process_find(s->processes, pid))
		return 0;
	err = interpreter_find(pid, &in);
	if (err) {
		snprintf(text, len, "%s",
			 err == -ESRCH ? "no such process"
			 : err == -ENOENT
				 ? "it is not Python: no CPython interpreter is mapped in it"
			 : err == -EACCES || err == -EPERM
				 ? "no right to look at it: run as root or with CAP_SYS_PTRACE"
			 : err == -ESTALE ? "its interpreter's file was replaced on disk and "
					    "cannot be reached any more: restart it"
					  : strerror(-err));
		return err;
	}
	type = in.function_type;
	err = build_get(s, &in, pid, &b, text, len);
	interpreter_clear(&in);
	if (err && kill(pid, 0) && errno == ESRCH) {
		snprintf(text, len, "it ended while pycost attached");
		return -ESRCH;
	}
	return err ? err : session_follow(s, pid, b, type, text, len);
}

int session_launch(struct session *s, char *const argv[], char *text, size_t len)
{
	struct known_build *b = NULL;
	struct interpreter in = {0};
	uint64_t type = 0;
	int err = interpreter_open_path(argv[0], getenv("PATH"), &in);

	if (!err) {
		type = in.function_type;
		err = build_get(s, &in, 0, &b, text, len);
		interpreter_clear(&in);
		if (err)
			return err;
	}
	err = launch_command(argv, &s->launched);
	if (!err)
		err = session_follow(s, s->launched.pid, b, type, text, len);
	if (!err) {
		err = launch_go(&s->launched);
		if (err)
			snprintf(text, len, "cannot run %s: %s", argv[0], strerror(-err));
	}
	return err;
}

static void launched_reap(struct session *s)
{
	int status;

	if (s->launched.pid <= 0 || waitpid(s->launched.pid, &status, WNOHANG) != s->launched.pid)
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
};

static void losses_read(const struct session *s, uint64_t ret[LOSS_MAX])
{
	uint64_t wire[WIRE_LOSS_MAX] = {0};

	memset(ret, 0, LOSS_MAX * sizeof(*ret));
	kernel_losses(s->kernel, wire);
	for (int i = 0; i < WIRE_LOSS_MAX; i++)
		ret[losses_of_wire[i]] += wire[i];
	ret[LOSS_LATE_ATTACH] = s->late;
	/* In parts of a million of the time; 0 when the events ran throughout. */
	ret[LOSS_MULTIPLEXED] = (1 - counter_running(s->counter)) * 1e6;
}

static void losses_tell(struct session *s)
{
	uint64_t losses[LOSS_MAX];

	losses_read(s, losses);
	for (int i = 1; i < LOSS_MAX; i++)
		if (losses[i])
			tell(s, s->sink->loss(s->sink, i, losses[i]));
}

int session_poll(struct session *s, int timeout_ms)
{
	uint64_t now;
	int err;

	if (s->looking && timeout_ms > 20)
		timeout_ms = 20;
	err = ring_buffer__poll(s->ring, timeout_ms);
	if (err < 0 && err != -EINTR)
		return err;
	launched_reap(s);
	if (s->looking)
		processes_look(s);
	now = now_ns();
	if (now - s->drained < DRAIN_NS)
		return s->sink_error;
	s->drained = now;
	s->orphan = 0;
	tell(s, drain_run(s->drain));
	bury(s);
	if (s->orphan)
		process_forked(s, s->orphan, 0);
	losses_tell(s);
	tell(s, s->sink->flush(s->sink, now - s->started));
	return s->sink_error;
}

/* The machine may have changed its pace: what is told is the mean of both ends. */
static void builds_calibrate_again(struct session *s)
{
	struct process *p, *next;
	char why[256];

	for (size_t i = 0; !s->options.no_calibration && i < s->builds.n; i++) {
		pid_t like = 0;

		HASH_ITER(hh, s->processes, p, next)
			if (p->build == s->builds.v[i] && !p->dead)
				like = p->pid;
		if (like)
			builds_calibrate(&s->builds, s->builds.v[i], like, why, sizeof(why));
	}
}

int session_finish(struct session *s)
{
	ring_buffer__consume(s->ring);
	tell(s, drain_finish(s->drain, s->counter));
	s->finished = now_ns();
	processes_release(s->processes);
	builds_calibrate_again(s);
	losses_tell(s);
	if (!s->sink_error)
		tell(s, s->sink->end(s->sink, s->finished - s->started));
	return s->sink_error;
}

void session_status(struct session *s, struct session_status *ret)
{
	struct process *p, *next;

	*ret = (struct session_status){
		.metric = counter_metric(s->counter),
		.fallback_reason = counter_fallback_reason(s->counter),
		.followed = s->followed,
		.calls = drain_calls(s->drain),
		.paths = drain_nodes(s->drain),
		.duration_ns = s->followed ? (s->finished ? s->finished : now_ns()) - s->started : 0,
		.launched_status = s->launched_status,
	};
	HASH_ITER(hh, s->processes, p, next)
		ret->targets += !p->dead;
	losses_read(s, ret->losses);
}

const char *session_notice(struct session *s)
{
	static char out[sizeof(s->notice)];

	if (!*s->notice)
		return NULL;
	strcpy(out, s->notice);
	*s->notice = 0;
	return out;
}

void session_close(struct session *s)
{
	struct process *p, *next;

	if (!s)
		return;
	processes_release(s->processes);
	HASH_ITER(hh, s->processes, p, next)
		process_remove(&s->processes, p);
	if (s->launched.pid > 0)
		launch_end(&s->launched);
	builds_clear(&s->builds);
	ring_buffer__free(s->ring);
	drain_free(s->drain);
	codes_free(s->codes);
	kernel_close(s->kernel);
	counter_close(s->counter);
	free(s);
}
