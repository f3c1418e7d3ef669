/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/marks.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "bpf/wire_marks.h"
#include "userspace/behind.h"
#include "userspace/clock.h"
#include "userspace/codes.h"
#include "userspace/hold.h"
#include "userspace/mark_programs.h"
#include "userspace/mark_tally.h"
#include "userspace/process.h"
#include "userspace/reread.h"

/* After an exec, a dynamic linker may still have to map libpython. */
#define LOOK_NS 2000000000ull
/*
 * Lowering semaphores makes the kernel look at every process with the same file, and
 * takes it a grace period: so it is done seldom, and for many at a time.
 */
#define DROP_BATCH 256

struct marked_process {
	pid_t pid;
	struct marked_build *build; /* NULL: no Python known in it */
	struct names *names;
	struct hold held;
	bool dead;
	uint64_t look_until; /* after an exec: keep looking for Python, in ns */
	UT_hash_handle hh;
};

struct marks {
	struct marks_options options;
	struct mark_programs *programs;
	struct ring_buffer *ring;
	struct mark_tally *tally;
	struct marked_process *processes;
	unsigned looking, dead;
	uint64_t unnamed, lost;
	int sink_error; /* the first one */
	char notice[512], told[512];
};

static void tell(struct marks *m, int err)
{
	if (err && !m->sink_error)
		m->sink_error = err;
}

/* ---- processes ---- */

static struct marked_process *find(const struct marks *m, pid_t pid)
{
	struct marked_process *p;

	HASH_FIND_INT(m->processes, &pid, p);
	return p;
}

static struct marked_process *process_new(struct marks *m, pid_t pid)
{
	struct marked_process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->pid = pid;
	p->held = HOLD_NONE;
	HASH_ADD_INT(m->processes, pid, p);
	return p;
}

struct dropped {
	size_t n;
	struct hold v[];
};

static void dropped_close(void *arg)
{
	struct dropped *d = arg;

	holds_close(d->v, d->n);
	free(d);
}

/* What it holds has been dropped. */
static void process_forget(struct marks *m, struct marked_process *p)
{
	m->looking -= p->look_until != 0;
	m->dead -= p->dead;
	HASH_DEL(m->processes, p);
	names_drop(p->names);
	free(p);
}

static void process_drop(struct marks *m, struct marked_process *p)
{
	hold_close_behind(&p->held);
	process_forget(m, p);
}

/* All that are dead, or just all; NULL: there is no memory. */
static struct dropped *processes_take(struct marks *m, bool living)
{
	struct dropped *d = malloc(sizeof(*d) + HASH_COUNT(m->processes) * sizeof(d->v[0]));
	struct marked_process *p, *next;

	if (!d)
		return NULL;
	d->n = 0;
	HASH_ITER(hh, m->processes, p, next) {
		if (!p->dead && !living)
			continue;
		d->v[d->n++] = p->held;
		process_forget(m, p);
	}
	return d;
}

/* Each build's once, and only when the last notice was taken. */
static void build_explain(struct marks *m, struct marked_build *b)
{
	if (b->told || !*b->why_not || *m->notice)
		return;
	b->told = true;
	snprintf(m->notice, sizeof(m->notice), "imports and collections in %s: not visible: %s",
		 b->in.target_path, b->why_not);
}

/* -ENOENT: no Python is in it, yet. */
static int python_look(struct marks *m, struct marked_process *p)
{
	struct interpreter in;
	char why[256] = "";
	int err = interpreter_find(p->pid, &in);

	if (err)
		return err;
	err = mark_programs_build(m->programs, &in, p->pid, &p->build, why, sizeof(why));
	if (!err)
		err = mark_programs_follow(m->programs, p->pid, p->build, &in);
	if (!err) {
		build_explain(m, p->build);
		err = hold_open(&p->build->hold, p->pid, !m->options.no_follow, &p->held);
	}
	if (err && !process_gone(p->pid) && !*m->notice)
		snprintf(m->notice, sizeof(m->notice),
			 "PID %d: its imports and collections are not seen: %s", p->pid,
			 *why		  ? why
			 : err == -EBUSY ? "other tracers hold all places that switch its probes on"
					  : strerror(-err));
	interpreter_clear(&in);
	return err == -ENOENT ? -ENOTSUP : err;
}

static void process_watch(struct marks *m, struct marked_process *p)
{
	m->looking += !p->look_until;
	p->look_until = clock_ns() + LOOK_NS;
}

int marks_follow(struct marks *m, pid_t pid)
{
	struct marked_process *p = find(m, pid);
	int err;

	if (p && !p->dead)
		return 0;
	if (p)
		process_drop(m, p);
	p = process_new(m, pid);
	err = p ? names_open(pid, &p->names) : -ENOMEM;
	if (!err) {
		err = python_look(m, p);
		/* It may become one. */
		if (err && err != -ESRCH)
			err = mark_programs_follow(m->programs, pid, NULL, NULL);
	}
	if (err && p)
		process_drop(m, p);
	return err;
}

/*
 * A child is listened to since its birth; what is held here keeps it so should its
 * parent's be dropped.
 */
static void process_forked(struct marks *m, pid_t pid, pid_t parent_pid)
{
	const struct marked_process *parent = find(m, parent_pid);
	struct marked_process *p = find(m, pid);

	if (p) /* a PID come round again */
		process_drop(m, p);
	if (!parent)
		return;
	if (m->options.no_follow) {
		if (parent->build)
			hold_dismiss_forked(&parent->build->hold, pid);
		return;
	}
	p = process_new(m, pid);
	if (!p)
		return;
	p->names = names_share(parent->names);
	p->build = parent->build;
	if (p->build)
		hold_open_forked(&p->build->hold, &parent->held, pid, &p->held);
}

