/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/followed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/clock.h"
#include "userspace/codes.h"
#include "userspace/line_store.h"
#include "userspace/process.h"
#include "userspace/reread.h"
#include "userspace/sample_natives.h"
#include "userspace/sampling.h"
#include "userspace/sink.h"

/* After an exec, a dynamic linker may still have to map libpython. */
#define LOOK_NS 2000000000ull
/* Samples of a process may come out of the ring after its end, and wait a pass more. */
#define PASSES_OF_THE_DEAD 2

static void tell(struct followed *f, int err)
{
	if (err && !f->sink_error)
		f->sink_error = err;
}

static struct sampled_process *find(const struct followed *f, pid_t pid)
{
	struct sampled_process *p;

	HASH_FIND_INT(f->processes, &pid, p);
	return p;
}

static void process_tell(struct followed *f, const struct sampled_process *p)
{
	struct sink_process fact = {.pid = p->pid, .ppid = p->parent, .comm = p->comm,
				    .python = p->build ? p->build->version : "",
				    .exe = p->build ? p->build->in.target_path : ""};

	tell(f, f->sink->process(f->sink, &fact));
}

/* As another program than before, though it may have its PID. */
static void process_number(struct followed *f, struct sampled_process *p)
{
	if (p->owner.serial)
		HASH_DELETE(by_serial, f->serials, p);
	p->owner = (struct path_owner){.pid = p->pid, .serial = ++f->serial, .interpreter = ""};
	HASH_ADD(by_serial, f->serials, owner.serial, sizeof(p->owner.serial), p);
}

static struct sampled_process *process_new(struct followed *f, pid_t pid, pid_t parent)
{
	struct sampled_process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->pid = pid;
	p->parent = parent;
	p->wire.build = WIRE_NO_BUILD;
	comm_read(pid, p->comm, sizeof(p->comm));
	HASH_ADD_INT(f->processes, pid, p);
	process_number(f, p);
	f->alive++;
	f->followed++;
	return p;
}

static void process_forget(struct followed *f, struct sampled_process *p)
{
	codes_forget(f->codes, p->pid, NULL, NULL);
	sample_natives_forget(f->natives, p->pid);
}

static void process_drop(struct followed *f, struct sampled_process *p)
{
	f->alive -= !p->dead;
	f->dead -= p->dead;
	f->looking -= p->look_until != 0;
	process_forget(f, p);
	HASH_DELETE(by_serial, f->serials, p);
	HASH_DEL(f->processes, p);
	names_drop(p->names);
	free(p);
}

/* Where its threads are told apart from those of another life of the PID. */
static void process_become(struct sampled_process *p, struct sampled_build *b,
			   const struct wire_sampled *wire)
{
	p->build = b;
	p->owner.interpreter = b->in.target_path;
	p->owner.refused = &b->refused;
	p->wire = *wire;
	p->wire.epoch = p->owner.serial;
}

static void found_tell(struct followed *f, pid_t pid, const struct interpreter *in)
{
	if (f->found)
		f->found(f->arg, pid, in);
}

/* The Python in a process, of which only numbers hold, and the addresses its walker needs. */
static int python_find(struct followed *f, pid_t pid, struct wire_sampled *ret_wire,
		       struct interpreter *ret_in, struct sampled_build **ret, char *text,
		       size_t len)
{
	struct interpreter in;
	int err = interpreter_find(pid, &in);

	if (err) {
		interpreter_explain(err, text, len);
		return err;
	}
	*ret_in = in; /* what it owns may move to the build */
	err = sampling_build(f->sampling, &in, pid, ret, text, len);
	if (!err)
		sampling_addresses(*ret, ret_in, 0, ret_wire);
	interpreter_clear(&in);
	return err;
}

int followed_prepare(struct followed *f, pid_t pid, char *text, size_t len)
{
	struct sampled_build *b;
	struct wire_sampled wire;
	struct interpreter in;
	int err = python_find(f, pid, &wire, &in, &b, text, len);

	return err ? err : sampling_prove(f->sampling, b, pid, text, len);
}

