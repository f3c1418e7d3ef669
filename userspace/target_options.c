// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "userspace/targets.h"

enum { OPT_MATCH = 256, OPT_CGROUP };

static const struct argp_option options[] = {
	{"pid", 'p', "PID[,PID...]", 0, "Attach to these running processes", 0},
	{"match", OPT_MATCH, "REGEX", 0, "Attach to every Python whose command line matches", 0},
	{"cgroup", OPT_CGROUP, "PATH", 0, "Attach to every Python in this cgroup", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct targets *t = state->input;
	char why[128] = "";
	int err;

	switch (key) {
	case 'p':
		err = targets_add_list(t, arg);
		if (err == -EINVAL)
			argp_error(state, "'%s' is not a list of PIDs", arg);
		break;
	case OPT_MATCH:
		err = targets_add_matching(t, arg, why, sizeof(why));
		if (err == -EINVAL)
			argp_error(state, "'%s' is no regular expression: %s", arg, why);
		break;
	case OPT_CGROUP:
		err = targets_add_cgroup(t, arg);
		if (err == -ENOENT)
			argp_error(state, "no cgroup '%s'", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	t->asked = true;
	return -err;
}

const struct argp targets_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};
