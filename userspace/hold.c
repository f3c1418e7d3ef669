// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/hold.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/interpreter.h"
#include "userspace/behind.h"
#include "userspace/perf_event.h"
#include "userspace/traps.h"

/* Bits of perf_event_attr.config: include/linux/trace_events.h */
#define REF_CTR_SHIFT 32

static int uprobe_type(void)
{
	FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	int type = -ENOTSUP;

	if (!f)
		return -errno;
	if (fscanf(f, "%d", &type) != 1)
		type = -ENOTSUP;
	fclose(f);
	return type;
}

static int uprobe_open(const char *path, uint64_t offset, uint64_t semaphore, pid_t pid)
{
	struct perf_event_attr attr = {.size = sizeof(attr)};
	int type = uprobe_type();

	if (type < 0)
		return type;
	attr.type = type;
	attr.config = semaphore << REF_CTR_SHIFT;
	attr.uprobe_path = (uintptr_t)path;
	attr.probe_offset = offset;
	return perf_event_open_task(&attr, pid);
}

/* Rarely wanted by other tracers first: a cold site is closed to them. */
static const char *const cold_names[] = {
	"gc__done", "line", "import__find__load__done", "gc__start", "import__find__load__start",
};

/* One semaphore a cold site: the two holds start from different ones. */
static int hold_semaphore(const struct interpreter *in, uint64_t semaphore, size_t skip, pid_t pid)
{
	int err = -ENOTSUP;

	for (size_t i = skip; i < sizeof(cold_names) / sizeof(*cold_names); i++) {
		for (size_t k = 0; k < in->others.n; k++) {
			const struct probe_site *s = &in->others.v[k];

			if (strcmp(s->name, cold_names[i]) || !s->semaphore)
				continue;
			err = uprobe_open(in->path, s->offset, semaphore, pid);
			if (err != -EINVAL) /* -EINVAL: the site has another semaphore */
				return err;
		}
	}
	return err == -EINVAL ? -EBUSY : err;
}

/* The semaphore of those sites that have one; 0: none has. */
static uint64_t semaphore_of(const struct probe_sites *sites)
{
	for (size_t i = 0; i < sites->n; i++)
		if (sites->v[i].kind == SITE_NOTE)
			return sites->v[i].semaphore;
	return 0;
}

static int semaphores_open(const struct interpreter *in, pid_t pid, struct hold *h)
{
	uint64_t returns = semaphore_of(&in->returns), entries = semaphore_of(&in->entries);

	/* Returns first: an entry whose return is not seen would cost a repair. */
	if (returns) {
		h->fds[0] = hold_semaphore(in, returns, 1, pid);
		if (h->fds[0] < 0)
			return h->fds[0];
	}
	if (entries) {
		h->fds[1] = hold_semaphore(in, entries, 0, pid);
		if (h->fds[1] < 0)
			return h->fds[1];
	}
	return 0;
}

int hold_open(const struct interpreter *in, const struct traps *traps, pid_t pid, bool children,
	      struct hold *ret)
{
	struct hold h = HOLD_NONE;
	int err = semaphores_open(in, pid, &h);

	if (!err && traps)
		err = traps_set(traps, pid, children, &h.trapped);
	if (err)
		hold_close(&h);
	else
		*ret = h;
	return err;
}

int hold_open_forked(const struct interpreter *in, const struct hold *parent, pid_t pid,
		     struct hold *ret)
{
	struct hold h = HOLD_NONE;
	int err = semaphores_open(in, pid, &h);

	h.trapped = trapped_share(parent->trapped);
	if (h.trapped)
		h.guard = traps_guard(pid);
	if (err)
		hold_close(&h);
	else
		*ret = h;
	return err;
}

void hold_dismiss_forked(const struct interpreter *in, const struct traps *traps, pid_t pid)
{
	struct hold passing;

	/* Opened and closed. */
	if (!hold_open(in, traps, pid, false, &passing))
		hold_close(&passing);
}

static void fd_drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void hold_close(struct hold *h)
{
	/* Entries first, for the same reason. */
	fd_drop(&h->fds[1]);
	trapped_close(h->trapped);
	h->trapped = NULL;
	fd_drop(&h->guard);
	fd_drop(&h->fds[0]);
}

void hold_close_returns(struct hold *h)
{
	fd_drop(&h->fds[0]);
	trapped_close_returns(h->trapped);
}

static void close_copy(void *arg)
{
	hold_close(arg);
	free(arg);
}

void hold_close_behind(struct hold *h)
{
	struct hold *copy = malloc(sizeof(*copy));

	if (!copy) {
		hold_close(h);
		return;
	}
	*copy = *h;
	*h = HOLD_NONE;
	behind(close_copy, copy);
}
