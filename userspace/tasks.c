// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/tasks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/interpreter.h"
#include "userspace/behind.h"
#include "userspace/clock.h"
#include "userspace/traps.h"

/* When a process is looked at again: after so long, then twice as long, each time. */
#define LOOK_FIRST_NS 500000000ull
#define LOOK_LAST_NS 32000000000ull

/* A file's sites, for all processes. */
struct watch {
	dev_t dev;
	ino_t inode;
	unsigned kinds; /* that are among them */
	struct traps *traps;
};

struct process {
	pid_t pid;
	bool children;
	struct interpreter in; /* no more of it than switch_sites_find() asks for */
	uint64_t look_at, wait; /* ns */
	struct {
		const struct watch *of;
		struct trapped *trapped;
	} v[2 * SWITCH_FILES];
	size_t n;
};

struct tasks {
	int programs[SWITCH_KINDS];
	struct watch **watches; /* each stays where it is */
	size_t n_watches;
	struct process **v;
	size_t n;
	char reason[160];
};

int tasks_open(const int programs[SWITCH_KINDS], struct tasks **ret)
{
	struct tasks *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	memcpy(t->programs, programs, sizeof(t->programs));
	*ret = t;
	return 0;
}

static void process_free(void *arg)
{
	struct process *p = arg;

	for (size_t i = 0; i < p->n; i++)
		trapped_close(p->v[i].trapped);
	free(p);
}

void tasks_close(struct tasks *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		process_free(t->v[i]);
	for (size_t i = 0; i < t->n_watches; i++) {
		traps_free(t->watches[i]->traps);
		free(t->watches[i]);
	}
	free(t->watches);
	free(t->v);
	free(t);
}

static unsigned kinds_of(const struct switch_sites *s, size_t file)
{
	unsigned kinds = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].file == file)
			kinds |= 1u << s->v[i].kind;
	return kinds;
}

static int watch_fill(struct tasks *t, const struct switch_sites *s, size_t file, struct watch *w)
{
	int err = traps_new_file(s->files[file].fd, &w->traps);

	for (size_t i = 0; !err && i < s->n; i++)
		if (s->v[i].file == file)
			err = traps_add(w->traps, s->v[i].offset, false,
					t->programs[s->v[i].kind]);
	return err;
}

/*
 * A file has another watch when a process has loaded more, and so has more sites in it;
 * where both are set, a program runs once all the same.
 */
static int watch_get(struct tasks *t, const struct switch_sites *s, size_t file,
		     const struct watch **ret)
{
	const struct switch_file *f = &s->files[file];
	struct watch **v, *w;
	int err;

	for (size_t i = 0; i < t->n_watches; i++) {
		w = t->watches[i];
		if (w->dev == f->dev && w->inode == f->inode && w->kinds == kinds_of(s, file)) {
			*ret = w;
			return 0;
		}
	}
	v = realloc(t->watches, (t->n_watches + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	t->watches = v;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	*w = (struct watch){ .dev = f->dev, .inode = f->inode, .kinds = kinds_of(s, file) };
	err = watch_fill(t, s, file, w);
	if (err) {
		traps_free(w->traps);
		free(w);
		return err;
	}
	v[t->n_watches++] = w;
	*ret = w;
	return 0;
}

static int process_set(struct process *p, const struct watch *w)
{
	struct trapped *trapped;
	int err;

	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].of == w)
			return 0;
	if (p->n == sizeof(p->v) / sizeof(p->v[0]))
		return -E2BIG;
	err = traps_set(w->traps, p->pid, p->children, &trapped);
	if (err)
		return err;
	p->v[p->n].of = w;
	p->v[p->n++].trapped = trapped;
	return 0;
}

/* Sites of the interpreter alone are of no use: only loops run them. */
static bool has_tasks(const struct switch_sites *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].kind == SWITCH_TASK || s->v[i].kind == SWITCH_GREENLET_NEW)
			return true;
	return false;
}

static int process_look(struct tasks *t, struct process *p)
{
	struct switch_sites sites;
	const struct watch *w;
	int err = switch_sites_find(p->pid, &p->in, &sites);

	if (err)
		return err;
	for (size_t i = 0; !err && has_tasks(&sites) && i < sites.n_files; i++) {
		err = watch_get(t, &sites, i, &w);
		if (!err)
			err = process_set(p, w);
	}
	switch_sites_clear(&sites);
	return err;
}

/* -ESRCH: it is gone. */
static int process_try(struct tasks *t, struct process *p, uint64_t now)
{
	int err = process_look(t, p);

	p->wait = p->wait ? p->wait * 2 : LOOK_FIRST_NS;
	if (p->wait > LOOK_LAST_NS)
		p->wait = LOOK_LAST_NS;
	p->look_at = now + p->wait;
	if (err && err != -ESRCH)
		snprintf(t->reason, sizeof(t->reason),
			 "tasks of process %d are not told apart: its event loop cannot be watched: %s",
			 (int)p->pid, strerror(-err));
	return err;
}

static struct process **process_find(struct tasks *t, pid_t pid)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i]->pid == pid)
			return &t->v[i];
	return NULL;
}

static bool is_same(const struct interpreter *a, const struct interpreter *b)
{
	return a->dev == b->dev && a->inode == b->inode && a->bias == b->bias;
}

int tasks_follow(struct tasks *t, pid_t pid, const struct interpreter *in, bool children)
{
	struct process **v, *p;

	if (process_find(t, pid)) {
		if (is_same(&(*process_find(t, pid))->in, in))
			return 0;
		tasks_unfollow(t, pid); /* it has executed another program */
	}
	v = realloc(t->v, (t->n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	t->v = v;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->pid = pid;
	p->children = children;
	p->in.dev = in->dev;
	p->in.inode = in->inode;
	p->in.bias = in->bias;
	p->in.machine = in->machine;
	p->in.free_threaded = in->free_threaded;
	v[t->n++] = p;
	process_try(t, p, clock_ns());
	return 0;
}

void tasks_unfollow(struct tasks *t, pid_t pid)
{
	struct process **at = t ? process_find(t, pid) : NULL;

	if (!at)
		return;
	behind(process_free, *at); /* the kernel's grace periods take a tenth of a second */
	*at = t->v[--t->n];
}

void tasks_pass(struct tasks *t)
{
	uint64_t now = clock_ns();

	for (size_t i = t->n; i-- > 0;)
		if (now >= t->v[i]->look_at && process_try(t, t->v[i], now) == -ESRCH)
			tasks_unfollow(t, t->v[i]->pid);
}

const char *tasks_reason(const struct tasks *t)
{
	return t->reason;
}
