/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/phase_plan.h"
#include "userspace/request_options.h"
#include "userspace/request_run.h"
#include "userspace/sample_event.h"

#define LIMIT_DEFAULT 30
#define RATE_DEFAULT 99

enum { OPT_ALL = 768, OPT_RATE, OPT_INTERVAL, OPT_METRIC, OPT_KERNEL, OPT_NO_FOLLOW, OPT_EXACT,
       OPT_BUDGET };

static const struct argp_option options[] = {
	{"format", 'f', "FORMAT", 0, "table (default), json or csv", 1},
	{"output", 'o', "OUT", 0, "Write to the file OUT instead of standard output", 1},
	{"limit", 'n', "N", 0, "Show N rows; 0: all (default: 30 of a table, all of json and csv)", 1},
	{"exact", OPT_EXACT, NULL, 0, "Print numbers in full instead of 1.234 M", 1},
	{"duration", 'd', "SECONDS", 0, "Stop after this long (default: Ctrl-C, or the targets' end)", 2},
	{"interval", OPT_INTERVAL, "SECONDS", 0,
	 "Show what came in each such interval, instead of all at the end", 2},
	{"all", OPT_ALL, NULL, 0, "Every Python on this machine, those too that start later", 2},
	{"rate", OPT_RATE, "HZ", 0,
	 "Sample as well, so that names of views are known (default: 99 a second; of imports and gc, "
	 "0: do not)", 2},
	{"metric", OPT_METRIC, "METRIC", 0,
	 "instructions, cycles or task-clock (default: the first of them that this machine counts)", 2},
	{"budget", OPT_BUDGET, "PERCENT", 0,
	 "Watch requests at times only, so that it costs the workers no more than PERCENT of their "
	 "CPU time; counts and sums are estimates then", 2},
	{"no-follow", OPT_NO_FOLLOW, NULL, 0, "Leave the processes alone that the targets fork", 2},
	{0},
};

static double number_of(struct argp_state *state, const char *option, const char *arg, double least,
			double most)
{
	char *end;
	double value = strtod(arg, &end);

	if (*end || end == arg || !(value >= least) || value > most)
		argp_error(state, "%s takes a number from %g to %g, not '%s'", option, least, most,
			   arg);
	return value;
}

static enum request_format parse_format(struct argp_state *state, const char *arg)
{
	static const char *const names[] = {"table", "json", "csv"};

	for (int i = 0; i < 3; i++)
		if (!strcmp(arg, names[i]))
			return i;
	argp_error(state, "--format takes table, json or csv, not '%s'", arg);
	return REQUEST_TABLE;
}

/* Samples are never more than by --rate; they are what "0" leaves out. */
static void rate_set(struct argp_state *state, struct request_run *r, const char *arg)
{
	r->options.rate = number_of(state, "--rate", arg, 0, SAMPLE_RATE_MAX);
	r->options.no_samples = !r->options.rate;
}

static void check(struct argp_state *state, struct request_run *r)
{
	bool asked = r->targets.asked || r->options.everyone;

	if (r->file && (asked || r->live_option))
		argp_error(state, "%s is a recording: -p, --match, --cgroup, --all, --duration, "
				  "--interval, --rate, --metric, --budget and --no-follow are of measuring",
			   r->file);
	if (!r->file && !asked)
		argp_error(state, "say what to measure: -p PID, --match REGEX, --cgroup PATH or "
				  "--all; or name a recording (- for standard input)");
	if (r->targets.asked && r->options.everyone)
		argp_error(state, "--all leaves nothing to choose: name no other target");
	if (r->interval && r->format != REQUEST_TABLE)
		argp_error(state, "--interval goes with --format table");
	if (r->limit == SIZE_MAX)
		r->limit = r->format == REQUEST_TABLE ? LIMIT_DEFAULT : 0;
}

static error_t parse_live(struct request_run *r, int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'd': r->seconds = number_of(state, "--duration", arg, 0.001, 1e7); break;
	case OPT_INTERVAL: r->interval = number_of(state, "--interval", arg, 1, 1e6); break;
	case OPT_ALL: r->options.everyone = true; break;
	case OPT_RATE: rate_set(state, r, arg); break;
	case OPT_METRIC:
		r->options.metric = metric_by_name(arg);
		if (!r->options.metric)
			argp_error(state, "'%s' is none of instructions, cycles, task-clock", arg);
		break;
	case OPT_BUDGET:
		r->options.budget = budget_parse(arg);
		if (!r->options.budget)
			argp_error(state, "--budget takes percent, from 0.01 to 100, not '%s'", arg);
		break;
	case OPT_NO_FOLLOW: r->options.no_follow = true; break;
	default: return ARGP_ERR_UNKNOWN;
	}
	r->live_option = true;
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request_run *r = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &r->targets;
		state->child_inputs[1] = &r->config;
		return 0;
	case 'f': r->format = parse_format(state, arg); return 0;
	case 'o': r->out = arg; return 0;
	case 'n': r->limit = number_of(state, "--limit", arg, 0, 1e9); return 0;
	case OPT_EXACT: r->exact = true; return 0;
	case ARGP_KEY_ARG:
		if (r->file)
			argp_error(state, "one recording at a time: what is '%s'?", arg);
		r->file = arg;
		return 0;
	case ARGP_KEY_END: check(state, r); return 0;
	default: return parse_live(r, key, arg, state);
	}
}

static const struct argp_child children[] = {
	{&targets_argp, 0, NULL, 2}, {&request_argp, 0, "What is known of requests:", 3}, {0}};

const struct argp request_run_argp = {options, parse, "[FILE]", NULL, children, NULL, NULL};

int request_run_init(struct request_run *r, const char *command)
{
	int err = request_config_init(&r->config);

	r->command = command;
	r->limit = SIZE_MAX;
	r->options.sample = true;
	r->options.rate = RATE_DEFAULT;
	if (err)
		fprintf(stderr, "%s: %s\n", command, strerror(-err));
	return err;
}

int request_run_list(char *list, int (*take)(void *arg, const char *part), void *arg)
{
	char *part;
	int err = 0;

	while (!err && (part = strsep(&list, ",")))
		err = take(arg, part);
	return err;
}
