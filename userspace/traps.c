// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/traps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "symbolizer/interpreter.h"
#include "userspace/perf_event.h"
#include "userspace/trace_event.h"
#include "userspace/uprobe_link.h"

#define EVENTS_MAX 32

struct traps {
	int file; /* the interpreter's */
	enum traps_by by;
	int nothing; /* by links: what semaphores' breakpoints run; -1 */
	size_t n;
	struct {
		uint64_t offset, semaphore;
		bool returns;
		int program;
		/* By events: */
		struct trace_event event;
		int anchor; /* has the program, if any; of ourselves, who never run that file */
	} v[EVENTS_MAX];
};

struct trapped {
	unsigned references;
	size_t n, room;
	struct {
		int fd;
		bool returns;
	} *v;
	size_t n_threads;
	pid_t *threads;
};

static int event_open(const struct trace_event *e, pid_t tid, bool inherit)
{
	struct perf_event_attr attr = {.size = sizeof(attr), .type = PERF_TYPE_TRACEPOINT,
				       .config = e->id, .inherit = inherit, .disabled = 1};

	return perf_event_open_task(&attr, tid);
}

int traps_guard(pid_t tid)
{
	struct perf_event_attr attr = {.size = sizeof(attr), .type = PERF_TYPE_SOFTWARE,
				       .config = PERF_COUNT_SW_DUMMY, .disabled = 1};

	return perf_event_open_task(&attr, tid);
}

int traps_new_file(int fd, enum traps_by by, struct traps **ret)
{
	struct traps *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->by = by;
	t->nothing = -1;
	t->file = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (t->file < 0) {
		int err = -errno;

		free(t);
		return err;
	}
	*ret = t;
	return 0;
}