int followed_attach(struct followed *f, pid_t pid, char *text, size_t len)
{
	struct sampled_build *b;
	struct sampled_process *p;
	struct wire_sampled wire;
	struct interpreter in;
	int err = python_find(f, pid, &wire, &in, &b, text, len);

	if (!err)
		err = sampling_prove(f->sampling, b, pid, text, len);
	if (err)
		return err;
	p = process_new(f, pid, 0);
	if (!p)
		return -ENOMEM;
	process_become(p, b, &wire);
	err = names_open(pid, &p->names);
	if (!err)
		err = sampling_follow(f->sampling, pid, &p->wire);
	if (err) {
		snprintf(text, len, "%s", strerror(-err));
		f->followed--;
		process_drop(f, p);
		return err == -ENOENT ? -ESRCH : err;
	}
	process_tell(f, p);
	found_tell(f, pid, &in);
	return 0;
}

int followed_wait_for(struct followed *f, pid_t pid)
{
	struct sampled_process *p = process_new(f, pid, 0);
	int err = p ? names_open(pid, &p->names) : -ENOMEM;

	if (!err)
		err = sampling_follow(f->sampling, pid, &p->wire);
	if (err)
		return err;
	process_tell(f, p);
	found_tell(f, pid, NULL);
	return 0;
}

bool followed_knows(const struct followed *f, pid_t pid)
{
	const struct sampled_process *p = find(f, pid);

	return p && !p->dead;
}

bool followed_is_dead(const struct followed *f, pid_t pid)
{
	const struct sampled_process *p = find(f, pid);

	return p && p->dead;
}

/*
 * A child of a followed process, sampled since its birth.  The kernel has given it its
 * parent's entry; from now on its code objects are announced as its own.
 */
static void process_forked(struct followed *f, pid_t pid, pid_t parent_pid)
{
	const struct sampled_process *parent;
	struct sampled_process *p = find(f, pid);

	if (f->no_follow)
		return;
	if (p) { /* a PID come round again */
		f->settle(f->arg, pid);
		process_drop(f, p);
	}
	p = process_new(f, pid, parent_pid);
	if (!p)
		return;
	parent = find(f, parent_pid);
	if (parent) {
		p->names = names_share(parent->names);
		if (!*p->comm)
			strcpy(p->comm, parent->comm);
		if (parent->build)
			process_become(p, parent->build, &parent->wire);
		p->look_until = parent->look_until;
		f->looking += p->look_until != 0;
		/* -ENOENT when it has ended already, and is no loss. */
		sampling_refollow(f->sampling, pid, &p->wire);
	}
	process_tell(f, p);
}

/* Another program from now on: what it was is told, and forgotten. */
static void process_execed(struct followed *f, struct sampled_process *p)
{
	struct names *names;

	f->settle(f->arg, p->pid);
	process_forget(f, p);
	process_number(f, p);
	p->build = NULL;
	p->wire = (struct wire_sampled){.build = WIRE_NO_BUILD, .epoch = p->owner.serial};
	sampling_refollow(f->sampling, p->pid, &p->wire);
	comm_read(p->pid, p->comm, sizeof(p->comm));
	process_tell(f, p);
	if (!names_open(p->pid, &names)) {
		names_drop(p->names);
		p->names = names;
	}
	f->looking += !p->look_until;
	p->look_until = clock_ns() + LOOK_NS;
}

static void not_walked(struct followed *f, const struct sampled_process *p, const char *why)
{
	if (!process_gone(p->pid))
		snprintf(f->notice, sizeof(f->notice),
			 "PID %d, started by a target, is not walked: %s", p->pid, why);
}

/*
 * -ENOENT: no Python is in it, yet.  It runs meanwhile, so it is walked before that is
 * tried out; of what is refused then no path is believed.
 */
static int process_look(struct followed *f, struct sampled_process *p)
{
	struct sampled_build *b;
	struct wire_sampled wire;
	struct interpreter in;
	char why[256] = "";
	int err = python_find(f, p->pid, &wire, &in, &b, why, sizeof(why));

	if (err == -ENOENT || err == -ESRCH)
		return err;
	if (!err) {
		process_become(p, b, &wire);
		sampling_refollow(f->sampling, p->pid, &p->wire);
		process_tell(f, p);
		found_tell(f, p->pid, &in);
		err = sampling_prove(f->sampling, b, p->pid, why, sizeof(why));
	}
	if (err)
		not_walked(f, p, why);
	return err;
}

