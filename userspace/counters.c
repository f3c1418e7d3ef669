// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/counters.h"

#include <errno.h>
#include <stdio.h>

#include "userspace/counter_reason.h"
#include "userspace/counter_share.h"

static int user_open(struct counters *c, enum metric wanted, char *text, size_t len)
{
	int err = counter_open(wanted, &c->user);
	char why[256];

	if (!err)
		return 0;
	counter_reason(err, why, sizeof(why));
	snprintf(text, len, "no counter of %s: %s", metric_name(wanted), why);
	return err;
}

/* Where the clock is second choice, what is amiss is what there is no better for. */
static int kernel_mode_open(struct counters *c, char *text, size_t len)
{
	const char *fallback = counter_fallback_reason(c->user);
	int err = counter_open_kernel(c->user, &c->kernel);
	char why[256];

	if (!err)
		return 0;
	counter_reason(err, why, sizeof(why));
	if (err == -EINVAL)
		snprintf(why, sizeof(why), "%s",
			 fallback ? fallback : "task-clock has the kernel's time in it already");
	snprintf(text, len, "--kernel: no counter of kernel mode: %s", why);
	return err;
}

int counters_open(struct counters *c, enum metric wanted, bool kernel_mode, char *text,
		  size_t len)
{
	int err;

	*c = (struct counters){0};
	err = user_open(c, wanted, text, len);
	if (!err && kernel_mode)
		err = kernel_mode_open(c, text, len);
	if (err)
		counters_close(c);
	return err;
}

void counters_close(struct counters *c)
{
	counter_close(c->user);
	counter_close(c->kernel);
	*c = (struct counters){0};
}

void counters_meta(const struct counters *c, struct sink_meta *ret)
{
	ret->metric = counter_metric(c->user);
	ret->user_only = ret->metric != METRIC_TASK_CLOCK;
	ret->metric_fallback = counter_fallback_reason(c->user) != NULL;
	ret->kernel_mode = c->kernel != NULL;
}

void counters_start(struct counters *c)
{
	counter_start(c->user);
	if (c->kernel)
		counter_start(c->kernel);
}

void counters_finish(struct counters *c)
{
	c->running = counters_running(c);
	c->finished = true;
}

double counters_running(const struct counters *c)
{
	double user, kernel;

	if (c->finished)
		return c->running;
	user = counter_running(c->user);
	kernel = c->kernel ? counter_running(c->kernel) : 1;
	return user < kernel ? user : kernel;
}

void counters_losses(const struct counters *c, uint64_t losses[LOSS_MAX])
{
	/* In parts of a million of the time; 0 when the events ran throughout. */
	losses[LOSS_MULTIPLEXED] += (1 - counters_running(c)) * 1e6;
}

static int follow_cpus(struct counters *c, int map_fd, int kernel_map_fd)
{
	int err = counter_follow_cpus(c->user, map_fd);

	return err || !c->kernel ? err : counter_follow_cpus(c->kernel, kernel_map_fd);
}

void counters_look(struct counters *c, int map_fd, int kernel_map_fd, char *notice,
		   size_t size)
{
	int err = follow_cpus(c, map_fd, kernel_map_fd);
	char why[256];

	if (*notice)
		return;
	if (err && !c->told_uncounted) {
		c->told_uncounted = true;
		counter_reason(err, why, sizeof(why));
		snprintf(notice, size,
			 "a CPU came online, and what runs there is not counted: %s", why);
	} else if (!c->told_shared && counters_running(c) < 1) {
		c->told_shared = true;
		snprintf(notice, size, "%s", counter_share_notice());
	}
}
