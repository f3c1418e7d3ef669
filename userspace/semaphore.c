/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/semaphore.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/interpreter.h"
#include "userspace/perf_event.h"

/* Bits of perf_event_attr.config: include/linux/trace_events.h */
#define REF_CTR_SHIFT 32
/* ENOTSUPP of the kernel's own, which is no number of libc's: include/linux/errno.h */
#define KERNEL_ENOTSUPP 524

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

static const char *const names[SEMAPHORE_USES] = {
	[SEMAPHORE_ENTRY] = "function__entry",
	[SEMAPHORE_RETURN] = "function__return",
	[SEMAPHORE_GC_START] = "gc__start",
	[SEMAPHORE_GC_DONE] = "gc__done",
	[SEMAPHORE_IMPORT_START] = "import__find__load__start",
	[SEMAPHORE_IMPORT_DONE] = "import__find__load__done",
	[SEMAPHORE_AUDIT] = "audit",
};

uint64_t semaphore_of(const struct interpreter *in, enum semaphore_use use)
{
	const struct probe_sites *sites = use == SEMAPHORE_ENTRY    ? &in->entries
					  : use == SEMAPHORE_RETURN ? &in->returns
								    : &in->others;

	for (size_t i = 0; i < sites->n; i++)
		if (sites->v[i].kind == SITE_NOTE && !strcmp(sites->v[i].name, names[use]))
			return sites->v[i].semaphore;
	return 0;
}

/* Whether another site may do: this one has another semaphore, or no uprobe can be there. */
static bool is_refused(int err)
{
	return err == -EINVAL || err == -KERNEL_ENOTSUPP || err == -ENOTSUP || err == -EIO;
}

/* Where a file has no cold site: probes that nobody is likely to want. */
static int raise_on_probe(const struct interpreter *in, uint64_t semaphore, pid_t pid)
{
	static const char *const unlikely[] = {"line", "import__find__load__done", "gc__done",
					       "audit", "gc__start", "import__find__load__start"};
	int err = -ENOTSUP;

	for (size_t i = 0; i < sizeof(unlikely) / sizeof(*unlikely); i++) {
		for (size_t k = 0; k < in->others.n; k++) {
			const struct probe_site *s = &in->others.v[k];

			if (strcmp(s->name, unlikely[i]) || !s->semaphore || s->semaphore == semaphore)
				continue;
			err = uprobe_open(in->path, s->offset, semaphore, pid);
			if (err >= 0 || !is_refused(err))
				return err;
		}
	}
	return err;
}

/* The descriptor that keeps it raised. */
static int raise_somewhere(const struct interpreter *in, uint64_t semaphore,
			   enum semaphore_use use, pid_t pid)
{
	bool taken = false;
	int err = -ENOTSUP;

	for (size_t i = 0; i < in->cold.n; i++) {
		/* Each semaphore begins at the same place for all recorders, which can share it. */
		size_t at = (use + i) % in->cold.n;

		err = uprobe_open(in->path, in->cold.offsets[at], semaphore, pid);
		if (err >= 0 || !is_refused(err))
			return err;
		taken |= err == -EINVAL;
	}
	err = raise_on_probe(in, semaphore, pid);
	if (err >= 0 || !is_refused(err))
		return err;
	return taken || err == -EINVAL ? -EBUSY : -ENOTSUP;
}

int semaphore_raise(const struct interpreter *in, enum semaphore_use use, pid_t pid,
		    struct semaphores *s)
{
	uint64_t semaphore = semaphore_of(in, use);
	int fd = semaphore ? raise_somewhere(in, semaphore, use, pid) : -1;

	if (!semaphore)
		return 0;
	if (fd < 0)
		return fd;
	s->fds[use] = fd;
	return 0;
}

void semaphore_drop(struct semaphores *s, enum semaphore_use use)
{
	if (s->fds[use] >= 0)
		close(s->fds[use]);
	s->fds[use] = -1;
}

void semaphores_drop(struct semaphores *s)
{
	for (int use = SEMAPHORE_USES; use-- > 0;)
		semaphore_drop(s, use);
}

#define DROPPERS 16

struct drop {
	struct semaphores *v;
	size_t n, next; /* of all their descriptors */
};

static void *drop_some(void *arg)
{
	struct drop *d = arg;
	size_t i;

	while ((i = __atomic_fetch_add(&d->next, 1, __ATOMIC_RELAXED)) < d->n)
		semaphore_drop(&d->v[i / SEMAPHORE_USES], i % SEMAPHORE_USES);
	return NULL;
}

void semaphores_drop_many(struct semaphores *v, size_t n)
{
	struct drop d = {.v = v, .n = n * SEMAPHORE_USES};
	pthread_t droppers[DROPPERS];
	unsigned started = 0;

	while (n && started < DROPPERS &&
	       !pthread_create(&droppers[started], NULL, drop_some, &d))
		started++;
	drop_some(&d);
	while (started--)
		pthread_join(droppers[started], NULL);
}
