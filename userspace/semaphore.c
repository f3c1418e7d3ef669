/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/semaphore.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/interpreter.h"
#include "userspace/perf_event.h"
#include "userspace/traps.h"

/* Bits of perf_event_attr.config: include/linux/trace_events.h */
#define REF_CTR_SHIFT 32
/* ENOTSUPP of the kernel's own, which is no number of libc's: include/linux/errno.h */
#define KERNEL_ENOTSUPP 524

static int type_read(void)
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

/* Of perf's own uprobes; it stays the same while the kernel runs. */
static int uprobe_type(void)
{
	static int known = -1;
	int type = __atomic_load_n(&known, __ATOMIC_RELAXED);

	if (type < 0) {
		type = type_read();
		if (type >= 0)
			__atomic_store_n(&known, type, __ATOMIC_RELAXED);
	}
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

/* A semaphore that is to be raised somewhere. */
struct raising {
	const struct interpreter *in;
	enum semaphore_use use;
	uint64_t semaphore;
	pid_t pid;
	struct traps *traps; /* NULL: by perf's own uprobe, whose descriptor is returned */
};

static int raise_at(const struct raising *r, uint64_t offset)
{
	if (r->traps)
		return traps_add_semaphore(r->traps, offset, r->semaphore,
					   r->use == SEMAPHORE_RETURN, r->pid);
	return uprobe_open(r->in->path, offset, r->semaphore, r->pid);
}

/* Where a file has no cold site: probes that nobody is likely to want. */
static int raise_on_probe(const struct raising *r)
{
	static const char *const unlikely[] = {"line", "import__find__load__done", "gc__done",
					       "audit", "gc__start", "import__find__load__start"};
	int err = -ENOTSUP;

	for (size_t i = 0; i < sizeof(unlikely) / sizeof(*unlikely); i++) {
		for (size_t k = 0; k < r->in->others.n; k++) {
			const struct probe_site *s = &r->in->others.v[k];

			if (strcmp(s->name, unlikely[i]) || !s->semaphore ||
			    s->semaphore == r->semaphore)
				continue;
			err = raise_at(r, s->offset);
			if (err >= 0 || !is_refused(err))
				return err;
		}
	}
	return err;
}

static int raise_somewhere(const struct raising *r)
{
	const struct cold_sites *cold = &r->in->cold;
	bool taken = false;
	int err = -ENOTSUP;

	for (size_t i = 0; i < cold->n; i++) {
		/* Each semaphore begins at the same place for all recorders, which can share it. */
		err = raise_at(r, cold->offsets[(r->use + i) % cold->n]);
		if (err >= 0 || !is_refused(err))
			return err;
		taken |= err == -EINVAL;
	}
	err = raise_on_probe(r);
	if (err >= 0 || !is_refused(err))
		return err;
	return taken || err == -EINVAL ? -EBUSY : -ENOTSUP;
}

int semaphores_trap(const struct interpreter *in, unsigned uses, pid_t pid, enum traps_by by,
		    struct traps **ret)
{
	struct traps *t = NULL;
	int err = 0;

	*ret = NULL;
	for (int use = SEMAPHORE_USES; use-- > 0 && !err;) {
		struct raising r = {.in = in, .use = use, .pid = pid};

		r.semaphore = uses & 1u << use ? semaphore_of(in, use) : 0;
		if (!r.semaphore)
			continue;
		err = t ? 0 : traps_new(in, by, &t);
		r.traps = t;
		if (!err)
			err = raise_somewhere(&r);
	}
	if (err)
		traps_free(t);
	else
		*ret = t;
	return err;
}

int semaphore_raise(const struct interpreter *in, enum semaphore_use use, pid_t pid,
		    struct semaphores *s)
{
	struct raising r = {.in = in, .use = use, .semaphore = semaphore_of(in, use), .pid = pid};
	int fd = r.semaphore ? raise_somewhere(&r) : -1;

	if (!r.semaphore)
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
	for (int use = 0; use < SEMAPHORE_USES; use++)
		semaphore_drop(s, use);
}
