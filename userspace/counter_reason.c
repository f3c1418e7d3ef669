// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/counter_reason.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/rights.h"

#define PARANOID "/proc/sys/kernel/perf_event_paranoid"
#define STATUS "/proc/self/status"

/*
 * Above 0 a counter of a whole CPU wants CAP_PERFMON: perf_allow_cpu() in
 * include/linux/perf_event.h.  Above 2, which only Debian's kernels and their kin
 * know, any event does.
 */
#define PARANOID_CPU 0
#define PARANOID_ANY 2

bool counter_seccomp_line(const char *line, bool *ret)
{
	int mode;

	if (sscanf(line, "Seccomp: %d", &mode) != 1)
		return false;
	*ret = mode != 0;
	return true;
}

static bool seccomp_read(void)
{
	FILE *f = fopen(STATUS, "re");
	bool on = false;
	char line[256];

	while (f && fgets(line, sizeof(line), f) && !counter_seccomp_line(line, &on))
		;
	if (f)
		fclose(f);
	return on;
}

void counter_rights_read(struct counter_rights *ret)
{
	cap_t caps = cap_get_proc();
	FILE *f = fopen(PARANOID, "re");

	*ret = (struct counter_rights){
		.perfmon = rights_has(caps, CAP_PERFMON) || rights_has(caps, CAP_SYS_ADMIN),
		.seccomp = seccomp_read(),
	};
	if (f) {
		ret->has_paranoid = fscanf(f, "%d", &ret->paranoid) == 1;
		fclose(f);
	}
	cap_free(caps);
}

enum obstacle {
	OBSTACLE_PARANOID, /* the sysctl asks for a capability */
	OBSTACLE_SECCOMP,
	OBSTACLE_OTHER, /* a security module, or a user namespace */
};

/* The kernel itself says -EACCES only; filters say -EPERM or -ENOSYS. */
static enum obstacle obstacle_of(int err, const struct counter_rights *r)
{
	if (r->seccomp && (err != -EACCES || r->perfmon))
		return OBSTACLE_SECCOMP;
	if (!r->perfmon && err != -ENOSYS && (!r->has_paranoid || r->paranoid > PARANOID_CPU))
		return OBSTACLE_PARANOID;
	return OBSTACLE_OTHER;
}

static void paranoid_text(const struct counter_rights *r, char *ret, size_t size)
{
	if (!r->has_paranoid)
		snprintf(ret, size, "no right to count instructions: run with CAP_PERFMON or lower "
				    "kernel.perf_event_paranoid");
	else
		snprintf(ret, size, "no right to count instructions: kernel.perf_event_paranoid is "
				    "%d%s: run with CAP_PERFMON or lower it to %d",
			 r->paranoid,
			 r->paranoid > PARANOID_ANY
				 ? ", with which Debian's kernels allow no event at all"
				 : "",
			 PARANOID_CPU);
}

static void rights_text(int err, const struct counter_rights *r, char *ret, size_t size)
{
	switch (obstacle_of(err, r)) {
	case OBSTACLE_PARANOID:
		paranoid_text(r, ret, size);
		break;
	case OBSTACLE_SECCOMP:
		snprintf(ret, size, "no right to count instructions: a seccomp filter forbids "
				    "perf_event_open, as containers' do: let it through, or run on "
				    "the host");
		break;
	case OBSTACLE_OTHER:
		if (err == -ENOSYS)
			snprintf(ret, size, "this kernel has no perf_event_open: it needs "
					    "CONFIG_PERF_EVENTS");
		else
			snprintf(ret, size, "no right to count instructions: a security module "
					    "forbids it, or the capability is one of a user "
					    "namespace: run on the host");
	}
}

void counter_reason_text(int err, const struct counter_rights *r, char *ret, size_t size)
{
	switch (err) {
	case -EACCES:
	case -EPERM:
	case -ENOSYS:
		rights_text(err, r, ret, size);
		break;
	case -EBUSY:
		snprintf(ret, size, "the instruction counter is taken by someone else (another "
				    "profiler, or the NMI watchdog)");
		break;
	case -ENODATA:
		snprintf(ret, size, "the instruction counter of this machine stands still (a "
				    "virtual machine with half a virtual PMU?)");
		break;
	case -ENXIO:
		snprintf(ret, size, "some CPUs of this machine show no instruction counter");
		break;
	case -ENOENT:
	case -ENODEV:
		snprintf(ret, size, "this machine shows no instruction counter (a virtual machine "
				    "without a virtual PMU?)");
		break;
	default:
		snprintf(ret, size, "the instruction counter cannot be opened: %s", strerror(-err));
	}
}

void counter_reason(int err, char *ret, size_t size)
{
	struct counter_rights rights;

	counter_rights_read(&rights);
	counter_reason_text(err, &rights, ret, size);
}

static const char *rights_mend(int err, const struct counter_rights *r)
{
	switch (obstacle_of(err, r)) {
	case OBSTACLE_PARANOID:
		return "run with CAP_PERFMON, or sysctl kernel.perf_event_paranoid=0";
	case OBSTACLE_SECCOMP:
		return "let perf_event_open through the container's filter (docker --cap-add "
		       "PERFMON, or --security-opt seccomp=PROFILE), or run on the host";
	case OBSTACLE_OTHER:
		break;
	}
	return err == -ENOSYS ? "run a kernel with CONFIG_PERF_EVENTS"
			      : "run on the host, and see the security module's log (SELinux: "
				"perf_event)";
}

void counter_mend_text(int err, const struct counter_rights *r, char *ret, size_t size)
{
	const char *mend = "look at what else uses the counters; until then costs are times";

	switch (err) {
	case -EACCES:
	case -EPERM:
	case -ENOSYS:
		mend = rights_mend(err, r);
		break;
	case -EBUSY:
		mend = "stop the other profiler, or sysctl kernel.nmi_watchdog=0";
		break;
	case -ENODATA:
	case -ENOENT:
	case -ENODEV:
		mend = "give the virtual machine a virtual PMU, or run on bare metal; until then "
		       "costs are times, which vary from run to run";
		break;
	case -ENXIO:
		mend = "take the CPUs without a counter offline, or have the firmware describe "
		       "their PMU";
		break;
	case -EMFILE:
	case -ENFILE:
		mend = "raise the limit of open files: ulimit -n 65536";
		break;
	}
	snprintf(ret, size, "%s", mend);
}
