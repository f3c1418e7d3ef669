// SPDX-License-Identifier: GPL-2.0-or-later
/* pycost top: session -> profile -> report, again and again. */
#include <argp.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "userspace/commands.h"
#include "userspace/profile.h"
#include "userspace/request_config.h"
#include "userspace/request_options.h"
#include "userspace/sample_options.h"
#include "userspace/targets.h"
#include "userspace/top_screen.h"

#define KEY_WAIT_MS 50
#define BATCH_WAIT_MS 200
#define ROWS_DEFAULT 20
/* A moment that is late by less than this is not left for the next drain. */
#define EARLY_NS 100000000ull

struct top {
	struct session_options options;
	struct targets targets;
	struct request_config config;
	struct top_state state;
	double delay;
	unsigned long iterations; /* 0: no limit */
	unsigned long rows;	  /* of a batch's table */
	bool batch;

	struct profile *profile;
	struct session *session;
	struct moment previous, latest;
	struct interval shown;
	bool has_shown, finished;
	char message[256];
};

enum { OPT_METRIC = 256, OPT_SORT, OPT_NO_FOLLOW, OPT_ROWS, OPT_KERNEL, OPT_REQUESTS };

static const struct argp_option options[] = {
	{"metric", OPT_METRIC, "METRIC", 0,
	 "instructions, cycles or task-clock (default: the first of them that this machine counts)", 0},
	{"kernel", OPT_KERNEL, NULL, 0,
	 "Count kernel mode too, in a column of its own (not with task-clock, which has it)", 0},
	{"sort", OPT_SORT, "KEY", 0,
	 "Sort by self (default), cumulative, calls, kernel or kernel-cumulative", 0},
	{"iterations", 'n', "N", 0, "End after N intervals (default: q, Ctrl-C, or the targets' end)", 0},
	{"delay", 'd', "SECONDS", 0, "Length of an interval: a second, which is the default, or more", 0},
	{"batch", 'b', NULL, 0, "Print a table for each interval, also to a terminal", 0},
	{"rows", OPT_ROWS, "N", 0, "Rows of such a table; 0: all (default: 20)", 0},
	{"requests", OPT_REQUESTS, NULL, 0,
	 "Show requests by endpoint, as pycost requests does; the key r goes to functions and back", 0},
	{"no-follow", OPT_NO_FOLLOW, NULL, 0, "Leave the processes alone that the targets fork", 0},
	{0},
};

static const char doc[] =
	"Watch what each Python function costs, live.\v"
	"Examples:\n"
	"  pycost top -p 1234                 until q; h lists the keys\n"
	"  pycost top --match gunicorn        every gunicorn process\n"
	"  pycost top --mode sample --all     every Python on this machine, by samples\n"
	"  pycost top --requests --mode sample --match gunicorn\n"
	"                                     what each endpoint costs, and its functions\n"
	"  pycost top -p 1234 -n 3 | cat      three tables and an end\n\n"
	"Figures are those of the last interval; the key t shows them since the start.\n";

static void parse_number(struct argp_state *state, const char *arg, unsigned long least,
			 unsigned long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoul(arg, &end, 10);
	if (*end || end == arg || *arg == '-' || errno || *ret < least || *ret > 1000000000)
		argp_error(state, "'%s' is not a number from %lu on", arg, least);
}

static void parse_delay(struct argp_state *state, const char *arg, double *ret)
{
	char *end;

	*ret = strtod(arg, &end);
	if (*end || end == arg || !(*ret >= 1) || *ret > 1e6)
		argp_error(state, "'%s' is not a number of seconds from 1 on", arg);
}

static void parse_sort(struct argp_state *state, const char *arg, enum report_sort *ret)
{
	for (size_t i = 0; i < SORTS; i++)
		if (!strcmp(arg, report_sort_names[i])) {
			*ret = i;
			return;
		}
	argp_error(state,
		   "--sort takes self, cumulative, calls, kernel or kernel-cumulative, not '%s'", arg);
}

