// SPDX-License-Identifier: GPL-2.0-or-later
#include <argp.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "userspace/commands.h"
#include "userspace/doctor.h"

struct options {
	const char *python;
	pid_t pid;
	bool json;
};

enum { OPT_FORMAT = 256 };

static const struct argp_option options[] = {
	{"pid", 'p', "PID|PYTHON", 0, "Look at this process, or at this interpreter", 0},
	{"format", OPT_FORMAT, "FORMAT", 0, "table or json", 0},
	{0},
};

static const char doc[] =
	"Say what this kernel, these rights and a target allow, and how to mend the rest.\v"
	"PYTHON is the path of an interpreter, its name in PATH, or a script with a #! line. "
	"Nothing is changed in a process that is looked at: trials run on private children of its "
	"interpreter.\n\n"
	"Examples:\n"
	"  pycost doctor              this machine\n"
	"  pycost doctor -p 1234      this machine and a process\n"
	"  pycost doctor -p python3.15 --format json\n\n"
	"The exit code is 0 when exact mode would work, else 1.\n";

/* Whole numbers are PIDs, everything else is a command. */
static void target_set(struct options *o, const char *arg, struct argp_state *state)
{
	char *end;
	long pid;

	if (o->pid || o->python)
		argp_error(state, "one target at a time: what is '%s'?", arg);
	errno = 0;
	pid = strtol(arg, &end, 10);
	if (*end || end == arg)
		o->python = arg;
	else if (errno || pid <= 0 || pid > INT_MAX)
		argp_error(state, "'%s' is not a PID", arg);
	else
		o->pid = pid;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'p':
	case ARGP_KEY_ARG:
		if (!*arg)
			argp_error(state, "an empty name is no target");
		target_set(o, arg, state);
		return 0;
	case OPT_FORMAT:
		o->json = !strcmp(arg, "json");
		if (!o->json && strcmp(arg, "table"))
			argp_error(state, "'%s' is neither table nor json", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int print(const struct checkup *c, bool json)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	bool terminal = isatty(STDOUT_FILENO);
	struct winsize size = {0};

	if (json)
		return checkup_print_json(c, stdout);
	if (terminal)
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	return checkup_print_table(c, stdout, size.ws_col,
				   terminal && !(no_color && *no_color) && term &&
					   strcmp(term, "dumb"));
}

int cmd_doctor(int argc, char **argv)
{
	static const struct argp argp = {options, parse, "[PYTHON]", doc, NULL, NULL, NULL};
	struct options o = {0};
	struct doctor d = {0};
	bool works;
	int err;

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8"))
		setlocale(LC_CTYPE, "C.UTF-8");
	/* A child that ends early must not end us. */
	signal(SIGPIPE, SIG_IGN);
	doctor_system(&d);
	doctor_rights(&d);
	doctor_uprobes(&d);
	doctor_counter(&d);
	doctor_programs(&d);
	doctor_requests(&d);
	if (o.pid)
		doctor_process(&d, o.pid);
	else if (o.python)
		doctor_command(&d, o.python);
	doctor_sampling(&d, o.pid, o.python);
	works = doctor_verdict(&d, o.pid, o.python);
	err = print(&d.checkup, o.json);
	if (!err && fflush(stdout))
		err = -errno;
	if (err && err != -EPIPE)
		fprintf(stderr, "pycost doctor: %s\n", strerror(-err));
	doctor_clear(&d);
	return works && !err ? EXIT_SUCCESS : EXIT_FAILURE;
}
