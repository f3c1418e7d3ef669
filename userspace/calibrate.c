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
 *
 * Kernel mode is simpler still: a call that is not probed has nothing of it, so
 * what the tree holds is what the probes add, to the empty function and to the
 * one that calls it.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "userspace/build.h"
#include "userspace/calibrate.h"
#include "userspace/counter.h"
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
	int counter; /* of the metric, on this task alone */
};

/* One round of CALLS calls; what the child's counter advanced. */
static int round_run(struct child *c, double *ret)
{
	uint64_t before[3], after[3];
	int err;

	if (read(c->counter, before, sizeof(before)) != sizeof(before))
		return -ECHILD;
	err = launch_ask(&c->launch, 1);
	if (err)
		return err;
	if (read(c->counter, after, sizeof(after)) != sizeof(after))
		return -ECHILD;
	*ret = (double)(after[0] - before[0]);
	return 0;
}

/* What the empty function of the child has cost by now. */
struct state {
	uint64_t calls, self;
	uint64_t kernel_callee, kernel_caller;
};

/* It is the busiest leaf of the child's tree. */
static struct state tree_read(const struct kernel *k, uint32_t tgid)
{
	struct state s = {0};

	for (uint32_t i = 1; i < k->options.max_nodes && k->nodes[i].flags; i++) {
		if (k->nodes[i].tgid != tgid || k->nodes[i].calls <= s.calls)
			continue;
		s.calls = k->nodes[i].calls;
		s.self = k->nodes[i].self;
		s.kernel_callee = kernel_self(k, i);
		s.kernel_caller = kernel_self(k, k->nodes[i].parent);
	}
	return s;
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
	/* Kernel mode of the empty function, of its caller, and of both. */
	double kernel_callee[ROUNDS], kernel_caller[ROUNDS], kernel[ROUNDS];
};

static void round_keep(struct rounds *r, int i, const struct state *before,
		       const struct state *after)
{
	r->callee[i] = (double)(after->self - before->self) / CALLS;
	r->kernel_callee[i] = (double)(after->kernel_callee - before->kernel_callee) / CALLS;
	r->kernel_caller[i] = (double)(after->kernel_caller - before->kernel_caller) / CALLS;
	r->kernel[i] = r->kernel_callee[i] + r->kernel_caller[i];
}

static int rounds_run(struct child *off, struct child *on, const struct kernel *k,
		      struct rounds *ret)
{
	struct state before, after;
	double plain, probed;
	int err = round_run(off, &plain);

	/* The first probed calls build the tree and read the names. */
	if (!err)
		err = round_run(on, &probed);
	for (int i = 0; !err && i < ROUNDS; i++) {
		err = round_run(off, &plain);
		before = tree_read(k, on->launch.pid);
		if (!err)
			err = round_run(on, &probed);
		after = tree_read(k, on->launch.pid);
		if (!err && after.calls - before.calls != CALLS)
			err = -EPROTO;
		ret->plain[i] = plain / CALLS;
		ret->added[i] = (probed - plain) / CALLS;
		round_keep(ret, i, &before, &after);
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

static void kernel_cost_set(struct rounds *r, struct kernel_cost *ret)
{
	ret->entry = median(r->kernel_callee, ROUNDS, &ret->entry_error);
	ret->exit = median(r->kernel_caller, ROUNDS, &ret->exit_error);
	median(r->kernel, ROUNDS, &ret->total_error);
}

static int child_start(struct child *c, const struct interpreter *in, enum metric metric, pid_t pid)
{
	char *python = python_path(in, pid);
	int err = python ? launch_python(python, pid, script, &c->launch) : -ENOENT;

	free(python);
	if (err)
		return err;
	c->counter = counter_open_task(metric, c->launch.pid);
	return c->counter < 0 ? c->counter : 0;
}

static void child_end(struct child *c)
{
	if (c->counter >= 0)
		close(c->counter);
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
		.launch = {.go = -1, .in = -1, .out = -1, .failed = -1}, .counter = -1             \
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
	if (!err) {
		cost_set(&rounds, metric, ret);
		kernel_cost_set(&rounds, &ret->kernel);
	} else {
		snprintf(text, len, "cannot calibrate %s: %s", in->target_path,
			 err == -EPROTO ? "the probes count other calls than were made"
					: strerror(-err));
	}
	tgid = on.launch.pid;
	child_end(&off);
	child_end(&on);
	hold_close_behind(&hold);
	kernel_unfollow(k, tgid);
	child_forget(k, tgid);
	return err;
}
