// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/tasks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/interpreter.h"
#include "userspace/lookout.h"

#define LOOK_FIRST_NS 500000000ull

struct tasks {
	int programs[SWITCH_KINDS];
	enum traps_by by;
	uint64_t switches; /* that were counted until the last phase was left */
	struct lookout *lookout; /* own: struct interpreter, see own_part() */
	char reason[160];
};

/* What traps are made of: those of one kind in a file. */
struct source {
	const struct switch_sites *sites;
	size_t file;
	enum switch_kind kind;
};

static bool is_of(const struct source *s, const struct switch_site *site)
{
	return site->file == s->file && site->kind == s->kind;
}

static int kind_fill(void *arg, const void *source, struct traps **ret)
{
	const struct tasks *t = arg;
	const struct source *s = source;
	int err = traps_new_file(s->sites->files[s->file].fd, t->by, ret);

	for (size_t i = 0; !err && i < s->sites->n; i++)
		if (is_of(s, &s->sites->v[i]))
			err = traps_add(*ret, s->sites->v[i].offset, false, t->programs[s->kind]);
	return err;
}

/* Sites of the interpreter alone are of no use: only loops run them. */
static bool has_tasks(const struct switch_sites *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].kind == SWITCH_TASK || s->v[i].kind == SWITCH_GREENLET_NEW)
			return true;
	return false;
}

/*
 * Each kind by itself: what a process loads later makes more kinds of use, also in files that
 * are trapped already, by it or by whom it has these from; and no program must run twice.
 */
static int process_look(void *arg, struct looked *p, pid_t pid, const void *in)
{
	struct switch_sites sites;
	int err = switch_sites_find(pid, in, &sites);

	if (err)
		return err;
	for (size_t i = 0; !err && has_tasks(&sites) && i < sites.n; i++) {
		struct source of = {&sites, sites.v[i].file, sites.v[i].kind};
		const struct switch_file *in_file = &sites.files[of.file];
		struct lookout_file file = {in_file->dev, in_file->inode, of.kind,
					    .stays = of.kind >= SWITCH_GREENLET};

		err = lookout_set(p, &file, &of);
	}
	switch_sites_clear(&sites);
	return err;
}

static void process_failed(void *arg, pid_t pid, int err)
{
	struct tasks *t = arg;

	snprintf(t->reason, sizeof(t->reason),
		 "tasks of process %d are not told apart: its event loop cannot be watched: %s",
		 (int)pid, strerror(-err));
}

int tasks_open(const int programs[SWITCH_KINDS], enum traps_by by, struct tasks **ret)
{
	struct tasks *t = calloc(1, sizeof(*t));
	struct lookout_ops ops = {.look = process_look,
				  .fill = kind_fill,
				  .failed = process_failed,
				  .arg = t,
				  .wait_first = LOOK_FIRST_NS,
				  .files = LOOKOUT_FILES,
				  .own_size = sizeof(struct interpreter),
				  .lets_go = true};
	int err = t ? lookout_new(&ops, &t->lookout) : -ENOMEM;

	_Static_assert(SWITCH_KINDS < LOOKOUT_FILES, "each kind has room");
	if (err) {
		free(t);
		return err;
	}
	memcpy(t->programs, programs, sizeof(t->programs));
	t->by = by;
	*ret = t;
	return 0;
}

void tasks_close(struct tasks *t)
{
	if (!t)
		return;
	lookout_free(t->lookout);
	free(t);
}

/* No more of it than switch_sites_find() asks for. */
static struct interpreter own_part(const struct interpreter *in)
{
	return (struct interpreter){.dev = in->dev,
				    .inode = in->inode,
				    .bias = in->bias,
				    .machine = in->machine,
				    .free_threaded = in->free_threaded};
}

static bool is_same(const struct interpreter *a, const struct interpreter *b)
{
	return a->dev == b->dev && a->inode == b->inode && a->bias == b->bias;
}

int tasks_follow(struct tasks *t, pid_t pid, const struct interpreter *in, bool children)
{
	const struct interpreter *before = lookout_own(t->lookout, pid);
	struct interpreter own = own_part(in);

	if (before && is_same(before, in))
		return 0;
	/* It is new, or has executed another program. */
	return lookout_follow(t->lookout, pid, &own, children);
}

int tasks_born(struct tasks *t, pid_t pid, pid_t parent, bool children)
{
	const struct interpreter *of = lookout_own(t->lookout, parent);
	struct interpreter own;

	if (!of)
		return 0;
	own = *of;
	return lookout_follow(t->lookout, pid, &own, children);
}

void tasks_unfollow(struct tasks *t, pid_t pid)
{
	if (t)
		lookout_unfollow(t->lookout, pid);
}

void tasks_pass(struct tasks *t)
{
	lookout_pass(t->lookout);
}

/* How often loops' programs have run while the kernel counted that, as it does in phases. */
static uint64_t switches_counted(const struct tasks *t)
{
	uint64_t sum = 0;

	for (int i = 0; i < SWITCH_GREENLET; i++) {
		struct bpf_prog_info info = {0};
		__u32 size = sizeof(info);

		if (!bpf_obj_get_info_by_fd(t->programs[i], &info, &size))
			sum += info.run_cnt;
	}
	return sum;
}

bool tasks_turn(void *tasks, bool rests)
{
	struct tasks *t = tasks;
	uint64_t switches;

	if (!rests)
		return lookout_wake(t->lookout);
	switches = switches_counted(t);
	if (switches > t->switches && t->by == TRAPS_BY_LINKS)
		lookout_rest(t->lookout);
	t->switches = switches;
	return false;
}

const char *tasks_reason(const struct tasks *t)
{
	return t->reason;
}
