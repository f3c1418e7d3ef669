// SPDX-License-Identifier: GPL-2.0-or-later
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userspace/commands.h"
#include "userspace/counter_share.h"
#include "userspace/phase_plan.h"
#include "userspace/recording.h"
#include "userspace/request_config.h"
#include "userspace/request_options.h"
#include "userspace/sample_options.h"
#include "userspace/session.h"
#include "userspace/targets.h"

#define DEFAULT_OUTPUT "recording.pycost"
/* Of one request in so many, or fewer, others are watched within a budget: of 1 %. */
#define FEW_REQUESTS 100
#define FEW_BUDGET (BUDGET_UNIT / 100)

struct record {
	struct session_options session;
	struct targets targets;
	struct request_config requests;
	const char *output;
	double seconds; /* 0: until stopped */
	bool budget_said;
	bool quiet;
	char **command;
};

enum { OPT_METRIC = 256, OPT_NO_FOLLOW, OPT_THREADS, OPT_NO_CALIBRATION,
       OPT_MAX_PATHS, OPT_MAX_THREADS, OPT_KERNEL, OPT_REQUESTS, OPT_ENDPOINT, OPT_BUDGET,
       OPT_REQUESTS_ONLY };

static const struct argp_option options[] = {
	{"duration", 'd', "SECONDS", 0, "Stop after this long (default: Ctrl-C, or the targets' end)", 0},
	{"output", 'o', "FILE", 0, "Write here, - for standard output (default: " DEFAULT_OUTPUT ")", 0},
	{"metric", OPT_METRIC, "METRIC", 0,
	 "instructions, cycles or task-clock (default: the first of them that this machine counts)", 0},
	{"kernel", OPT_KERNEL, NULL, 0,
	 "Count kernel mode too, in a column of its own (not with task-clock, which has it)", 0},
	{"no-follow", OPT_NO_FOLLOW, NULL, 0, "Leave the processes alone that the targets fork", 0},
	{"per-thread", OPT_THREADS, NULL, 0, "Keep one call tree for each thread", 0},
	{"no-calibration", OPT_NO_CALIBRATION, NULL, 0, "Leave the probes' own cost in", 0},
	{"max-paths", OPT_MAX_PATHS, "N", 0, "Call paths kept, for all targets (default: 131071)", 0},
	{"max-threads", OPT_MAX_THREADS, "N", 0, "Threads followed at a time (default: 256)", 0},
	{"requests", OPT_REQUESTS, "1/N", OPTION_ARG_OPTIONAL,
	 "What each request costs, and costs by endpoint; 1/N: exact costs of one request in N, "
	 "others run at full speed",
	 0},
	{"requests-only", OPT_REQUESTS_ONLY, NULL, 0,
	 "What each request costs and nothing of functions: no probes at calls, no samples", 0},
	{"endpoint", OPT_ENDPOINT, "GLOB", 0,
	 "With --requests=1/N: of requests of these endpoints only (of their method too, with a "
	 "space in it)",
	 0},
	{"budget", OPT_BUDGET, "PERCENT", 0,
	 "With --requests-only, of samples or with --requests=1/N: watch requests at times only, so "
	 "that it costs the workers no more than PERCENT of their CPU time; all: always (default: "
	 "all, but 1 of 1/100 and fewer)",
	 0},
	{"quiet", 'q', NULL, 0, "Print errors only", 0},
	{0},
};

static const char doc[] =
	"Record what each Python function costs, in processes that run already.\v"
	"Examples:\n"
	"  pycost record -p 1234 -d 10           ten seconds of one worker and its children\n"
	"  pycost record --match gunicorn -d 30  every gunicorn process\n"
	"  pycost record -o a.pycost -- python3.15 script.py\n"
	"                                        a command, from its first call\n"
	"  pycost record --mode sample -p 1234   estimates, from 99 looks a second\n"
	"  pycost record --mode sample --all -d 60\n"
	"                                        every Python on this machine for a minute\n"
	"  pycost record --match gunicorn --requests=1/1000 -d 600\n"
	"                                        exact costs of one request in a thousand\n"
	"  pycost record --match gunicorn --requests-only --config requests.yaml\n"
	"                                        what requests cost, the targets at full speed\n"
	"  pycost report recording.pycost        read the result\n\n"
	"The targets are not stopped or changed, and nothing stays behind in them, however "
	"pycost ends. In exact mode each probed call costs them one to three microseconds while it "
	"records; samples cost some microseconds each, whatever is called.\n";

