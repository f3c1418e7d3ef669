// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/tracker.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/wire.h"
#include "symbolizer/layout.h"
#include "userspace/clock.h"
#include "userspace/codes.h"
#include "userspace/drain.h"
#include "userspace/jit.h"
#include "userspace/kernel.h"
#include "userspace/reread.h"
#include "userspace/sink.h"
#include "userspace/watch.h"

/* After an exec, a dynamic linker may still have to map libpython. */
#define LOOK_NS 2000000000ull
/*
 * Closing a process's descriptors makes the kernel look at every process with
 * the same file; and where they are not inherited, a child just forked, not yet
 * process_forked()'s, would lose its probes until it is: so it is done seldom, and
 * many at a time.
 */
#define RELEASE_BATCH 256

static void tell(struct tracker *t, int err)
{
	if (err && !t->sink_error)
		t->sink_error = err;
}

static void process_tell(struct tracker *t, struct process *p)
{
	const struct known_build *k = p->build;
	struct sink_process fact = {.pid = p->pid, .ppid = p->parent, .comm = p->comm,
				    .python = "", .exe = ""};

	if (k) {
		fact.python = k->version;
		fact.exe = build_interpreter(k->build)->target_path;
		fact.calibration = k->cost.known ? k->id : 0;
	}
	tell(t, t->sink->process(t->sink, &fact));
}

static int process_hold(const struct tracker *t, struct process *p, struct known_build *k)
{
	hold_close(&p->hold);
	p->build = k;
	if (t->on_demand)
		return 0;
	return hold_open(build_hold(k->build), p->pid, !t->no_follow, &p->hold);
}

int tracker_build(struct tracker *t, struct interpreter *in, pid_t pid, struct known_build **ret,
		  char *text, size_t len)
{
	int err;

	if (jit_is_on(in, pid)) {
		snprintf(text, len, "its JIT compiler is on (PYTHON_JIT), whose code has no probes: "
				    "run it with PYTHON_JIT=0, or use --mode sample");
		return -ENOTSUP;
	}
	err = builds_get(&t->builds, in, pid, ret, text, len);

	if (!err && *text)
		snprintf(t->notice, sizeof(t->notice), "%s: costs will hold the probes' own", text);
	return err;
}

int tracker_follow(struct tracker *t, pid_t pid, struct known_build *known, uint64_t function_type)
{
	struct wire_proc proc = {.func_type = function_type};
	struct process *p;
	int err = process_add(&t->processes, pid, 0, &p);

	if (err)
		return err;
	err = names_open(pid, &p->names);
	if (!err && !t->per_thread) {
		proc.root = kernel_root(t->kernel, pid, 0);
		err = proc.root ? 0 : -ENOSPC;
	}
	/* Known to the kernel before its first probe can fire. */
	if (!err)
		err = kernel_follow(t->kernel, pid, &proc);
	if (!err && known)
		err = process_hold(t, p, known);
	if (err) {
		kernel_unfollow(t->kernel, pid);
		process_remove(&t->processes, p);
		return err == -ENOENT ? -ESRCH : err;
	}
	t->alive++;
	t->followed++;
	process_tell(t, p);
	return 0;
}

void tracker_adopt(struct tracker *t, pid_t pid)
{
	char path[64];
	struct dirent *e;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks)
		return;
	while ((e = readdir(tasks)))
		if (atoi(e->d_name) && kernel_adopt(t->kernel, pid, atoi(e->d_name)) == -ENOSPC)
			break;
	closedir(tasks);
}

/*
 * A child of a followed process.  It is being measured already; what is opened
 * here keeps its probes on should its parent's be closed.
 */
static void process_forked(struct tracker *t, pid_t pid, pid_t parent_pid)
{
	struct process *parent = process_find(t->processes, parent_pid), *p;
	struct process *old = process_find(t->processes, pid);

	if (t->no_follow) {
		if (parent && parent->build && !t->on_demand)
			hold_dismiss_forked(build_hold(parent->build->build), pid);
		return;
	}
	if (old) { /* a PID come round again */
		t->dead -= old->dead;
		t->alive -= !old->dead;
		process_remove(&t->processes, old);
	}
	if (process_add(&t->processes, pid, parent_pid, &p))
		return;
	t->alive++;
	t->followed++;
	if (parent) {
		p->names = names_share(parent->names);
		if (!*p->comm)
			strcpy(p->comm, parent->comm);
		p->build = parent->build;
		/* On demand, what the child has of probes goes with its parent's, in a moment. */
		if (p->build && !t->on_demand)
			hold_open_forked(build_hold(p->build->build), &parent->hold, pid, &p->hold);
	}
	process_tell(t, p);
}

static void process_watch(struct tracker *t, struct process *p)
{
	struct names *names;

	if (!names_open(p->pid, &names)) {
		names_drop(p->names);
		p->names = names;
	}
	t->looking += !p->look_until;
	p->look_until = clock_ns() + LOOK_NS;
}

