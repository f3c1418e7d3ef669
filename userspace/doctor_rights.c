// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "userspace/doctor.h"
#include "userspace/rights.h"

#define PARANOID "/proc/sys/kernel/perf_event_paranoid"

/* Before 5.11 maps are charged to RLIMIT_MEMLOCK, which has to be raised. */
static bool charges_memlock(void)
{
	struct utsname host;
	unsigned major, minor;

	uname(&host);
	return sscanf(host.release, "%u.%u", &major, &minor) == 2 &&
	       (major < 5 || (major == 5 && minor < 11));
}

static void check_needed(struct checkup *c, cap_t caps, cap_value_t value, const char *name,
			 const char *purpose)
{
	if (rights_has(caps, value))
		checkup_add(c, CHECK_OK, name, NULL, "effective");
	else if (rights_has(caps, CAP_SYS_ADMIN))
		checkup_add(c, CHECK_OK, name, NULL, "not effective, but CAP_SYS_ADMIN is");
	else
		checkup_add(c, CHECK_NO, name, "run as root, or with CAP_SYS_ADMIN", "%s is missing: it is needed to %s", name,
			    purpose);
}

static void check_helpful(struct checkup *c, cap_t caps, cap_value_t value, const char *name,
			  const char *purpose)
{
	if (rights_has(caps, value))
		checkup_add(c, CHECK_OK, name, NULL, "effective");
	else
		checkup_add(c, CHECK_WARN, name, "run as root or with it, if that is wanted",
			    "missing: it is needed to %s", purpose);
}

/* Who has CAP_PERFMON is not asked. */
static void check_paranoid(struct checkup *c, bool perfmon)
{
	char line[32];

	if (doctor_read_line(PARANOID, line, sizeof(line)))
		checkup_add(c, CHECK_WARN, "perf_event_paranoid",
			    "run a kernel with CONFIG_PERF_EVENTS", "it cannot be read");
	else if (perfmon)
		checkup_add(c, CHECK_OK, "perf_event_paranoid", NULL,
			    "%s, which does not bind CAP_PERFMON", line);
	else
		checkup_add(c, atoi(line) > 0 ? CHECK_WARN : CHECK_OK, "perf_event_paranoid",
			    atoi(line) > 0 ? "CAP_PERFMON, or sysctl kernel.perf_event_paranoid=0"
					   : NULL,
			    "%s: who has no CAP_PERFMON may %s", line,
			    atoi(line) > 2   ? "open no event at all, on Debian's kernels"
			    : atoi(line) > 0 ? "not count on whole CPUs"
					     : "count on whole CPUs");
}

void doctor_rights(struct doctor *d)
{
	struct checkup *c = &d->checkup;
	cap_t caps = cap_get_proc();

	check_needed(c, caps, CAP_BPF, "CAP_BPF", "load BPF programs");
	check_needed(c, caps, CAP_PERFMON, "CAP_PERFMON", "attach them to probes and counters");
	check_helpful(c, caps, CAP_SYS_PTRACE, "CAP_SYS_PTRACE",
		      "look at the processes of other users");
	check_helpful(c, caps, CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH",
		      "read source files that are not ours to read (Python before 3.11)");
	check_helpful(c, caps, CAP_SYS_CHROOT, "CAP_SYS_CHROOT",
		      "try the interpreters of processes in containers");
	if (charges_memlock())
		check_needed(c, caps, CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE",
			     "raise RLIMIT_MEMLOCK before Linux 5.11");
	check_paranoid(c, rights_has(caps, CAP_PERFMON) || rights_has(caps, CAP_SYS_ADMIN));
	cap_free(caps);
}
