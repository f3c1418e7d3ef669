// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/lookout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/behind.h"
#include "userspace/clock.h"
#include "userspace/traps.h"

#define WAIT_LAST_NS 32000000000ull

/* A file's traps, for all processes. */
struct place {
	struct lookout_file file;
	struct traps *traps; /* NULL: it has none */
};

struct looked {
	struct lookout *lookout;
	pid_t pid;
	bool children;
	uint64_t look_at, wait; /* ns */
	struct {
		const struct place *of;
		struct trapped *trapped; /* NULL: it rests */
	} v[LOOKOUT_FILES];
	size_t n;
	_Alignas(max_align_t) unsigned char own[];
};

struct lookout {
	struct lookout_ops ops;
	struct place **places; /* each stays where it is */
	size_t n_places;
	struct looked **v;
	size_t n;
	bool rests;
};

int lookout_new(const struct lookout_ops *ops, struct lookout **ret)
{
	struct lookout *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->ops = *ops;
	*ret = l;
	return 0;
}

static void looked_free(void *arg)
{
	struct looked *p = arg;

	for (size_t i = 0; i < p->n; i++)
		trapped_close(p->v[i].trapped);
	free(p);
}

static void place_free(struct place *f)
{
	traps_free(f->traps);
	free(f);
}

void lookout_free(struct lookout *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++)
		looked_free(l->v[i]);
	for (size_t i = 0; i < l->n_places; i++)
		place_free(l->places[i]);
	free(l->places);
	free(l->v);
	free(l);
}

/* ---- files ---- */

static bool is_same(const struct lookout_file *a, const struct lookout_file *b)
{
	return a->dev == b->dev && a->inode == b->inode && a->kinds == b->kinds;
}

static int place_get(struct lookout *l, const struct lookout_file *file, const void *source,
		     const struct place **ret)
{
	struct place **v, *f;
	int err;

	for (size_t i = 0; i < l->n_places; i++) {
		*ret = l->places[i];
		if (is_same(&(*ret)->file, file))
			return 0;
	}
	v = realloc(l->places, (l->n_places + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	l->places = v;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->file = *file;
	err = l->ops.fill(l->ops.arg, source, &f->traps);
	if (err) {
		place_free(f);
		return err;
	}
	*ret = v[l->n_places++] = f;
	return 0;
}

int lookout_set(struct looked *p, const struct lookout_file *file, const void *source)
{
	const struct place *f;
	int err = place_get(p->lookout, file, source, &f);

	if (err)
		return err;
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].of == f)
			return 0;
	if (!f->traps)
		return 0;
	if (p->n == p->lookout->ops.files || p->n == LOOKOUT_FILES)
		return -E2BIG;
	if (p->lookout->rests && !f->file.stays)
		p->v[p->n].trapped = NULL;
	else
		err = traps_set(f->traps, p->pid, p->children, &p->v[p->n].trapped);
	if (!err)
		p->v[p->n++].of = f;
	return err;
}

static void close_item(void *item)
{
	trapped_close(*(struct trapped **)item);
}

void lookout_rest(struct lookout *l)
{
	struct trapped **v = calloc(l->n * LOOKOUT_FILES + 1, sizeof(*v));
	size_t n = 0;

	if (!v)
		return; /* as if they were wanted */
	for (size_t i = 0; i < l->n; i++) {
		struct looked *p = l->v[i];

		for (size_t j = 0; j < p->n; j++) {
			if (p->v[j].of->file.stays)
				continue;
			v[n++] = p->v[j].trapped;
			p->v[j].trapped = NULL;
		}
	}
	l->rests = true;
	together(close_item, v, n, sizeof(*v));
	free(v);
}

/* Who is gone is found so when it is looked at. */
static void looked_wake(struct looked *p)
{
	const struct lookout_ops *ops = &p->lookout->ops;

	for (size_t i = 0; i < p->n; i++) {
		int err = p->v[i].trapped ? 0 : traps_set(p->v[i].of->traps, p->pid, p->children,
							   &p->v[i].trapped);

		if (err && err != -ESRCH)
			ops->failed(ops->arg, p->pid, err);
	}
}

bool lookout_wake(struct lookout *l)
{
	bool rested = l->rests;

	l->rests = false;
	for (size_t i = 0; rested && i < l->n; i++)
		looked_wake(l->v[i]);
	return rested;
}

/* ---- processes ---- */

/* -ESRCH: it is gone. */
static int looked_try(struct looked *p, uint64_t now)
{
	const struct lookout_ops *ops = &p->lookout->ops;
	int err = ops->look(ops->arg, p, p->pid, p->own);

	p->wait = p->wait ? p->wait * 2 : ops->wait_first;
	if (p->wait > WAIT_LAST_NS)
		p->wait = WAIT_LAST_NS;
	p->look_at = now + p->wait;
	if (err && err != -ESRCH)
		ops->failed(ops->arg, p->pid, err);
	return err;
}

static struct looked **looked_find(const struct lookout *l, pid_t pid)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i]->pid == pid)
			return &l->v[i];
	return NULL;
}

int lookout_follow(struct lookout *l, pid_t pid, const void *own, bool children)
{
	struct looked **v, *p;

	lookout_unfollow(l, pid);
	v = realloc(l->v, (l->n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	l->v = v;
	p = calloc(1, sizeof(*p) + l->ops.own_size);
	if (!p)
		return -ENOMEM;
	p->lookout = l;
	p->pid = pid;
	p->children = children;
	if (l->ops.own_size)
		memcpy(p->own, own, l->ops.own_size);
	v[l->n++] = p;
	looked_try(p, clock_ns());
	return 0;
}

void lookout_unfollow(struct lookout *l, pid_t pid)
{
	struct looked **at = looked_find(l, pid);

	if (!at)
		return;
	behind(looked_free, *at); /* the kernel's grace periods take a tenth of a second */
	*at = l->v[--l->n];
}

const void *lookout_own(const struct lookout *l, pid_t pid)
{
	struct looked **at = looked_find(l, pid);

	return at ? (*at)->own : NULL;
}

void lookout_pass(struct lookout *l)
{
	uint64_t now = clock_ns();
	size_t n = l->n;

	for (size_t i = 0; i < n; i++) {
		/* From the last, where one may go: the last of all then takes its place. */
		struct looked *p = l->v[l->ops.lets_go ? n - 1 - i : i];

		if (now >= p->look_at && looked_try(p, now) == -ESRCH && l->ops.lets_go)
			lookout_unfollow(l, p->pid);
	}
}