/* 0 when Python was found in it and its probes are on. */
static int process_look(struct tracker *t, struct process *p)
{
	struct interpreter in, seen;
	struct known_build *k;
	char why[256] = "";
	int err = interpreter_find(p->pid, &in);

	if (err)
		return err;
	seen = in; /* what it has moves to the build when that is new */
	err = tracker_build(t, &in, p->pid, &k, why, sizeof(why));
	if (err) {
		if (process_gone(p->pid))
			snprintf(why, sizeof(why), "it ended before its probes were on");
		snprintf(t->notice, sizeof(t->notice), "PID %d, started by a target, is not measured: %s",
			 p->pid, why);
		t->late++;
		interpreter_clear(&in);
		return -ENOTSUP;
	}
	process_comm(p);
	kernel_retype(t->kernel, p->pid, seen.function_type);
	if (t->watch)
		watch_follow(t->watch, p->pid, &seen);
	interpreter_clear(&in);
	if (p->build != k) {
		process_hold(t, p, k);
		t->late++;
	}
	process_tell(t, p);
	return 0;
}

void tracker_look(struct tracker *t)
{
	struct process *p, *next;
	uint64_t now = clock_ns();

	if (!t->looking)
		return;
	HASH_ITER(hh, t->processes, p, next)
	{
		if (!p->look_until)
			continue;
		if (process_look(t, p) == -ENOENT && now < p->look_until && !p->dead)
			continue;
		p->look_until = 0;
		t->looking--;
	}
}

static void process_exited(struct tracker *t, struct process *p)
{
	if (p->dead)
		return;
	p->dead = true;
	t->alive--;
	t->dead++;
	t->unburied++;
}

static void code_announced(struct tracker *t, struct process *p, const struct wire_event_code *e)
{
	const struct interpreter *in;
	struct wire_event_code whole;

	if (!p->names || !p->build)
		return;
	in = build_interpreter(p->build->build);
	if (reread_is_due(e)) {
		whole = *e;
		e = &whole;
		t->unnamed += reread_code(p->pid, layout_for(in->minor), &whole) != 0;
	}
	tell(t, codes_learn(t->codes, e, p->names->resolver, in->minor,
			    p->build->cost.known ? &p->build->cost.lines : NULL));
}

void tracker_event(struct tracker *t, const struct wire_event *e)
{
	struct process *p = process_find(t->processes, e->tgid);

	switch (e->kind) {
	case WIRE_EVENT_FORK:
		process_forked(t, e->tgid, ((const struct wire_event_fork *)e)->parent);
		break;
	case WIRE_EVENT_CODE:
		if (p)
			code_announced(t, p, (const struct wire_event_code *)e);
		break;
	case WIRE_EVENT_EXEC:
		if (p)
			process_watch(t, p);
		break;
	case WIRE_EVENT_EXIT:
		if (p)
			process_exited(t, p);
		break;
	}
}

bool tracker_is_dead(const struct tracker *t, pid_t pid)
{
	const struct process *p = process_find(t->processes, pid);

	return p && p->dead;
}

bool tracker_knows(void *tracker, uint32_t tgid)
{
	struct tracker *t = tracker;

	if (process_find(t->processes, tgid))
		return true;
	t->orphan = tgid;
	return false;
}

const struct build_cost *tracker_cost(void *tracker, uint32_t tgid)
{
	const struct process *p = process_find(((struct tracker *)tracker)->processes, tgid);

	return p && p->build && p->build->cost.known ? &p->build->cost : NULL;
}

static void code_gone(void *arg, const struct wire_code_key *key)
{
	kernel_forget_code(((struct tracker *)arg)->kernel, key);
}

void tracker_tidy(struct tracker *t, struct drain *d)
{
	struct process *p, *next;

	if (t->orphan) {
		process_forked(t, t->orphan, 0);
		p = process_find(t->processes, t->orphan);
		if (p)
			process_watch(t, p);
		t->orphan = 0;
	}
	HASH_ITER(hh, t->processes, p, next)
	{
		if (!t->unburied)
			break;
		if (!p->dead || p->buried)
			continue;
		drain_recycle(d, p->pid);
		codes_forget(t->codes, p->pid, code_gone, t);
		p->buried = true;
		t->unburied--;
	}
	if (t->dead < RELEASE_BATCH)
		return;
	processes_release_dead(&t->processes);
	t->dead = t->unburied;
}

int tracker_switch_on(struct tracker *t, pid_t pid)
{
	struct process *p = process_find(t->processes, pid);

	if (!p || !p->build || p->dead)
		return -ESRCH;
	hold_close(&p->hold);
	return hold_open(build_hold(p->build->build), pid, false, &p->hold);
}

void tracker_switch_off(struct tracker *t, pid_t pid)
{
	struct process *p = process_find(t->processes, pid);

	if (p)
		hold_close_behind(&p->hold);
}

void tracker_release(struct tracker *t)
{
	processes_release(t->processes);
}

void tracker_calibrate(struct tracker *t)
{
	struct process *p, *next;
	char why[256];

	for (size_t i = 0; !t->builds.no_calibration && i < t->builds.n; i++) {
		pid_t like = 0;

		HASH_ITER(hh, t->processes, p, next)
			if (p->build == t->builds.v[i] && !p->dead)
				like = p->pid;
		/* The first measurement stands when this one fails. */
		if (like)
			builds_calibrate(&t->builds, t->builds.v[i], like, why, sizeof(why));
	}
}

void tracker_clear(struct tracker *t)
{
	struct process *p, *next;

	processes_release(t->processes);
	HASH_ITER(hh, t->processes, p, next)
		process_remove(&t->processes, p);
	builds_clear(&t->builds);
}
