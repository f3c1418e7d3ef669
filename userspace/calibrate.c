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
 * What the probes add is split in two.  User instructions are exact: what is still
 * added when only entries are probed is the making of their arguments, which the
 * caller pays; that of the returns' is the callee's.  Of time, the part between the
 * counter's reading at entry and that at return lands in the callee's self: the
 * call tree has it, with the body of the empty function inside, which is at most
 * the whole unprobed call.  A quarter of that call is taken for the body, and the
 * same quarter is given as the split's error; the sum of the two parts is not
 * touched by it.
 *
 * Two functions that do no more, but behind long line tables, tell what each entry
 * and each byte of these adds to the search for a line number.
 *
 * Kernel mode is simple: a call that is not probed has nothing of it, so what the
 * tree holds is what the probes add, to the empty function and to its caller.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/build.h"
#include "userspace/calibrate.h"
#include "userspace/calibrate_child.h"
#include "userspace/hold.h"
#include "userspace/kernel.h"

#define ROUNDS 20
/* User instructions are the same each time. */
#define ROUNDS_EXACT 5
#define BODY_SHARE 0.25
/* A machine's pace is not the same here and there, now and then: for time only. */
#define PACE 0.05
/*
 * An entry takes much and its bytes little: of time, where the two cannot be told
 * apart, a byte is taken for this share of an entry.
 */
#define BYTE_SHARE 0.15
/* Entries differ in form, by an instruction or two of some twenty. */
#define SEARCH_APART 0.03

struct measured {
	int n;
	double plain[ROUNDS];  /* a call, probes off */
	double added[ROUNDS];  /* what the probes add to it */
	double callee[ROUNDS]; /* self of the callee, probes on */
	/* Kernel mode of the callee, of its caller, and of both. */
	double kernel_callee[ROUNDS], kernel_caller[ROUNDS], kernel[ROUNDS];
	struct line_search search; /* at its return */
};

/* The two children, and which node of the second's tree each callee is. */
struct trial {
	struct kernel *kernel;
	const struct interpreter *in;
	enum metric metric;
	struct calibrate_child off, on;
	struct hold hold;
	uint32_t nodes[CALLEE_MAX];
	struct measured of[CALLEE_MAX];
	struct measured entries; /* of the empty one, its returns not probed */
};

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

/* Just called for the first time, CALIBRATE_CALLS times; 0: by nobody. */
static uint32_t node_find(const struct trial *t)
{
	const struct kernel *k = t->kernel;

	for (uint32_t i = 1; i < k->options.max_nodes && k->nodes[i].flags; i++)
		if (k->nodes[i].tgid == (uint32_t)t->on.launch.pid &&
		    k->nodes[i].calls == CALIBRATE_CALLS && i != t->nodes[0] && i != t->nodes[1])
			return i;
	return 0;
}

/* The first probed calls build the tree and read the names. */
static int warm_up(struct trial *t)
{
	double unused;

	for (int i = 0; i < CALLEE_MAX; i++) {
		int err = calibrate_child_round(&t->off, i, &unused);

		if (!err)
			err = calibrate_child_round(&t->on, i, &unused);
		if (err)
			return err;
		t->nodes[i] = node_find(t);
		if (!t->nodes[i])
			return -EPROTO;
		t->of[i].search = line_table_search(
			t->on.lines[i], t->kernel->searches[t->nodes[i]].position[0] - 1.0);
	}
	return 0;
}

/* Before a round, and after: the difference is kept. */
static void kernel_round(const struct trial *t, enum callee callee, struct measured *m, int sign)
{
	uint32_t node = t->nodes[callee], caller = t->kernel->nodes[node].parent;
	double each = (double)sign / CALIBRATE_CALLS;

	if (sign < 0)
		m->kernel_callee[m->n] = m->kernel_caller[m->n] = 0;
	m->kernel_callee[m->n] += each * kernel_self(t->kernel, node);
	m->kernel_caller[m->n] += each * kernel_self(t->kernel, caller);
	m->kernel[m->n] = m->kernel_callee[m->n] + m->kernel_caller[m->n];
}

static int rounds_run(struct trial *t, enum callee callee, int n, struct measured *ret)
{
	const struct wire_node *node = &t->kernel->nodes[t->nodes[callee]];
	double plain, probed;
	int err = 0;

	for (ret->n = 0; !err && ret->n < n; ret->n++) {
		uint64_t calls = node->calls, self = node->self;

		kernel_round(t, callee, ret, -1);
		err = calibrate_child_round(&t->off, callee, &plain);
		if (!err)
			err = calibrate_child_round(&t->on, callee, &probed);
		kernel_round(t, callee, ret, 1);
		if (!err && node->calls - calls != CALIBRATE_CALLS)
			err = -EPROTO;
		ret->plain[ret->n] = plain;
		ret->added[ret->n] = probed - plain;
		ret->callee[ret->n] = (double)(node->self - self) / CALIBRATE_CALLS;
	}
	return err;
}

static int trial_run(struct trial *t)
{
	bool exact = t->metric == METRIC_INSTRUCTIONS;
	/* The kernel's instructions are not: its interrupts come as they like. */
	int n = exact && !t->kernel->kernel_selfs ? ROUNDS_EXACT : ROUNDS, err = warm_up(t);

	for (int i = 0; !err && i < CALLEE_MAX; i++)
		err = rounds_run(t, i, i == CALLEE_EMPTY || exact ? n : n / 2, &t->of[i]);
	if (err || !exact)
		return err;
	hold_close_returns(&t->hold);
	return rounds_run(t, CALLEE_EMPTY, n, &t->entries);
}

