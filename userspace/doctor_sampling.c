// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether sampling works: the events open, the programs load, a target's frames can be
 * walked.  It needs less than exact mode, so nothing here forbids that.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/interpreter.h"
#include "userspace/counter_reason.h"
#include "userspace/doctor.h"
#include "userspace/sample_event.h"
#include "userspace/sampling.h"

#define MAX_RATE "/proc/sys/kernel/perf_event_max_sample_rate"
#define TIME_PERCENT "/proc/sys/kernel/perf_cpu_time_max_percent"

/* False: there are none, and it is said why. */
static bool check_events(struct checkup *c)
{
	struct sample_events *events;
	int err = sample_events_open(0, 0, 0, &events);
	char why[256];

	if (err) {
		counter_reason(err, why, sizeof(why));
		checkup_add(c, CHECK_WARN, "sampling events",
			    "run with CAP_PERFMON, or sysctl kernel.perf_event_paranoid=0", "none: %s",
			    why);
		return false;
	}
	if (sample_events_metric(events) == METRIC_TASK_CLOCK)
		checkup_add(c, CHECK_OK, "sampling events", NULL,
			    "cpu-clock, one each %.3g ms by default (time, not instructions)",
			    sample_events_period(events) / 1e6);
	else
		checkup_add(c, CHECK_OK, "sampling events", NULL, "%s, one each %llu by default",
			    metric_name(sample_events_metric(events)),
			    (unsigned long long)sample_events_period(events));
	sample_events_close(events);
	return true;
}

/* The kernel lowers the one by itself when interrupts take more than the other allows. */
static void check_limits(struct checkup *c)
{
	char rate[32], percent[32];

	if (doctor_read_line(MAX_RATE, rate, sizeof(rate)) ||
	    doctor_read_line(TIME_PERCENT, percent, sizeof(percent)))
		return;
	if (atoi(rate) < SAMPLE_RATE_MAX)
		checkup_add(c, CHECK_WARN, "sampling rate",
			    "sysctl kernel.perf_event_max_sample_rate=100000, if more is wanted",
			    "above %s a second on a CPU the kernel holds samples back", rate);
	else
		checkup_add(c, CHECK_OK, "sampling rate", NULL,
			    "up to %s a second on a CPU, in up to %s %% of its time", rate, percent);
}

static int target_find(pid_t pid, const char *command, struct interpreter *ret)
{
	return pid ? interpreter_find(pid, ret)
		   : interpreter_open_path(command, getenv("PATH"), ret);
}

/* Loads the walker of a target's interpreter, and runs it on a private child. */
static int walker_try(struct sampling *s, pid_t pid, const char *command,
		      enum doctor_sampling *ret, char *text, size_t len)
{
	char why[256];
	struct sampled_build *b;
	struct interpreter in;
	int err = target_find(pid, command, &in);

	if (err) {
		interpreter_explain(err, text, len);
		return err;
	}
	err = sampling_build(s, &in, pid, &b, text, len);
	if (!err)
		err = sampling_prove(s, b, pid, text, len);
	if (!err && b->proved) {
		*ret = SAMPLING_WORKS;
		snprintf(text, len, "works: the frames of Python %s are walked", b->version);
	} else if (!err) {
		snprintf(why, sizeof(why), "%s", text);
		snprintf(text, len, "the programs for Python %s load, but %s", b->version, why);
	}
	interpreter_clear(&in);
	return err;
}

void doctor_sampling(struct doctor *d, pid_t pid, const char *command)
{
	struct checkup *c = &d->checkup;
	struct sampling *s = NULL;
	char text[512] = "works: the programs load";
	int err;

	if (!check_events(c))
		return;
	check_limits(c);
	err = sampling_open(1, true, -1, &s, text, sizeof(text));
	d->sampling = pid || command ? SAMPLING_LOADS : SAMPLING_WORKS;
	if (!err && (pid || command))
		err = walker_try(s, pid, command, &d->sampling, text, sizeof(text));
	if (err)
		d->sampling = SAMPLING_FAILS;
	checkup_add(c, d->sampling == SAMPLING_WORKS ? CHECK_OK : CHECK_WARN, "sampling",
		    !err			       ? NULL
		    : err == -EPERM || err == -EACCES ? "run as root, or with CAP_BPF, CAP_PERFMON and, "
							"for other users' processes, CAP_SYS_PTRACE"
						      : NULL,
		    "%s", text);
	sampling_close(s);
}