static unsigned count_of(struct argp_state *state, const char *text, unsigned long most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || end == text || n < 1 || n > most)
		argp_error(state, "'%s' is not a number from 1 to %lu", text, most);
	return n;
}

/* "1/N", "all", or nothing, which is all. */
static void requests_parse(struct record *r, const char *arg, struct argp_state *state)
{
	const char *next = state->next < state->argc ? state->argv[state->next] : NULL;

	r->session.requests = &r->requests;
	/* "--requests 1/1000" is understood, too. */
	if (!arg && next && (!strncmp(next, "1/", 2) || !strcmp(next, "all"))) {
		arg = next;
		state->next++;
	}
	r->session.one_in = 0;
	if (!arg || !strcmp(arg, "all"))
		return;
	if (strncmp(arg, "1/", 2))
		argp_error(state, "'%s' is neither 1/N nor all", arg);
	r->session.one_in = count_of(state, arg + 2, 1000000000);
}

static void arguments_check(const struct record *r, struct argp_state *state)
{
	const struct session_options *o = &r->session;

	if (!r->targets.asked && !r->command && !o->everyone)
		argp_error(state, "say what to record: -p PID, --match REGEX, --cgroup PATH, --all "
				  "or -- COMMAND");
	if (o->kernel_mode && o->metric == METRIC_TASK_CLOCK)
		argp_error(state, "task-clock has the kernel's time in it already: leave "
				  "--kernel out, or choose another metric");
	if (o->endpoint && (!o->requests || o->no_samples))
		argp_error(state, "--endpoint goes with --requests=1/N");
	if ((o->one_in > 1 || o->endpoint) && o->sample)
		argp_error(state, "--requests=1/N and --endpoint are of exact costs: samples are of "
				  "all requests");
	if (o->budget && (!o->requests || (!o->sample && o->one_in < 2)))
		argp_error(state, "--budget goes with --requests-only, --requests=1/N, or --requests of "
				  "samples: exact costs are of all requests, or of 1/N");
	if (!o->requests && r->requests.said)
		argp_error(state, "what is said of requests needs --requests or --requests-only");
	if (o->no_samples && (o->per_thread || o->no_calibration || o->max_nodes || o->max_threads))
		argp_error(state, "--per-thread, --no-calibration, --max-paths and --max-threads are of "
				  "functions, and --requests-only looks at none");
	if (o->everyone && (r->targets.asked || r->command))
		argp_error(state, "--all leaves nothing to choose: name no other target");
}

