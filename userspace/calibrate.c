// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What one probed call costs on a build, measured on private children of it.
 *
 * Two children make the same empty calls in turn, one with its probes off, one
 * with them on, while a counter on each alone measures each round; the difference
 * over the number of calls is what the probes add to a call.  Turn by turn because
 * a machine's speed drifts; the median because a round may be disturbed.  Two,
 * because switching probes off takes the kernel a tenth of a second.
 *
 * What the probes add is split in two.  The part between the counter's reading
 * at entry and that at return lands in the callee's self: the call tree has it,
 * with the body of the empty function inside, which is at most the whole
 * unprobed call.  A quarter of that call is taken for the body, and the same
 * quarter is given as the split's error; the sum of the two parts is not touched
 * by it.
 *
 * User instructions are simpler: all that the probes add to them is the making of
 * their arguments, the same three before either, so that half falls to each.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/build.h"
#include "userspace/calibrate.h"
#include "userspace/counter_task.h"
#include "userspace/hold.h"
#include "userspace/kernel.h"
#include "userspace/launch.h"
#include "userspace/python_path.h"

#define CALLS 10000
#define ROUNDS 20
#define BODY_SHARE 0.25
/* How far apart the two probes' arguments may be: the line's search differs. */
#define ARGS_APART 0.1
/* A machine's pace is not the same here and there, now and then: for time only. */
#define PACE 0.05

/*
 * The callee is a local: as a global its look-up would cost what the hash seed of
 * each child makes of it.  It has a line of its own, as functions do, because the
 * return probe looks for the line number.  And it is of a file, as most functions
 * are: what -c compiles is checked at each call, see code_print().
 */
static const char script[] = "import os\n"
			     "source = '''\n"
			     "def empty():\n"
			     "    pass\n"
			     "def many(calls, empty):\n"
			     "    for _ in calls: empty()\n"
			     "'''\n"
			     "exec(compile(source, 'calibrate.py', 'exec'))\n"
			     "calls = range(10000)\n"
			     "while os.read(0, 1):\n"
			     "    many(calls, empty)\n"
			     "    os.write(1, b'.')\n";

struct child {
	struct launch launch;
	struct counter_task *counter;
};

/*
 * One round of CALLS calls; what the child's counter advanced.  -EAGAIN: it was off
 * the PMU for a part of the round.
 */
static int round_run(struct child *c, double *ret)
{
	struct perf_reading before, after;
	int err = counter_task_read(c->counter, &before);

	if (!err)
		err = launch_ask(&c->launch, 1);
	if (!err)
		err = counter_task_read(c->counter, &after);
	if (err)
		return err;
	*ret = (double)(after.value - before.value);
	return perf_event_share(&before, &after) < 1 ? -EAGAIN : 0;
}

