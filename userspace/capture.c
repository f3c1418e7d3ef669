// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/capture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/wire_request.h"
#include "userspace/clock.h"
#include "userspace/glob.h"
#include "userspace/phases.h"
#include "userspace/serving.h"
#include "userspace/tracker.h"

struct capture {
	struct capture_options options;
	struct arming *arming;
};

static int probes_on(void *arg, pid_t pid)
{
	return tracker_switch_on(((struct capture *)arg)->options.tracker, pid);
}

static void probes_off(void *arg, pid_t pid)
{
	tracker_switch_off(((struct capture *)arg)->options.tracker, pid);
}

static void arm(void *arg, pid_t pid, uint32_t count)
{
	serving_arm(((struct capture *)arg)->options.serving, pid, count);
}

static void progress(void *arg, struct arming_progress *ret)
{
	struct wire_armed now;

	serving_armed(((struct capture *)arg)->options.serving, &now);
	*ret = (struct arming_progress){.left = now.left > 0 ? now.left : 0, .begun = now.begun,
					.ended = now.ended};
}

static uint64_t now_ns(void *arg)
{
	return clock_ns();
}

int capture_new(const struct capture_options *o, struct capture **ret)
{
	struct capture *c = calloc(1, sizeof(*c));
	struct arming_ops ops = {.on = probes_on, .off = probes_off, .arm = arm,
				 .progress = progress, .clock = now_ns, .arg = c};
	int err;

	if (!c)
		return -ENOMEM;
	c->options = *o;
	err = arming_new(o->every, &ops, &c->arming);
	if (err)
		capture_free(c);
	else
		*ret = c;
	return err;
}

void capture_free(struct capture *c)
{
	if (!c)
		return;
	arming_free(c->arming);
	free(c);
}

bool capture_means(const char *glob, const char *method, const char *name)
{
	char both[1024];

	if (!glob)
		return true;
	if (!strchr(glob, ' '))
		return glob_matches(glob, name);
	snprintf(both, sizeof(both), "%s %s", method, name);
	return glob_matches(glob, both);
}

void capture_class(struct capture *c, uint64_t class_id, const char *method, const char *name)
{
	if (c->options.endpoint && capture_means(c->options.endpoint, method, name))
		serving_want(c->options.serving, class_id);
}

void capture_request(struct capture *c, pid_t pid, const char *method, const char *name)
{
	if (capture_means(c->options.endpoint, method, name))
		arming_served(c->arming, pid, phases_weight(serving_phases(c->options.serving)));
}

void capture_died(struct capture *c, pid_t pid)
{
	arming_gone(c->arming, pid);
}

/* What is captured is of a phase; it is waited for when that is over. */
void capture_look(struct capture *c)
{
	struct phases *phases = serving_phases(c->options.serving);

	arming_allow(c->arming, phases_captures(phases));
	arming_look(c->arming);
	phases_want(phases, arming_armed(c->arming) || arming_due(c->arming));
	phases_hold(phases, arming_armed(c->arming));
}

int capture_patience(const struct capture *c)
{
	return arming_patience(c->arming);
}

bool capture_finish(struct capture *c)
{
	bool over = arming_finish(c->arming);

	phases_hold(serving_phases(c->options.serving), !over);
	return over;
}

void capture_status(const struct capture *c, struct arming_status *ret)
{
	arming_status(c->arming, ret);
}
