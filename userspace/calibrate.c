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
 * Functions that do no more, but behind long line tables, tell what each form of
 * entry in these adds to the search for a line number.
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
 * The way to a probe in the kernel is longer where a process has more mappings, as
 * its own is looked for among them: by 1.5 % for 500, by 3 % for 5000.
 */
#define KERNEL_APART 0.02
/* Positions are kept as means from the third on: see struct wire_search. */
#define SEARCH_APART 0.01
/*
 * Of time the forms of entries cannot be told apart: they are taken to be in the
 * proportion of their instructions, as GCC compiles the search on arm64.
 */
static const struct line_costs shape = {
	.of = {[LINE_PAIR] = 9, [LINE_TOO_FAR] = 4, [LINE_NONE] = 27, [LINE_SHORT] = 34,
	       [LINE_SAME] = 40, [LINE_NEXT] = 40, [LINE_SECOND] = 40, [LINE_NO_COLUMNS] = 37,
	       [LINE_LONG_5] = 57, [LINE_LONG_6] = 62, [LINE_LONG_7] = 67, [LINE_LONG_8] = 72},
};

struct measured {
	int n;
	double plain[ROUNDS];  /* a call, probes off */
	double added[ROUNDS];  /* what the probes add to it */
	double callee[ROUNDS]; /* self of the callee, probes on */
};

/* The two children, and which node of the second's tree each callee is. */
struct trial {
	struct kernel *kernel;
	const struct build *build;
	const struct interpreter *in;
	enum metric metric;
	struct calibrate_child off, on;
	struct hold hold;
	uint32_t nodes[CALLEE_MAX];
	struct measured of[CALLEE_MAX];
	struct measured entries; /* of the empty one, its returns not probed */
	struct kernel_cost kernel_cost;
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

/* Just called for the first time; 0: by nobody. */
static uint32_t node_find(const struct trial *t, enum callee callee)
{
	const struct kernel *k = t->kernel;

	for (uint32_t i = 1; i < k->options.max_nodes && k->nodes[i].flags; i++) {
		bool known = false;

		if (k->nodes[i].tgid != (uint32_t)t->on.launch.pid ||
		    k->nodes[i].calls != calibrate_calls(callee))
			continue;
		for (int other = 0; other < CALLEE_MAX; other++)
			known |= t->nodes[other] == i;
		if (!known)
			return i;
	}
	return 0;
}

static double position_of(const struct trial *t, enum callee callee)
{
	struct wire_search s = {0};

	kernel_returns(t->kernel, t->nodes[callee], &s);
	return s.position[0];
}

/* The first probed calls build the tree and read the names. */
static int warm_up(struct trial *t, enum callee callee)
{
	double unused;
	int err = calibrate_child_round(&t->off, callee, &unused);

	if (!err)
		err = calibrate_child_round(&t->on, callee, &unused);
	t->nodes[callee] = err ? 0 : node_find(t, callee);
	return err ? err : t->nodes[callee] ? 0 : -EPROTO;
}

static int rounds_run(struct trial *t, enum callee callee, int n, struct measured *ret)
{
	const struct wire_node *node = &t->kernel->nodes[t->nodes[callee]];
	double plain, probed;
	int err = 0;

	for (ret->n = 0; !err && ret->n < n; ret->n++) {
		uint64_t calls = node->calls, self = node->self;

		err = calibrate_child_round(&t->off, callee, &plain);
		if (!err)
			err = calibrate_child_round(&t->on, callee, &probed);
		if (!err && node->calls - calls != calibrate_calls(callee))
			err = -EPROTO;
		ret->plain[ret->n] = plain;
		ret->added[ret->n] = probed - plain;
		ret->callee[ret->n] = (double)(node->self - self) / calibrate_calls(callee);
	}
	return err;
}

/* The forms of the interpreter's tables, from *ret_first on. */
static int forms_of(const struct trial *t, enum line_form *ret_first)
{
	*ret_first = t->in->minor >= 11 ? LINE_NONE : LINE_PAIR;
	return t->in->minor >= 11 ? LINE_FORMS - LINE_NONE : LINE_NONE - LINE_PAIR;
}

/* The form that is measured when only one can be: the most frequent. */
static enum line_form form_usual(const struct trial *t)
{
	return t->in->minor >= 11 ? LINE_SHORT : LINE_PAIR;
}

static enum callee callee_of(const struct trial *t, enum line_form form)
{
	enum line_form first;

	forms_of(t, &first);
	return CALLEE_FORMS + form - first;
}

/* Of the empty function, with all probes on. */
static int kernel_rounds_run(struct trial *t)
{
	uint32_t node = t->nodes[CALLEE_EMPTY], caller = t->kernel->nodes[node].parent;
	double callee[ROUNDS], callers[ROUNDS], both[ROUNDS], unused, total;
	struct kernel_cost *ret = &t->kernel_cost;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t self = kernel_self(t->kernel, node), above = kernel_self(t->kernel, caller);
		int err = calibrate_child_round(&t->on, CALLEE_EMPTY, &unused);

		if (err)
			return err;
		self = kernel_self(t->kernel, node) - self;
		above = kernel_self(t->kernel, caller) - above;
		callee[i] = (double)self / calibrate_calls(CALLEE_EMPTY);
		callers[i] = (double)above / calibrate_calls(CALLEE_EMPTY);
		both[i] = callee[i] + callers[i];
	}
	ret->entry = median(callee, ROUNDS, &ret->entry_error);
	ret->exit = median(callers, ROUNDS, &ret->exit_error);
	total = median(both, ROUNDS, &ret->total_error);
	ret->total_error = hypot(KERNEL_APART * total, ret->total_error);
	ret->entry_error = hypot(KERNEL_APART * ret->entry, ret->entry_error);
	ret->exit_error = hypot(KERNEL_APART * ret->exit, ret->exit_error);
	return 0;
}

