/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/sample_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/sample_event.h"
#include "userspace/session.h"

/* Of nanoseconds, 100,000 a second; and so many that none comes in a day. */
#define PERIOD_MIN 10000ull
#define PERIOD_MAX 1000000000000000ull

enum { OPT_MODE = 512, OPT_RATE, OPT_PERIOD, OPT_ALL, OPT_DEBUGINFOD };

static const struct argp_option options[] = {
	{"mode", OPT_MODE, "MODE", 0,
	 "exact (default): each call is measured; sample: stacks are looked at now and then", 1},
	{"rate", OPT_RATE, "HZ", 0,
	 "Samples a second on each busy CPU, up to 10000 (default: 99); by a hardware counter, one "
	 "each 3000000000/HZ instructions or cycles", 1},
	{"period", OPT_PERIOD, "N", 0, "A sample each N instructions, cycles or nanoseconds", 1},
	{"all", OPT_ALL, NULL, 0, "Sample every Python on this machine, those too that start later", 1},
	{"debuginfod", OPT_DEBUGINFOD, NULL, 0,
	 "Ask the servers of $DEBUGINFOD_URLS for the names of native functions that files lack", 1},
	{0},
};

static unsigned long long number_of(struct argp_state *state, const char *text,
				    unsigned long long least, unsigned long long most)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*end || end == text || *text == '-' || errno || n < least || n > most)
		argp_error(state, "'%s' is not a number from %llu to %llu", text, least, most);
	return n;
}

static void check(const struct session_options *o, struct argp_state *state)
{
	const char *sampling = o->everyone   ? "--all"
			       : o->rate     ? "--rate"
			       : o->period   ? "--period"
			       : o->debuginfod ? "--debuginfod" : NULL;

	if (o->no_samples && sampling && !o->everyone)
		argp_error(state, "%s is of samples, and --requests-only takes none", sampling);
	if (!o->sample && sampling)
		argp_error(state, "%s needs --mode sample", sampling);
	if (!o->sample || o->no_samples)
		return;
	if (o->rate && o->period)
		argp_error(state, "--rate and --period say the same: choose one");
	if (o->kernel_mode)
		argp_error(state, "--kernel is of exact mode: of samples by task-clock, each says "
				  "whether it was in the kernel");
	if (o->no_calibration)
		argp_error(state, "--no-calibration is of exact mode: samples have no probes to "
				  "calibrate");
	if (o->max_threads)
		argp_error(state, "--max-threads is of exact mode: samples know no such limit");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct session_options *o = state->input;

	switch (key) {
	case OPT_MODE:
		o->sample = !strcmp(arg, "sample");
		if (!o->sample && strcmp(arg, "exact"))
			argp_error(state, "'%s' is neither exact nor sample", arg);
		if (o->no_samples)
			argp_error(state, "--requests-only is a mode of its own: leave --mode out");
		return 0;
	case OPT_RATE:
		o->rate = number_of(state, arg, 1, SAMPLE_RATE_MAX);
		return 0;
	case OPT_PERIOD:
		o->period = number_of(state, arg, PERIOD_MIN, PERIOD_MAX);
		return 0;
	case OPT_ALL:
		o->everyone = true;
		return 0;
	case OPT_DEBUGINFOD:
		o->debuginfod = true;
		return 0;
	case ARGP_KEY_END:
		check(o, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp sample_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};
