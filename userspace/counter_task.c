// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/counter_task.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct counter_task {
	int n;
	int fds[]; /* -1: that CPU is offline */
};

static int fds_open(struct counter_task *c, enum metric m, const struct cpu_kinds *kinds, pid_t tid)
{
	int opened = 0;

	for (int i = 0; i < c->n; i++) {
		c->fds[i] = perf_event_open(m, kinds, tid, c->n == 1 ? -1 : i);
		if (c->fds[i] < 0 && c->fds[i] != -ENODEV)
			return c->fds[i];
		opened += c->fds[i] >= 0;
	}
	return opened ? 0 : -ENOENT;
}

int counter_task_open(enum metric m, pid_t tid, struct counter_task **ret)
{
	struct cpu_kinds *kinds = calloc(1, sizeof(*kinds));
	struct counter_task *c = NULL;
	int n = 1, err;

	if (!kinds)
		return -ENOMEM;
	/* Unreadable is as good as alike. */
	cpu_kinds_read(CPU_KINDS_DIR, kinds);
	if (cpu_kinds_mixed(kinds) && m != METRIC_TASK_CLOCK)
		n = libbpf_num_possible_cpus();
	c = n > 0 ? malloc(sizeof(*c) + n * sizeof(*c->fds)) : NULL;
	if (!c) {
		free(kinds);
		return -ENOMEM;
	}
	c->n = n;
	for (int i = 0; i < n; i++)
		c->fds[i] = -1;
	err = fds_open(c, m, kinds, tid);
	free(kinds);
	if (err) {
		counter_task_close(c);
		return err;
	}
	*ret = c;
	return 0;
}

void counter_task_close(struct counter_task *c)
{
	if (!c)
		return;
	for (int i = 0; i < c->n; i++)
		if (c->fds[i] >= 0)
			close(c->fds[i]);
	free(c);
}

int counter_task_read(const struct counter_task *c, struct perf_reading *ret)
{
	struct perf_reading r;

	*ret = (struct perf_reading){0};
	for (int i = 0; i < c->n; i++) {
		if (c->fds[i] < 0)
			continue;
		if (perf_event_read(c->fds[i], &r))
			return -EIO;
		ret->value += r.value;
		ret->enabled += r.enabled;
		ret->running += c->n == 1 ? r.running : r.enabled;
	}
	return 0;
}
