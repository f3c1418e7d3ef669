// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/counter.h"
#include "userspace/doctor.h"

#define PMUS "/sys/bus/event_source/devices"
#define WATCHDOG "/proc/sys/kernel/nmi_watchdog"

static const char *mend_of(int err)
{
	switch (err) {
	case -EACCES:
	case -EPERM:
		return "run with CAP_PERFMON, or sysctl kernel.perf_event_paranoid=0";
	case -EBUSY:
		return "stop the other profiler, or sysctl kernel.nmi_watchdog=0";
	default:
		return "give the virtual machine a virtual PMU, or run on bare metal; until then "
		       "costs are times, which vary from run to run";
	}
}

/* Tries instructions by name: that tells the reason when they are not to be had. */
static void check_metric(struct doctor *d)
{
	int err = counter_open(METRIC_INSTRUCTIONS, &d->counter), first = err;

	if (!err) {
		checkup_add(&d->checkup, CHECK_OK, "hardware counter", NULL,
			    "%s on every CPU that is online", metric_name(METRIC_INSTRUCTIONS));
		return;
	}
	d->counter = NULL;
	err = counter_open(0, &d->counter);
	if (err) {
		d->counter = NULL;
		checkup_add(&d->checkup, CHECK_NO, "hardware counter", mend_of(err),
			    "none, and no clock either: %s", strerror(-err));
		return;
	}
	checkup_add(&d->checkup, CHECK_WARN, "hardware counter", mend_of(first), "%s; %s is used",
		    counter_reason(first), metric_name(counter_metric(d->counter)));
}

/* "cpu" is the one kind of CPU most machines have. */
static bool is_cpu_kind(const char *name)
{
	return !strncmp(name, "cpu_", 4) || !strncmp(name, "armv", 4);
}

static void check_hybrid(struct checkup *c)
{
	char kinds[256] = "";
	unsigned n = 0;
	struct dirent *e;
	DIR *d = opendir(PMUS);

	if (!d)
		return;
	while ((e = readdir(d))) {
		if (!is_cpu_kind(e->d_name))
			continue;
		if (strlen(kinds) + strlen(e->d_name) + 3 > sizeof(kinds))
			break;
		strcat(kinds, n++ ? ", " : "");
		strcat(kinds, e->d_name);
	}
	closedir(d);
	if (n > 1)
		checkup_add(c, CHECK_WARN, "kinds of CPU",
			    "count instructions, or keep the target on one kind (taskset)",
			    "%s count apart: cycles of one are no cycles of the other", kinds);
	else if (n)
		checkup_add(c, CHECK_OK, "kinds of CPU", NULL, "%s", kinds);
}

/* It occupies one counter of each CPU for good. */
static void check_watchdog(struct checkup *c, bool has_pmu)
{
	char line[16];

	if (doctor_read_line(WATCHDOG, line, sizeof(line)))
		return;
	if (atoi(line) && has_pmu)
		checkup_add(c, CHECK_WARN, "NMI watchdog", "sysctl kernel.nmi_watchdog=0",
			    "it holds a counter on each CPU: ours may have to share the rest");
	else
		checkup_add(c, CHECK_OK, "NMI watchdog", NULL, "%s",
			    atoi(line) ? "on, but there is no counter to hold" : "off");
}

void doctor_counter(struct doctor *d)
{
	check_metric(d);
	check_hybrid(&d->checkup);
	check_watchdog(&d->checkup,
		       d->counter && counter_metric(d->counter) != METRIC_TASK_CLOCK);
}
