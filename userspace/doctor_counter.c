// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "userspace/counter.h"
#include "userspace/counter_reason.h"
#include "userspace/cpu_kinds.h"
#include "userspace/doctor.h"

#define WATCHDOG "/proc/sys/kernel/nmi_watchdog"
/* Long enough for what shares the PMU to take turns. */
#define SHARE_US 100000

/* Others may come and go: this is of a tenth of a second. */
static void check_share(struct doctor *d)
{
	double share;

	counter_start(d->counter);
	usleep(SHARE_US);
	share = counter_running(d->counter);
	if (share == 1)
		checkup_add(&d->checkup, CHECK_OK, "hardware counter", NULL,
			    "%s: it counts on every CPU that is online",
			    metric_name(METRIC_INSTRUCTIONS));
	else
		checkup_add(&d->checkup, CHECK_WARN, "hardware counter",
			    "stop the other profiler, or sysctl kernel.nmi_watchdog=0",
			    "%s: shared with others, and on the PMU %.1f %% of the time: costs "
			    "would be parts only",
			    metric_name(METRIC_INSTRUCTIONS), 100 * share);
}

/* Tries instructions by name: that tells the reason when they are not to be had. */
static void check_metric(struct doctor *d)
{
	int err = counter_open(METRIC_INSTRUCTIONS, &d->counter), first = err;
	struct counter_rights rights;
	char reason[256], mend[256];

	if (!err) {
		check_share(d);
		return;
	}
	d->counter = NULL;
	counter_rights_read(&rights);
	counter_reason_text(first, &rights, reason, sizeof(reason));
	counter_mend_text(first, &rights, mend, sizeof(mend));
	err = counter_open(0, &d->counter);
	if (err) {
		d->counter = NULL;
		checkup_add(&d->checkup, CHECK_NO, "hardware counter", mend,
			    "none, and no clock either: %s", strerror(-err));
		return;
	}
	checkup_add(&d->checkup, CHECK_WARN, "hardware counter", mend, "%s; %s is used", reason,
		    metric_name(counter_metric(d->counter)));
}

void doctor_cpu_kinds(struct checkup *c, const char *dir)
{
	struct cpu_kinds *kinds = calloc(1, sizeof(*kinds));
	char names[256];
	int err = kinds ? cpu_kinds_read(dir, kinds) : -ENOMEM;

	if (err) {
		checkup_add(c, CHECK_WARN, "kinds of CPU", "mount sysfs on /sys here",
			    "they cannot be read from %s: %s", dir, strerror(-err));
		free(kinds);
		return;
	}
	cpu_kinds_names(kinds, names, sizeof(names));
	if (cpu_kinds_mixed(kinds))
		checkup_add(c, CHECK_WARN, "kinds of CPU",
			    "count instructions, or keep the target on one kind (taskset)",
			    "%s have a PMU each, and all are counted: instructions of all add up, "
			    "cycles of one are no cycles of the other, and a calibration in cycles "
			    "or time holds for the kind it ran on",
			    names);
	else
		checkup_add(c, CHECK_OK, "kinds of CPU", NULL, "%s",
			    *names ? names : "all CPUs are alike");
	free(kinds);
}

/* It occupies one counter of each CPU for good; whether that hurts was just tried. */
static void check_watchdog(struct checkup *c, bool has_pmu)
{
	char line[16];

	if (doctor_read_line(WATCHDOG, line, sizeof(line)))
		return;
	if (!atoi(line))
		checkup_add(c, CHECK_OK, "NMI watchdog", NULL, "off");
	else
		checkup_add(c, CHECK_OK, "NMI watchdog", NULL, "on: %s",
			    has_pmu ? "it holds a counter of each CPU, and leaves us one"
				    : "it may hold a counter of each CPU");
}

void doctor_counter(struct doctor *d)
{
	check_metric(d);
	doctor_cpu_kinds(&d->checkup, CPU_KINDS_DIR);
	check_watchdog(&d->checkup,
		       d->counter && counter_metric(d->counter) != METRIC_TASK_CLOCK);
}