static void process_execed(struct marks *m, struct marked_process *p)
{
	struct names *names;

	hold_close_behind(&p->held);
	p->build = NULL;
	if (!names_open(p->pid, &names)) {
		names_drop(p->names);
		p->names = names;
	}
	process_watch(m, p);
}

bool marks_looking(const struct marks *m)
{
	return m->looking != 0;
}

void marks_look(struct marks *m)
{
	struct marked_process *p, *next;
	uint64_t now = clock_ns();

	if (!m->looking)
		return;
	HASH_ITER(hh, m->processes, p, next) {
		if (!p->look_until)
			continue;
		if (!p->dead && python_look(m, p) == -ENOENT && now < p->look_until)
			continue;
		p->look_until = 0;
		m->looking--;
	}
}

/* ---- events ---- */

static void code_announced(struct marks *m, struct marked_process *p,
			   const struct wire_event_code *e)
{
	struct wire_event_code whole;

	if (!p->names || !p->build)
		return;
	if (reread_is_due(e)) {
		whole = *e;
		e = &whole;
		m->unnamed += reread_code(p->pid, &p->build->layout, &whole) != 0;
	}
	tell(m, codes_learn(m->options.codes, e, p->names->resolver, p->build->in.minor, NULL));
}

/* 0: not known. */
static uint32_t function_of(const struct marks *m, uint32_t tgid, const struct wire_mark_place *at)
{
	struct wire_code_key key = {.code = at->code, .tgid = tgid, .print = at->print};
	const struct code_known *known = at->code ? codes_known(m->options.codes, &key) : NULL;

	return known ? known->function : 0;
}

static void marked(struct marks *m, const struct wire_event *e)
{
	const struct wire_event_import *i = (const void *)e;
	const struct wire_event_collection *c = (const void *)e;
	int err;

	if (e->kind == WIRE_EVENT_IMPORT)
		err = mark_tally_import(m->tally, i, function_of(m, e->tgid, &i->place));
	else
		err = mark_tally_collection(m->tally, c, function_of(m, e->tgid, &c->place));
	m->lost += err != 0;
}

static int on_event(void *arg, void *data, size_t size)
{
	const struct wire_event *e = data;
	struct marks *m = arg;
	struct marked_process *p = find(m, e->tgid);

	switch (e->kind) {
	case WIRE_EVENT_IMPORT:
	case WIRE_EVENT_COLLECTION:
		marked(m, e);
		break;
	case WIRE_EVENT_FORK:
		process_forked(m, e->tgid, ((const struct wire_event_fork *)e)->parent);
		break;
	case WIRE_EVENT_CODE:
		if (p)
			code_announced(m, p, data);
		break;
	case WIRE_EVENT_EXEC:
		if (p)
			process_execed(m, p);
		break;
	case WIRE_EVENT_EXIT:
		if (p && !p->dead) {
			p->dead = true;
			m->dead++;
		}
		break;
	}
	return 0;
}

void marks_consume(struct marks *m)
{
	ring_buffer__consume(m->ring);
}

int marks_pass(struct marks *m, bool last)
{
	marks_consume(m);
	tell(m, mark_tally_tell(m->tally, m->options.sink, m->options.endpoint, m->options.arg, last));
	if (m->dead >= DROP_BATCH) {
		struct dropped *d = processes_take(m, false);

		if (d)
			behind(dropped_close, d);
	}
	return m->sink_error;
}

/* ---- the whole ---- */

int marks_open(const struct marks_options *o, struct marks **ret, char *text, size_t len)
{
	struct marks *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	m->options = *o;
	err = mark_programs_open(o->serving, o->audit, o->no_follow, &m->programs, text, len);
	if (!err) {
		err = mark_tally_new(&m->tally);
		m->ring = err ? NULL : ring_buffer__new(mark_programs_events_fd(m->programs), on_event,
							m, NULL);
		if (!m->ring) {
			err = err ? err : -errno;
			snprintf(text, len, "cannot start: %s", strerror(-err));
		}
	}
	if (err) {
		marks_close(m);
		return err;
	}
	*ret = m;
	return 0;
}

void marks_close(struct marks *m)
{
	struct marked_process *p, *next;
	struct dropped *d;

	if (!m)
		return;
	d = processes_take(m, true);
	if (d)
		dropped_close(d);
	HASH_ITER(hh, m->processes, p, next) /* no memory */
		process_drop(m, p);
	ring_buffer__free(m->ring);
	mark_tally_free(m->tally);
	mark_programs_close(m->programs);
	free(m);
}

const char *marks_notice(struct marks *m)
{
	if (!*m->notice)
		return NULL;
	strcpy(m->told, m->notice);
	*m->notice = 0;
	return m->told;
}

void marks_losses(const struct marks *m, uint64_t ret[LOSS_MAX])
{
	uint64_t wire[WIRE_LOSS_MAX] = {0};

	mark_programs_losses(m->programs, wire);
	ret[LOSS_MARKS] += wire[WIRE_LOSS_MARKS] + m->lost;
	ret[LOSS_NAMES] += wire[WIRE_LOSS_NAMES] + m->unnamed;
	ret[LOSS_PROCESSES] += wire[WIRE_LOSS_PROCS];
	ret[LOSS_EVENTS] += wire[WIRE_LOSS_EVENTS];
}
