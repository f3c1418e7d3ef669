/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/semaphore.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>

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

uint64_t semaphore_of(const struct probe_sites *sites, const char *name)
{
	for (size_t i = 0; i < sites->n; i++)
		if (sites->v[i].kind == SITE_NOTE && !strcmp(sites->v[i].name, name))
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
	static const char *const names[] = {"line", "import__find__load__done", "gc__done",
					    "audit", "gc__start", "import__find__load__start"};
	int err = -ENOTSUP;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		for (size_t k = 0; k < in->others.n; k++) {
			const struct probe_site *s = &in->others.v[k];

			if (strcmp(s->name, names[i]) || !s->semaphore || s->semaphore == semaphore)
				continue;
			err = uprobe_open(in->path, s->offset, semaphore, pid);
			if (err >= 0 || !is_refused(err))
				return err;
		}
	}
	return err;
}

int semaphore_raise(const struct interpreter *in, uint64_t semaphore, enum semaphore_use use,
		    pid_t pid)
{
	bool taken = false;
	int err = -ENOTSUP;

	/* Sites apart by the number of uses, so that each has its own to fall back to. */
	for (size_t i = 0; i < in->cold.n; i++) {
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