int traps_new(const struct interpreter *in, enum traps_by by, struct traps **ret)
{
	int fd = open(in->path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = traps_new_file(fd, by, ret);
	close(fd);
	return err;
}

bool traps_inherited(const struct traps *t)
{
	return t->by == TRAPS_BY_EVENTS;
}

/* The last one. */
static void trap_take_back(struct traps *t)
{
	t->n--;
	if (t->by != TRAPS_BY_EVENTS)
		return;
	close(t->v[t->n].anchor);
	trace_event_remove(&t->v[t->n].event);
}

static int event_define(struct traps *t, uint64_t offset, uint64_t semaphore)
{
	struct trace_event e;
	int err = trace_event_define(t->file, offset, semaphore, &e), anchor;

	if (err)
		return err;
	anchor = event_open(&e, 0, false);
	if (anchor < 0) {
		trace_event_remove(&e);
		return anchor;
	}
	t->v[t->n].event = e;
	t->v[t->n].anchor = anchor;
	return 0;
}

static int trap_define(struct traps *t, uint64_t offset, uint64_t semaphore, bool returns)
{
	int err = 0;

	if (t->n == EVENTS_MAX)
		return -E2BIG;
	if (t->by == TRAPS_BY_EVENTS)
		err = event_define(t, offset, semaphore);
	if (err)
		return err;
	t->v[t->n].offset = offset;
	t->v[t->n].semaphore = semaphore;
	t->v[t->n++].returns = returns;
	return 0;
}

/* Of a thread, or by a link of its whole process. */
static int trap_open(const struct traps *t, size_t i, pid_t tid, bool inherit)
{
	char path[64];

	if (t->by == TRAPS_BY_EVENTS)
		return event_open(&t->v[i].event, tid, inherit);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", t->file);
	return uprobe_link_open(t->v[i].program, path, t->v[i].offset, t->v[i].semaphore, tid);
}

int traps_add(struct traps *t, uint64_t offset, bool returns, int program_fd)
{
	int err = trap_define(t, offset, 0, returns);

	if (err)
		return err;
	t->v[t->n - 1].program = program_fd;
	if (t->by == TRAPS_BY_EVENTS &&
	    ioctl(t->v[t->n - 1].anchor, PERF_EVENT_IOC_SET_BPF, program_fd)) {
		err = -errno;
		trap_take_back(t);
	}
	return err;
}

int traps_add_semaphore(struct traps *t, uint64_t offset, uint64_t semaphore, bool returns,
			pid_t pid)
{
	int err = 0, fd;

	if (t->by == TRAPS_BY_LINKS && t->nothing < 0)
		err = t->nothing = uprobe_link_nothing();
	if (err >= 0)
		err = trap_define(t, offset, semaphore, returns);
	if (err < 0)
		return err;
	t->v[t->n - 1].program = t->nothing;
	fd = trap_open(t, t->n - 1, pid, false);
	if (fd >= 0)
		close(fd);
	else
		trap_take_back(t);
	return fd < 0 ? fd : 0;
}

void traps_free(struct traps *t)
{
	if (!t)
		return;
	while (t->n)
		trap_take_back(t);
	if (t->nothing >= 0)
		close(t->nothing);
	close(t->file);
	free(t);
}

static bool thread_known(const struct trapped *p, pid_t tid)
{
	for (size_t i = p->n_threads; i-- > 0;)
		if (p->threads[i] == tid)
			return true;
	return false;
}

static int trapped_grow(struct trapped *p, size_t n)
{
	size_t room = p->room ? p->room * 2 : 16;
	void *v, *threads;

	if (p->n + n <= p->room && p->n_threads < p->room)
		return 0;
	while (room < p->n + n)
		room *= 2;
	v = realloc(p->v, room * sizeof(*p->v));
	if (v)
		p->v = v;
	threads = realloc(p->threads, room * sizeof(*p->threads));
	if (threads)
		p->threads = threads;
	if (!v || !threads)
		return -ENOMEM;
	p->room = room;
	return 0;
}

/* In the order of the definitions: returns first, see hold_open(). */
static int thread_trap(const struct traps *t, pid_t tid, bool children, struct trapped *p)
{
	int err = trapped_grow(p, t->n + 1), guard;

	if (!err && children) {
		guard = traps_guard(tid);
		if (guard < 0)
			return guard;
		p->v[p->n].fd = guard;
		p->v[p->n++].returns = false;
	}
	for (size_t i = 0; !err && i < t->n; i++) {
		int fd = trap_open(t, i, tid, children);

		if (fd < 0)
			return fd;
		p->v[p->n].fd = fd;
		p->v[p->n++].returns = t->v[i].returns;
	}
	if (!err)
		p->threads[p->n_threads++] = tid;
	return err;
}

/* All threads that are new since it was asked last; their number or -errno. */
static int threads_trap(const struct traps *t, pid_t pid, bool children, struct trapped *p)
{
	char path[64];
	struct dirent *e;
	DIR *tasks;
	int found = 0, err = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!err && (e = readdir(tasks))) {
		pid_t tid = atoi(e->d_name);

		if (!tid || thread_known(p, tid))
			continue;
		err = thread_trap(t, tid, children, p);
		found += !err;
		if (err == -ESRCH) /* it has ended */
			err = 0;
	}
	closedir(tasks);
	return err ? err : found;
}

int traps_set(const struct traps *t, pid_t pid, bool children, struct trapped **ret)
{
	struct trapped *p = calloc(1, sizeof(*p));
	int found;

	if (!p)
		return -ENOMEM;
	p->references = 1;
	/* A thread that began meanwhile may be the child of one that had no event yet. */
	do
		found = t->by == TRAPS_BY_LINKS ? thread_trap(t, pid, false, p)
						: threads_trap(t, pid, children, p);
	while (found > 0);
	if (!found && !p->n)
		found = -ESRCH;
	if (found < 0) {
		trapped_close(p);
		return found;
	}
	*ret = p;
	return 0;
}

struct trapped *trapped_share(struct trapped *p)
{
	if (p)
		__atomic_add_fetch(&p->references, 1, __ATOMIC_RELAXED);
	return p;
}

void trapped_close(struct trapped *p)
{
	if (!p || __atomic_sub_fetch(&p->references, 1, __ATOMIC_ACQ_REL))
		return;
	/* Entries first, as they were opened last. */
	for (size_t i = p->n; i-- > 0;)
		if (p->v[i].fd >= 0)
			close(p->v[i].fd);
	free(p->v);
	free(p->threads);
	free(p);
}

void trapped_close_returns(struct trapped *p)
{
	for (size_t i = 0; p && i < p->n; i++) {
		if (!p->v[i].returns || p->v[i].fd < 0)
			continue;
		close(p->v[i].fd);
		p->v[i].fd = -1;
	}
}
