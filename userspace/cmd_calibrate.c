// SPDX-License-Identifier: GPL-2.0-or-later
#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "symbolizer/interpreter.h"
#include "userspace/build.h"
#include "userspace/calibrate.h"
#include "userspace/commands.h"
#include "userspace/counter.h"
#include "userspace/counter_reason.h"
#include "userspace/kernel.h"
#include "userspace/rights.h"
#include "userspace/sink.h"

struct options {
	const char *target;
	pid_t pid;
	enum metric metric;
	bool json;
};

enum { OPT_METRIC = 256, OPT_FORMAT };

static const struct argp_option options[] = {
	{"pid", 'p', "PID", 0, "Calibrate the interpreter of this process", 0},
	{"metric", OPT_METRIC, "METRIC", 0, "instructions, cycles or task-clock", 0},
	{"format", OPT_FORMAT, "FORMAT", 0, "table or json", 0},
	{0},
};

static const char doc[] =
	"Measure what one probed call itself costs on an interpreter.\v"
	"It runs private children of the interpreter, no other process is touched. `pycost record` "
	"does this by itself and takes the result out.\n\n"
	"Examples:\n"
	"  pycost calibrate -p 1234\n"
	"  pycost calibrate /usr/bin/python3.15\n";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	char *end;

	switch (key) {
	case 'p':
		o->pid = strtol(arg, &end, 10);
		if (*end || end == arg || o->pid <= 0)
			argp_error(state, "'%s' is not a PID", arg);
		return 0;
	case OPT_METRIC:
		o->metric = metric_by_name(arg);
		if (!o->metric)
			argp_error(state, "'%s' is none of instructions, cycles, task-clock", arg);
		return 0;
	case OPT_FORMAT:
		o->json = !strcmp(arg, "json");
		if (!o->json && strcmp(arg, "table"))
			argp_error(state, "'%s' is neither table nor json", arg);
		return 0;
	case ARGP_KEY_ARG:
		if (o->target)
			argp_error(state, "one interpreter at a time");
		o->target = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->target == !o->pid)
			argp_error(state, "say -p PID or the path of an interpreter");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int find(const struct options *o, struct interpreter *in)
{
	int err = o->pid ? interpreter_find(o->pid, in)
			 : interpreter_open_path(o->target, getenv("PATH"), in);
	const char *why;

	if (err) {
		fprintf(stderr, "pycost calibrate: %s: %s\n", o->target ? o->target : "the process",
			err == -ESRCH	 ? "no such process"
			: err == -ENOENT ? "no CPython interpreter there"
					 : strerror(-err));
		return err;
	}
	why = interpreter_exact_reason(in);
	if (why) {
		fprintf(stderr, "pycost calibrate: %s\n", why);
		interpreter_clear(in);
		return -ENOTSUP;
	}
	return 0;
}

/* Of the most frequent form. */
static double entry_cost(const struct interpreter *in, const struct build_cost *c)
{
	return c->lines.of[in->minor >= 11 ? LINE_SHORT : LINE_PAIR];
}

static void print_json(const struct build *b, const struct build_cost *c, enum metric m)
{
	const struct interpreter *in = build_interpreter(b);
	json_t *root = json_pack("{s:s, s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "metric",
				 metric_name(m), "unit", metric_unit(m), "path", in->target_path,
				 "build_id", in->build_id, "plain_call", c->plain, "added",
				 c->entry + c->exit, "added_error", c->total_error, "entry", c->entry,
				 "exit", c->exit, "split_error", c->entry_error,
				 "search_entry", entry_cost(in, c), "search_error",
				 entry_cost(in, c) * c->search_error);

	json_dumpf(root, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(8));
	putchar('\n');
	json_decref(root);
}

static void print_table(const struct build *b, const struct build_cost *c, enum metric m)
{
	const struct interpreter *in = build_interpreter(b);
	const char *unit = metric_unit(m);

	printf("%s: Python %d.%d, build-id %s\n", in->target_path, in->major, in->minor,
	       *in->build_id ? in->build_id : "none");
	printf("metric            %s%s\n", metric_name(m),
	       m == METRIC_TASK_CLOCK ? ": time on CPU, not instructions" : "");
	printf("an empty call     %8.1f %s\n", c->plain, unit);
	printf("the probes add    %8.1f ± %.1f %s a call\n", c->entry + c->exit, c->total_error, unit);
	printf("  to the callee   %8.1f ± %.1f\n", c->entry, c->entry_error);
	printf("  to the caller   %8.1f ± %.1f\n", c->exit, c->exit_error);
	printf("a line's search   %8.1f ± %.1f %s for each %s before it\n", entry_cost(in, c),
	       entry_cost(in, c) * c->search_error, unit,
	       in->minor >= 11 ? "instruction" : "line");
}

static int calibrate(const struct options *o, struct interpreter *in)
{
	struct kernel_options ko = {.max_nodes = 4096, .max_threads = 16};
	struct counter *counter = NULL;
	struct kernel *k = NULL;
	struct build *b = NULL;
	struct build_cost cost;
	char why[512] = "", reason[256];
	int err = counter_open(o->metric, &counter);

	if (err) {
		counter_reason(err, reason, sizeof(reason));
		snprintf(why, sizeof(why), "no counter of %s: %s", metric_name(o->metric), reason);
	}
	if (!err)
		err = kernel_open(&ko, counter, &k, why, sizeof(why));
	if (!err)
		err = build_open(k, in, o->pid, &b, why, sizeof(why));
	if (!err)
		err = calibrate_run(k, b, counter_metric(counter), o->pid, &cost, why, sizeof(why));
	rights_explain(err, RIGHTS_EXACT, why, sizeof(why));
	if (err)
		fprintf(stderr, "pycost calibrate: %s\n", why);
	else if (o->json)
		print_json(b, &cost, counter_metric(counter));
	else
		print_table(b, &cost, counter_metric(counter));
	build_close(b);
	kernel_close(k);
	counter_close(counter);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

int cmd_calibrate(int argc, char **argv)
{
	static const struct argp argp = {options, parse, "[PYTHON]", doc, NULL, NULL, NULL};
	struct options o = {0};
	struct interpreter in;
	int status;

	argp_err_exit_status = 2;
	if (argp_parse(&argp, argc, argv, 0, NULL, &o) || find(&o, &in))
		return EXIT_FAILURE;
	status = calibrate(&o, &in);
	interpreter_clear(&in);
	return status;
}