/* Self of the busiest leaf of the child's tree: the empty function. */
static void tree_read(const struct kernel *k, uint32_t tgid, uint64_t *ret_calls, uint64_t *ret_self)
{
	*ret_calls = *ret_self = 0;
	for (uint32_t i = 1; i < k->options.max_nodes && k->nodes[i].flags; i++) {
		if (k->nodes[i].tgid != tgid || k->nodes[i].calls <= *ret_calls)
			continue;
		*ret_calls = k->nodes[i].calls;
		*ret_self = k->nodes[i].self;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * Median and its standard error: 1.2533 standard deviations of the mean, the
 * deviation from the interquartile range so that disturbed rounds do not count.
 */
static double median(double *v, int n, double *ret_error)
{
	qsort(v, n, sizeof(*v), by_value);
	*ret_error = 1.2533 * (v[(3 * n) / 4] - v[n / 4]) / 1.349 / sqrt(n);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

struct rounds {
	double plain[ROUNDS];  /* a call, probes off */
	double added[ROUNDS];  /* what the probes add to it */
	double callee[ROUNDS]; /* self of the empty function, probes on */
};

static int rounds_run(struct child *off, struct child *on, const struct kernel *k,
		      struct rounds *ret)
{
	uint64_t calls0, self0, calls1, self1;
	double plain, probed;
	int err = round_run(off, &plain);

	/* The first probed calls build the tree and read the names. */
	if (!err)
		err = round_run(on, &probed);
	for (int i = 0; !err && i < ROUNDS; i++) {
		err = round_run(off, &plain);
		tree_read(k, on->launch.pid, &calls0, &self0);
		if (!err)
			err = round_run(on, &probed);
		tree_read(k, on->launch.pid, &calls1, &self1);
		if (!err && calls1 - calls0 != CALLS)
			err = -EPROTO;
		ret->plain[i] = plain / CALLS;
		ret->added[i] = (probed - plain) / CALLS;
		ret->callee[i] = (double)(self1 - self0) / CALLS;
	}
	return err;
}

static void cost_set(struct rounds *r, enum metric metric, struct build_cost *ret)
{
	double plain_error, added_error, callee_error;
	double plain = median(r->plain, ROUNDS, &plain_error);
	double added = median(r->added, ROUNDS, &added_error);
	double callee = median(r->callee, ROUNDS, &callee_error);
	double body = BODY_SHARE * plain;

	if (metric == METRIC_INSTRUCTIONS) {
		ret->entry = fmin(added / 2, callee);
		ret->entry_error = ARGS_APART * added;
	} else {
		ret->entry = fmin(fmax(callee - body, 0), added);
		ret->entry_error = hypot(callee_error, body);
	}
	ret->exit = added - ret->entry;
	ret->exit_error = hypot(ret->entry_error, added_error);
	ret->total_error = fmax(added_error, metric == METRIC_TASK_CLOCK ? PACE * added : 0);
	ret->plain = plain;
	ret->known = true;
}

static int child_start(struct child *c, const struct interpreter *in, enum metric metric, pid_t pid)
{
	char *python = python_path(in, pid);
	int err = python ? launch_python(python, pid, script, &c->launch) : -ENOENT;

	free(python);
	if (err)
		return err;
	return counter_task_open(metric, c->launch.pid, &c->counter);
}

static void child_end(struct child *c)
{
	counter_task_close(c->counter);
	launch_end(&c->launch);
}

static int child_follow(const struct child *c, struct kernel *k, const struct interpreter *in,
			struct hold *ret)
{
	struct wire_proc proc = {.func_type = in->function_type};
	int err;

	if (!k->options.per_thread) {
		proc.root = kernel_root(k, c->launch.pid);
		if (!proc.root)
			return -ENOSPC;
	}
	err = kernel_follow(k, c->launch.pid, &proc);
	return err ? err : hold_open(in, c->launch.pid, ret);
}

/* Its nodes go back to the kernel: leaves first, as they have higher numbers. */
static void child_forget(struct kernel *k, uint32_t tgid)
{
	uint32_t top = 0;

	while (top + 1 < k->options.max_nodes && k->nodes[top + 1].flags)
		top++;
	for (; top > 0; top--)
		if (k->nodes[top].tgid == tgid)
			kernel_recycle(k, top);
}

#define CHILD_NONE                                                                                 \
	{                                                                                          \
		.launch = {.go = -1, .in = -1, .out = -1, .failed = -1}                            \
	}

int calibrate_run(struct kernel *k, const struct build *b, enum metric metric, pid_t pid,
		  struct build_cost *ret, char *text, size_t len)
{
	const struct interpreter *in = build_interpreter(b);
	struct child off = CHILD_NONE, on = CHILD_NONE;
	struct hold hold = HOLD_NONE;
	struct rounds rounds;
	uint32_t tgid;
	int err = child_start(&off, in, metric, pid);

	if (!err)
		err = child_start(&on, in, metric, pid);
	if (!err)
		err = child_follow(&on, k, in, &hold);
	if (!err)
		err = launch_go(&off.launch);
	if (!err)
		err = launch_go(&on.launch);
	if (!err)
		err = rounds_run(&off, &on, k, &rounds);
	if (!err)
		cost_set(&rounds, metric, ret);
	else
		snprintf(text, len, "cannot calibrate %s: %s", in->target_path,
			 err == -EPROTO	  ? "the probes count other calls than were made"
			 : err == -EAGAIN ? "the hardware counter was shared with others meanwhile"
					  : strerror(-err));
	tgid = on.launch.pid;
	child_end(&off);
	child_end(&on);
	hold_close_behind(&hold);
	kernel_unfollow(k, tgid);
	child_forget(k, tgid);
	return err;
}
