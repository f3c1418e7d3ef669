// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/hold.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "symbolizer/interpreter.h"
#include "userspace/behind.h"

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
	int type = uprobe_type(), fd;

	if (type < 0)
		return type;
	attr.type = type;
	attr.config = semaphore << REF_CTR_SHIFT;
	attr.uprobe_path = (uintptr_t)path;
	attr.probe_offset = offset;
	fd = syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
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

int hold_open(const struct interpreter *in, pid_t pid, struct hold *ret)
{
	struct hold h = HOLD_NONE;

	/* Returns first: an entry whose return is not seen would cost a repair. */
	h.fds[0] = hold_semaphore(in, in->returns.v[0].semaphore, 1, pid);
	if (h.fds[0] < 0)
		return h.fds[0];
	h.fds[1] = hold_semaphore(in, in->entries.v[0].semaphore, 0, pid);
	if (h.fds[1] < 0) {
		int err = h.fds[1];

		hold_close(&h);
		return err;
	}
	*ret = h;
	return 0;
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
	fd_drop(&h->fds[0]);
}

void hold_close_returns(struct hold *h)
{
	fd_drop(&h->fds[0]);
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