static void check_arguments(struct argp_state *state, const struct top *t)
{
	if (!t->targets.asked && !t->options.everyone)
		argp_error(state, "say what to watch: -p PID, --match REGEX, --cgroup PATH or --all");
	if (t->targets.asked && t->options.everyone)
		argp_error(state, "--all leaves nothing to choose: name no other target");
	if (t->options.kernel_mode && t->options.metric == METRIC_TASK_CLOCK)
		argp_error(state, "task-clock has the kernel's time in it already: leave --kernel "
				  "out, or choose another metric");
	if (report_sort_is_kernel(t->state.sort) && !t->options.kernel_mode)
		argp_error(state, "--sort %s needs --kernel", report_sort_names[t->state.sort]);
	if (t->options.sample && t->state.sort == SORT_CALLS)
		argp_error(state, "samples know no calls: sort by self or cumulative");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct top *t = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &t->targets;
		state->child_inputs[1] = &t->options;
		state->child_inputs[2] = &t->config;
		break;
	case OPT_METRIC:
		t->options.metric = metric_by_name(arg);
		if (!t->options.metric)
			argp_error(state, "'%s' is none of instructions, cycles, task-clock", arg);
		break;
	case OPT_SORT: parse_sort(state, arg, &t->state.sort); break;
	case 'n': parse_number(state, arg, 1, &t->iterations); break;
	case 'd': parse_delay(state, arg, &t->delay); break;
	case 'b': t->batch = true; break;
	case OPT_ROWS: parse_number(state, arg, 0, &t->rows); break;
	case OPT_REQUESTS:
		t->options.requests = &t->config;
		t->state.has_requests = t->state.requests = true;
		break;
	case OPT_NO_FOLLOW: t->options.no_follow = true; break;
	case ARGP_KEY_ARG: argp_error(state, "what is '%s'? A PID wants -p", arg); break;
	case OPT_KERNEL: t->options.kernel_mode = t->state.kernel = true; break;
	case ARGP_KEY_END: check_arguments(state, t); break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static volatile sig_atomic_t stopping;

static void on_signal(int sig)
{
	stopping = sig;
}

static void signals_catch(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction stop = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* One PID that cannot be measured is an error; one of many is a warning. */
static int attach_all(struct top *t)
{
	unsigned attached = 0;
	char why[512];
	int err = -ESRCH;

	if (t->options.everyone) {
		err = session_everyone(t->session, why, sizeof(why));
		if (err)
			fprintf(stderr, "pycost top: %s\n", why);
		return err;
	}
	if (!t->targets.n)
		fprintf(stderr, "pycost top: no process matches\n");
	for (size_t i = 0; i < t->targets.n && !stopping; i++) {
		err = session_attach(t->session, t->targets.v[i], why, sizeof(why));
		if (!err)
			attached++;
		else
			fprintf(stderr, "%spycost top: %d: %s\n", t->batch ? "" : "\n",
				t->targets.v[i], why);
	}
	return attached ? 0 : err;
}

/* What is shown, of the figures that are there. */
static int show(struct top *t)
{
	struct interval v;
	static const struct moment start;
	int err = interval_compute(t->profile, t->state.totals ? &start : &t->previous, &v);

	if (err)
		return err;
	interval_free(&t->shown);
	t->shown = v;
	t->has_shown = true;
	t->state.sampled = report_is_sampled(&v.report);
	return 0;
}

static int print_table(struct top *t)
{
	struct session_status st;
	int err;

	session_status(t->session, &st);
	err = top_print_batch(stdout, &t->shown, &st, &t->state, t->rows);
	putchar('\n');
	if (!err && (fflush(stdout) || ferror(stdout)))
		err = errno ? -errno : -EIO;
	return err;
}

static int draw(struct top *t)
{
	struct session_status st;

	session_status(t->session, &st);
	if (t->finished && !*t->message)
		snprintf(t->message, sizeof(t->message),
			 "all processes have ended: these are the last figures  q quit");
	return top_screen_draw(t->has_shown ? &t->shown : NULL, &st, &t->state,
			       *t->message ? t->message : NULL);
}

static int moment(struct top *t)
{
	int err;

	moment_free(&t->previous);
	t->previous = t->latest;
	t->latest = (struct moment){0};
	err = moment_take(t->profile, &t->latest);
	if (!err)
		err = show(t);
	if (!err && t->batch)
		err = print_table(t);
	if (t->iterations && !--t->iterations)
		t->state.quit = true;
	return err;
}

static bool is_due(const struct top *t)
{
	return !t->state.paused &&
	       t->profile->duration_ns - t->latest.duration_ns + EARLY_NS >= (uint64_t)(t->delay * 1e9);
}

static void notices(struct top *t)
{
	const char *note;

	while ((note = session_notice(t->session)))
		if (t->batch)
			fprintf(stderr, "pycost top: %s\n", note);
		else
			snprintf(t->message, sizeof(t->message), "%s", note);
}

/* The last costs of processes that have all ended; the screen stays until q. */
static int finish(struct top *t)
{
	int err = session_finish(t->session);

	t->finished = true;
	t->state.paused = false;
	if (!err)
		err = moment(t);
	if (t->batch)
		t->state.quit = true;
	return err;
}

static int step(struct top *t)
{
	struct session_status st;
	int err = 0;

	if (t->finished) {
		poll(&(struct pollfd){STDIN_FILENO, POLLIN, 0}, 1, KEY_WAIT_MS);
		return 0;
	}
	err = session_poll(t->session, t->batch ? BATCH_WAIT_MS : KEY_WAIT_MS);
	if (err)
		return err;
	notices(t);
	session_status(t->session, &st);
	if (!st.targets && !t->options.everyone)
		return finish(t);
	return is_due(t) ? moment(t) : 0;
}

static int run(struct top *t)
{
	uint64_t drawn = 0;
	bool was_totals;
	int err = 0;

	if (!t->batch)
		err = draw(t);
	while (!err && !stopping && !t->state.quit) {
		bool stale;

		err = step(t);
		if (err || t->batch)
			continue;
		was_totals = t->state.totals;
		stale = top_screen_keys(&t->state);
		if (stale)
			*t->message = 0;
		if (t->state.totals != was_totals && t->has_shown)
			err = show(t);
		if (!err && (stale || drawn != t->latest.duration_ns + t->finished)) {
			drawn = t->latest.duration_ns + t->finished;
			err = draw(t);
		}
	}
	return err;
}

static int top(struct top *t)
{
	char why[512] = "";
	int err = profile_create(&t->profile);

	if (!err)
		err = session_open(&t->options, &t->profile->sink, &t->session, why, sizeof(why));
	if (err) {
		fprintf(stderr, "pycost top: %s\n", *why ? why : strerror(-err));
		return err;
	}
	/* A first interpreter is calibrated for some seconds. */
	if (!t->batch)
		fputs("attaching...", stderr);
	err = attach_all(t);
	if (!t->batch)
		fputs("\r\033[K", stderr);
	if (err || stopping)
		return err;
	if (!t->batch && top_screen_open())
		t->batch = true;
	err = run(t);
	top_screen_close();
	/* Whoever read it has seen enough. */
	if (err && err != -EPIPE)
		fprintf(stderr, "pycost top: %s\n", strerror(-err));
	return err == -EPIPE ? 0 : err;
}

int cmd_top(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{&targets_argp, 0, NULL, 0}, {&sample_argp, 0, NULL, 0},
		{&request_argp, 0, "What is known of requests:", 2}, {0}};
	static const struct argp argp = {options, parse, NULL, doc, children, NULL, NULL};
	struct top t = {.delay = 1, .rows = ROWS_DEFAULT};
	int err;

	setlocale(LC_ALL, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8"))
		setlocale(LC_CTYPE, "C.UTF-8");
	argp_err_exit_status = 2;
	err = request_config_init(&t.config);
	if (err) {
		fprintf(stderr, "pycost top: %s\n", strerror(-err));
		return EXIT_FAILURE;
	}
	argp_parse(&argp, argc, argv, 0, NULL, &t);
	t.batch |= !isatty(STDOUT_FILENO);
	signals_catch();
	err = top(&t);
	session_close(t.session);
	interval_free(&t.shown);
	moment_free(&t.previous);
	moment_free(&t.latest);
	profile_free(t.profile);
	targets_clear(&t.targets);
	request_config_clear(&t.config);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