/* What is said of the measurement itself. */
static error_t session_parse(int key, char *arg, struct argp_state *state)
{
	struct record *r = state->input;

	switch (key) {
	case OPT_METRIC:
		r->session.metric = metric_by_name(arg);
		if (!r->session.metric)
			argp_error(state, "'%s' is none of instructions, cycles, task-clock", arg);
		return 0;
	case OPT_KERNEL:
		r->session.kernel_mode = true;
		return 0;
	case OPT_NO_FOLLOW:
		r->session.no_follow = true;
		return 0;
	case OPT_THREADS:
		r->session.per_thread = true;
		return 0;
	case OPT_NO_CALIBRATION:
		r->session.no_calibration = true;
		return 0;
	case OPT_MAX_PATHS:
		r->session.max_nodes = count_of(state, arg, 1 << 22) + 1;
		return 0;
	case OPT_MAX_THREADS:
		r->session.max_threads = count_of(state, arg, 1 << 14);
		return 0;
	case OPT_REQUESTS:
		requests_parse(r, arg, state);
		return 0;
	case OPT_REQUESTS_ONLY:
		r->session.requests = &r->requests;
		r->session.sample = r->session.no_samples = true;
		return 0;
	case OPT_ENDPOINT:
		r->session.endpoint = arg;
		return 0;
	case OPT_BUDGET:
		r->budget_said = true;
		r->session.budget = budget_parse(arg);
		if (!r->session.budget && strcmp(arg, "all"))
			argp_error(state, "--budget takes percent, from 0.01 to 100, or all, not '%s'",
				   arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct record *r = state->input;
	char *end;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &r->targets;
		state->child_inputs[1] = &r->session;
		state->child_inputs[2] = &r->requests;
		return 0;
	case 'd':
		r->seconds = strtod(arg, &end);
		if (*end || end == arg || !(r->seconds > 0) || r->seconds > 1e7)
			argp_error(state, "'%s' is not a number of seconds", arg);
		return 0;
	case 'o':
		r->output = arg;
		return 0;
	case 'q':
		r->quiet = true;
		return 0;
	case ARGP_KEY_ARGS:
		r->command = state->argv + state->next;
		return 0;
	case ARGP_KEY_END:
		arguments_check(r, state);
		if (!r->budget_said && r->session.one_in >= FEW_REQUESTS)
			r->session.budget = FEW_BUDGET;
		return 0;
	default:
		return session_parse(key, arg, state);
	}
}

static volatile sig_atomic_t stopping;

static void on_signal(int sig)
{
	stopping = 1;
}

static void signals_catch(void)
{
	struct sigaction stop = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* One PID that cannot be measured is an error; one of many is a warning. */
static int attach_all(const struct record *r, struct session *s)
{
	unsigned attached = 0;
	char why[512];
	int err = 0;

	if (r->session.everyone) {
		err = session_everyone(s, why, sizeof(why));
		if (err)
			fprintf(stderr, "pycost record: %s\n", why);
		return err;
	}
	for (size_t i = 0; i < r->targets.n; i++) {
		err = session_attach(s, r->targets.v[i], why, sizeof(why));
		if (!err)
			attached++;
		else
			fprintf(stderr, "pycost record: %d: %s\n", r->targets.v[i], why);
	}
	if (!r->targets.n && r->targets.asked) {
		fprintf(stderr, "pycost record: no process matches\n");
		return -ESRCH;
	}
	if (r->command) {
		err = session_launch(s, r->command, why, sizeof(why));
		if (err)
			fprintf(stderr, "pycost record: %s: %s\n", r->command[0], why);
		return err;
	}
	return attached ? 0 : err;
}

#define COUNTS_SIZE 160

/* "1,200 requests, 1,919 samples in 422 call paths": what is looked at. */
static const char *counts_text(const struct record *r, const struct session_status *st,
			       char text[COUNTS_SIZE])
{
	size_t n = 0;

	*text = 0;
	if (r->session.requests)
		n = snprintf(text, COUNTS_SIZE, "%'" PRIu64 " request%s", st->requests,
			     st->requests == 1 ? "" : "s");
	if (!r->session.no_samples)
		snprintf(text + n, COUNTS_SIZE - n, "%s%'" PRIu64 " %s in %'u call paths",
			 n ? ", " : "", st->period ? st->samples : st->calls,
			 st->period ? "samples" : "calls", st->paths);
	return text;
}

static void progress(const struct record *r, const struct session_status *st)
{
	char counts[COUNTS_SIZE];

	fprintf(stderr, "\r%5.0f s  %u process%s  %s\033[K", st->duration_ns / 1e9, st->targets,
		st->targets == 1 ? "" : "es", counts_text(r, st, counts));
}

/* How the samples are made, in words. */
static void period_print(const struct session_status *st)
{
	if (st->metric == METRIC_TASK_CLOCK)
		fprintf(stderr, "a sample each %.3g ms on a CPU (%.0f Hz)\n", st->period / 1e6,
			1e9 / st->period);
	else
		fprintf(stderr, "a sample each %'" PRIu64 " %s\n", st->period,
			metric_unit(st->metric));
}

static int run(const struct record *r, struct session *s)
{
	bool show = !r->quiet && isatty(STDERR_FILENO);
	struct session_status st;
	const char *note;
	int err = 0;

	session_status(s, &st);
	if (st.fallback_reason && !r->quiet)
		fprintf(stderr, "pycost record: the metric is %s: %s\n", metric_name(st.metric),
			st.fallback_reason);
	if (st.caution && !r->quiet)
		fprintf(stderr, "pycost record: %s\n", st.caution);
	if (st.period && !r->quiet)
		period_print(&st);
	if (!r->quiet)
		fprintf(stderr, "measuring %u process%s%s\n", st.targets, st.targets == 1 ? "" : "es",
			r->seconds ? "" : "; Ctrl-C stops");
	while (!err && !stopping && (st.targets || r->session.everyone)) {
		double left = r->seconds ? r->seconds - st.duration_ns / 1e9 : 1;

		if (left <= 0)
			break;
		err = session_poll(s, left < 0.2 ? (int)ceil(left * 1000) : 200);
		session_status(s, &st);
		if (show)
			progress(r, &st);
		while ((note = session_notice(s)))
			fprintf(stderr, "%spycost record: %s\n", show ? "\n" : "", note);
	}
	if (show)
		fputs("\r\033[K", stderr);
	return err;
}

static void losses_print(const struct session_status *st)
{
	const uint64_t *losses = st->losses;
	char share[128];

	if (counter_share_text(losses, share, sizeof(share)))
		fprintf(stderr, "  lost: %s\n", share);
	for (int i = 1; i < LOSS_MAX; i++)
		if (losses[i] && i == LOSS_UNWALKED && st->samples)
			fprintf(stderr, "  lost: %s %'" PRIu64 " (%.2g %% of all samples)\n",
				loss_name(i), losses[i], 100.0 * losses[i] / st->samples);
		else if (losses[i] && i != LOSS_MULTIPLEXED)
			fprintf(stderr, "  lost: %s %'" PRIu64 "\n", loss_name(i), losses[i]);
}

/* Is there anything in it? */
static void emptiness_print(const struct record *r, const struct session_status *st)
{
	bool functions = !r->session.no_samples;

	if (functions && !st->calls && !st->samples)
		fprintf(stderr, "  no %s was seen: were the targets idle?\n",
			st->period ? "sample" : "call");
	else if (!functions && !st->requests)
		fprintf(stderr, "  no request was seen to its end: were the targets idle, or do they "
				"serve another protocol?\n");
}

static void summary(const struct record *r, struct session *s)
{
	struct session_status st;
	char counts[COUNTS_SIZE];
	const char *note;

	session_status(s, &st);
	while ((note = session_notice(s)))
		fprintf(stderr, "pycost record: %s\n", note);
	if (r->quiet)
		return;
	fprintf(stderr,
		"recorded %.1f s of %u process%s: %s, %s%s%s\n",
		st.duration_ns / 1e9, st.followed, st.followed == 1 ? "" : "es",
		counts_text(r, &st, counts), metric_name(st.metric), st.metric == METRIC_TASK_CLOCK ? " (time, not instructions)" : "",
		st.kernel_mode ? " and in kernel mode" : "");
	losses_print(&st);
	if (st.launched_status > 0 && WIFEXITED(st.launched_status))
		fprintf(stderr, "  the command exited with %d\n", WEXITSTATUS(st.launched_status));
	else if (st.launched_status > 0 && WIFSIGNALED(st.launched_status))
		fprintf(stderr, "  the command was killed by signal %d\n", WTERMSIG(st.launched_status));
	emptiness_print(r, &st);
	if (strcmp(r->output, "-"))
		fprintf(stderr, "  pycost %s %s\n", r->session.no_samples ? "requests" : "report",
			r->output);
}

/* Nothing was measured: no empty recording is left, but a device stays. */
static void output_forget(const char *path)
{
	struct stat st;

	if (strcmp(path, "-") && !lstat(path, &st) && S_ISREG(st.st_mode))
		unlink(path);
}

static int record(struct record *r)
{
	struct session *s = NULL;
	struct sink *sink;
	char why[512] = "";
	int err = recording_create(r->output, &sink);

	if (err) {
		fprintf(stderr, "pycost record: cannot write %s: %s\n", r->output, strerror(-err));
		return EXIT_FAILURE;
	}
	err = session_open(&r->session, sink, &s, why, sizeof(why));
	if (err == -EPERM && r->session.budget && !r->budget_said) {
		/* Perhaps for want of a right that nobody asked to be used. */
		r->session.budget = 0;
		err = session_open(&r->session, sink, &s, why, sizeof(why));
	}
	if (err) {
		fprintf(stderr, "pycost record: %s\n", why);
		output_forget(r->output);
	} else {
		err = attach_all(r, s);
		if (!err) {
			int late = run(r, s);

			err = session_finish(s);
			err = late ? late : err;
			if (err)
				fprintf(stderr, "pycost record: writing %s: %s\n", r->output,
					strerror(-err));
			else
				summary(r, s);
		} else {
			output_forget(r->output);
		}
	}
	session_close(s);
	recording_close(sink);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

int cmd_record(int argc, char **argv)
{
	struct record r = {.output = DEFAULT_OUTPUT};
	static const struct argp_child children[] = {
		{&targets_argp, 0, NULL, 0}, {&sample_argp, 0, NULL, 0},
		{&request_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {options, parse, "[-- COMMAND [ARG...]]", doc, children,
					 NULL, NULL};
	int status;

	setlocale(LC_ALL, "");
	argp_err_exit_status = 2;
	signals_catch();
	if (request_config_init(&r.requests) ||
	    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &r))
		return EXIT_FAILURE;
	status = record(&r);
	request_config_clear(&r.requests);
	targets_clear(&r.targets);
	return status;
}