/* The probes of a build with traps hand over no line number: nothing is searched. */
static bool searches_are_made(const struct trial *t)
{
	return t->in->probes != PROBES_SITES;
}

static int trial_run(struct trial *t)
{
	bool exact = t->metric == METRIC_INSTRUCTIONS;
	enum line_form first;
	int n = exact ? ROUNDS_EXACT : ROUNDS, last = CALLEE_FORMS + forms_of(t, &first), err = 0;

	if (!searches_are_made(t))
		last = CALLEE_EMPTY + 1;

	for (int i = 0; !err && i < last; i++) {
		if (!exact && i >= CALLEE_FORMS && i != (int)callee_of(t, form_usual(t)))
			continue;
		err = warm_up(t, i);
		if (!err)
			err = rounds_run(t, i, n, &t->of[i]);
	}
	if (!err && t->kernel->kernel_selfs)
		err = kernel_rounds_run(t);
	if (err || !exact)
		return err;
	hold_close_returns(&t->hold);
	return rounds_run(t, CALLEE_EMPTY, n, &t->entries);
}

/* So many entries of the usual form were passed under the two tables of them. */
static void entries_passed(const struct trial *t, double *ret_few, double *ret_all)
{
	double p = position_of(t, CALLEE_FEW);

	*ret_few = t->in->minor >= 11 ? floor(p / 16) + 1 : t->on.units / 8;
	*ret_all = t->in->minor >= 11 ? floor(p / 2) + 1 : t->on.units;
}

/* From the same code under tables that differ in one thing at a time. */
static void lines_set(struct trial *t, struct build_cost *ret)
{
	enum line_form first, usual = form_usual(t);
	int n = forms_of(t, &first);
	double few_entries, entries, few_error, error, few, added, base, cost;

	entries_passed(t, &few_entries, &entries);
	few = median(t->of[CALLEE_FEW].added, t->of[CALLEE_FEW].n, &few_error);
	added = median(t->of[callee_of(t, usual)].added, t->of[callee_of(t, usual)].n, &error);
	cost = (added - few) / (entries - few_entries);
	base = added - entries * cost;
	ret->search_error = hypot(SEARCH_APART,
				  added > few ? hypot(few_error, error) / (added - few) : 1);
	for (enum line_form form = first; form < first + n; form++) {
		struct measured *m = &t->of[callee_of(t, form)];

		if (t->metric != METRIC_INSTRUCTIONS)
			ret->lines.of[form] = fmax(cost, 0) * shape.of[form] / shape.of[usual];
		else if (form == LINE_TOO_FAR)
			ret->lines.of[form] = median(m->added, m->n, &error) - added;
		else
			ret->lines.of[form] = (median(m->added, m->n, &error) - base) / entries;
	}
}

static int searches_set(struct trial *t, struct build_cost *ret)
{
	struct line_table *empty;
	int err;

	ret->searched = true;
	lines_set(t, ret);
	err = line_table_read(t->in->minor, t->on.firstlineno, t->on.table, t->on.table_size,
			      t->on.table_size, &ret->lines, &empty);
	if (err)
		return err;
	ret->empty_return = line_table_search(empty, position_of(t, CALLEE_EMPTY));
	ret->empty_entry = line_table_start(empty);
	free(empty);
	/* The table of 3.15's shim is empty: _Py_InitCleanup in Objects/codeobject.c. */
	ret->lone_return -= ret->empty_return;
	return 0;
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

static int cost_set(struct trial *t, struct build_cost *ret)
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
	ret->known = true;
	ret->kernel = t->kernel_cost;
	return searches_are_made(t) ? searches_set(t, ret) : 0;
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
	return err ? err : hold_open(build_hold(t->build), pid, false, &t->hold);
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
		err = calibrate_child_go(&t->off);
	if (!err)
		err = calibrate_child_go(&t->on);
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
	struct trial t = {.kernel = k, .build = b, .in = build_interpreter(b), .metric = metric,
			  .off = CALIBRATE_CHILD_NONE, .on = CALIBRATE_CHILD_NONE,
			  .hold = HOLD_NONE};
	int err = kernel_switches_want(k);

	if (err) {
		snprintf(text, len, "cannot see context switches: %s", strerror(-err));
		return err;
	}
	err = trial_start(&t, pid);
	if (!err)
		err = trial_run(&t);
	if (!err)
		err = cost_set(&t, ret);
	if (err)
		snprintf(text, len, "cannot calibrate %s: %s", t.in->target_path,
			 err == -EPROTO	  ? "the probes count other calls than were made"
			 : err == -EAGAIN ? "the hardware counter was shared with others meanwhile"
					  : strerror(-err));
	trial_end(&t);
	kernel_switches_leave(k);
	return err;
}