/*
 * added = base + entries * per_entry + bytes * per_byte, for three functions that
 * differ in both.
 */
static void search_fit(struct trial *t, double added, double error, struct build_cost *ret)
{
	const struct line_search *empty = &t->of[CALLEE_EMPTY].search;
	struct measured *tall = &t->of[CALLEE_TALL], *wide = &t->of[CALLEE_WIDE];
	double tall_error, wide_error;
	double y1 = median(tall->added, tall->n, &tall_error) - added;
	double y2 = median(wide->added, wide->n, &wide_error) - added;
	double e1 = tall->search.entries - empty->entries, b1 = tall->search.bytes - empty->bytes;
	double e2 = wide->search.entries - empty->entries, b2 = wide->search.bytes - empty->bytes;
	double determinant = e1 * b2 - e2 * b1;

	if (t->metric == METRIC_INSTRUCTIONS && determinant) {
		ret->per_entry = (y1 * b2 - y2 * b1) / determinant;
		ret->per_byte = (e1 * y2 - e2 * y1) / determinant;
		ret->search_error = SEARCH_APART;
		return;
	}
	/* A search is never faster for being longer. */
	ret->per_entry = fmax(y1, 0) / (e1 + BYTE_SHARE * b1);
	ret->per_byte = BYTE_SHARE * ret->per_entry;
	ret->search_error = hypot(SEARCH_APART, y1 > 0 ? hypot(tall_error, error) / y1 : 1);
}

static void split_exactly(struct trial *t, double added, double added_error, struct build_cost *ret)
{
	double error;

	ret->exit = median(t->entries.added, t->entries.n, &error);
	ret->entry = added - ret->exit;
	ret->entry_error = hypot(error, added_error);
	ret->exit_error = error;
	ret->lone_entry = ret->exit;
	ret->lone_return = ret->entry;
}

static void split_by_tree(struct trial *t, double added, double added_error, struct build_cost *ret)
{
	struct measured *empty = &t->of[CALLEE_EMPTY];
	double error, callee = median(empty->callee, empty->n, &error);
	double body = BODY_SHARE * ret->plain;

	ret->entry = fmin(fmax(callee - body, 0), added);
	ret->exit = added - ret->entry;
	ret->entry_error = hypot(error, body);
	ret->exit_error = hypot(ret->entry_error, added_error);
	ret->lone_entry = ret->lone_return = added / 2;
}

static void cost_set(struct trial *t, struct build_cost *ret)
{
	struct measured *empty = &t->of[CALLEE_EMPTY];
	double plain_error, added_error;
	double added = median(empty->added, empty->n, &added_error);

	*ret = (struct build_cost){.plain = median(empty->plain, empty->n, &plain_error)};
	if (t->metric == METRIC_INSTRUCTIONS)
		split_exactly(t, added, added_error, ret);
	else
		split_by_tree(t, added, added_error, ret);
	ret->total_error = fmax(added_error, t->metric == METRIC_TASK_CLOCK ? PACE * added : 0);
	search_fit(t, added, added_error, ret);
	ret->empty_return = empty->search;
	ret->empty_entry = line_table_search(t->on.lines[CALLEE_EMPTY], 0);
	ret->known = true;
}

static void kernel_cost_set(struct trial *t, struct kernel_cost *ret)
{
	struct measured *empty = &t->of[CALLEE_EMPTY];

	ret->entry = median(empty->kernel_callee, empty->n, &ret->entry_error);
	ret->exit = median(empty->kernel_caller, empty->n, &ret->exit_error);
	median(empty->kernel, empty->n, &ret->total_error);
}

static int child_follow(struct trial *t)
{
	struct wire_proc proc = {.func_type = t->in->function_type};
	pid_t pid = t->on.launch.pid;
	int err;

	if (!t->kernel->options.per_thread) {
		proc.root = kernel_root(t->kernel, pid, 0);
		if (!proc.root)
			return -ENOSPC;
	}
	err = kernel_follow(t->kernel, pid, &proc);
	return err ? err : hold_open(t->in, pid, &t->hold);
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

static int trial_start(struct trial *t, pid_t pid)
{
	int err = calibrate_child_start(&t->off, t->in, t->metric, pid);

	if (!err)
		err = calibrate_child_start(&t->on, t->in, t->metric, pid);
	if (!err)
		err = child_follow(t);
	if (!err)
		err = calibrate_child_go(&t->off, t->in);
	if (!err)
		err = calibrate_child_go(&t->on, t->in);
	return err;
}

static void trial_end(struct trial *t)
{
	uint32_t tgid = t->on.launch.pid;

	calibrate_child_end(&t->off);
	calibrate_child_end(&t->on);
	hold_close_behind(&t->hold);
	kernel_unfollow(t->kernel, tgid);
	child_forget(t->kernel, tgid);
}

int calibrate_run(struct kernel *k, const struct build *b, enum metric metric, pid_t pid,
		  struct build_cost *ret, char *text, size_t len)
{
	struct trial t = {.kernel = k, .in = build_interpreter(b), .metric = metric,
			  .off = CALIBRATE_CHILD_NONE, .on = CALIBRATE_CHILD_NONE,
			  .hold = HOLD_NONE};
	int err = trial_start(&t, pid);

	if (!err)
		err = trial_run(&t);
	if (!err) {
		cost_set(&t, ret);
		kernel_cost_set(&t, &ret->kernel);
	} else {
		snprintf(text, len, "cannot calibrate %s: %s", t.in->target_path,
			 err == -EPROTO ? "the probes count other calls than were made"
					: strerror(-err));
	}
	trial_end(&t);
	return err;
}