void followed_look(struct followed *f)
{
	struct sampled_process *p, *next;
	uint64_t now = clock_ns();

	if (!f->looking)
		return;
	HASH_ITER(hh, f->processes, p, next)
	{
		if (!p->look_until)
			continue;
		if (!p->dead && process_look(f, p) == -ENOENT && now < p->look_until)
			continue;
		p->look_until = 0;
		f->looking--;
	}
}

static void process_exited(struct followed *f, struct sampled_process *p)
{
	if (p->dead)
		return;
	p->dead = true;
	f->alive--;
	f->dead++;
}

/* Its line table, for samples to find their lines in. */
static void lines_learn(struct followed *f, const struct sampled_process *p,
			const struct wire_event_code *e)
{
	struct wire_code_key key = {.code = e->code, .wrapped = e->wrapped, .tgid = e->head.tgid,
				    .print = e->print};
	struct code_known *known = codes_known(f->codes, &key);
	size_t size = e->linetable_size < WIRE_LINETABLE_MAX ? e->linetable_size : WIRE_LINETABLE_MAX;
	const uint8_t *table = e->linetable;
	uint8_t *whole = NULL;

	if (!known)
		return;
	if (e->linetable_size == WIRE_LINETABLE_UNREAD) {
		f->unlined++;
		return;
	}
	if (size < e->linetable_size && !reread_linetable(p->pid, &p->build->layout, e, &whole)) {
		table = whole;
		size = e->linetable_size;
	}
	if (line_store_add(f->lines, p->build->in.minor, e->firstlineno, table, size,
			   e->linetable_size, &known->lines))
		f->unlined++;
	free(whole);
}

static void code_announced(struct followed *f, struct sampled_process *p,
			   const struct wire_event_code *e)
{
	struct wire_event_code whole;
	int err;

	if (!p->names || !p->build)
		return;
	if (reread_is_due(e)) {
		whole = *e;
		e = &whole;
		f->unnamed += reread_code(p->pid, &p->build->layout, &whole) != 0;
	}
	err = codes_learn(f->codes, e, p->names->resolver, p->build->in.minor, NULL);
	if (!err)
		lines_learn(f, p, e);
	tell(f, err);
}

void followed_event(struct followed *f, const struct wire_event *e)
{
	struct sampled_process *p = find(f, e->tgid);

	switch (e->kind) {
	case WIRE_EVENT_FORK:
		process_forked(f, e->tgid, ((const struct wire_event_fork *)e)->parent);
		break;
	case WIRE_EVENT_CODE:
		if (p)
			code_announced(f, p, (const struct wire_event_code *)e);
		break;
	case WIRE_EVENT_EXEC:
		if (p)
			process_execed(f, p);
		break;
	case WIRE_EVENT_EXIT:
		if (p)
			process_exited(f, p);
		break;
	}
}

void followed_tidy(struct followed *f)
{
	struct sampled_process *p, *next;
	struct wire_sampled wire;

	/* Only what the kernel follows gives samples. */
	if (f->orphan && !find(f, f->orphan) &&
	    !sampling_followed(f->sampling, f->orphan, &wire)) {
		process_forked(f, f->orphan, 0);
		p = find(f, f->orphan);
		if (p)
			process_execed(f, p);
	}
	f->orphan = 0;
	if (!f->dead)
		return;
	HASH_ITER(hh, f->processes, p, next)
		if (p->dead && ++p->passes >= PASSES_OF_THE_DEAD)
			process_drop(f, p);
}

void followed_clear(struct followed *f)
{
	struct sampled_process *p, *next;

	HASH_ITER(hh, f->processes, p, next)
		process_drop(f, p);
}

const struct path_owner *followed_owner(void *followed, uint32_t tgid)
{
	struct followed *f = followed;
	const struct sampled_process *p = find(f, tgid);

	if (!p)
		f->orphan = tgid;
	return p ? &p->owner : NULL;
}

bool followed_lives(void *followed, uint32_t serial)
{
	struct followed *f = followed;
	struct sampled_process *p;

	HASH_FIND(by_serial, f->serials, &serial, sizeof(serial), p);
	return p;
}
