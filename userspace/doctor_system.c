// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "userspace/doctor.h"
#include "userspace/kernel.h"

#define BTF "/sys/kernel/btf/vmlinux"
/* A process that is followed takes two. */
#define FILES_ENOUGH 1024

static void check_release(struct checkup *c)
{
	struct utsname host;

	uname(&host);
	if (doctor_release_is_new(host.release))
		checkup_add(c, CHECK_OK, "kernel", NULL, "Linux %s", host.release);
	else
		checkup_add(c, CHECK_WARN, "kernel", "run Linux 5.10 or later",
			    "Linux %s is older than 5.10, the oldest that is tested",
			    host.release);
}

static void check_btf(struct checkup *c)
{
	if (!faccessat(AT_FDCWD, BTF, R_OK, AT_EACCESS))
		checkup_add(c, CHECK_OK, "BTF", NULL, "%s can be read", BTF);
	else
		checkup_add(c, CHECK_NO, "BTF",
			    errno == ENOENT ? "run a kernel with CONFIG_DEBUG_INFO_BTF, as Debian's "
					      "from 5.10 on"
					    : "let " BTF " be read: mount /sys here",
			    "%s: %s", BTF, strerror(errno));
}

/* Only confidentiality keeps programs from reading the kernel's structs. */
static void check_lockdown(struct checkup *c)
{
	char line[128], mode[64];
	int err = doctor_read_line("/sys/kernel/security/lockdown", line, sizeof(line));

	if (err == -ENOENT)
		checkup_add(c, CHECK_OK, "lockdown", NULL, "this kernel has none");
	else if (err || !doctor_bracketed(line, mode, sizeof(mode)))
		checkup_add(c, CHECK_WARN, "lockdown", NULL, "its mode cannot be read: %s",
			    strerror(err ? -err : EPROTO));
	else if (!strcmp(mode, "confidentiality"))
		checkup_add(c, CHECK_WARN, "lockdown",
			    "boot with lockdown=integrity, if the programs do not load",
			    "confidentiality: programs may not read the kernel's memory");
	else
		checkup_add(c, CHECK_OK, "lockdown", NULL, "%s", mode);
}

static void check_pid_namespace(struct checkup *c)
{
	if (kernel_pids_are_ours())
		checkup_add(c, CHECK_OK, "PID namespace", NULL, "the initial one");
	else
		checkup_add(c, CHECK_NO, "PID namespace",
			    "run pycost on the host, or in a container with the host's PID "
			    "namespace (docker --pid=host, hostPID: true)",
			    "not the host's: no call would be seen");
}

static void check_files(struct checkup *c)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	if (files.rlim_max == RLIM_INFINITY)
		checkup_add(c, CHECK_OK, "open files", NULL, "no limit");
	else
		checkup_add(c, files.rlim_max < FILES_ENOUGH ? CHECK_WARN : CHECK_OK, "open files",
			    files.rlim_max < FILES_ENOUGH ? "raise the hard limit: ulimit -Hn 65536"
							  : NULL,
			    "hard limit %llu: enough to follow %llu processes at a time",
			    (unsigned long long)files.rlim_max,
			    (unsigned long long)files.rlim_max / 2);
}

void doctor_system(struct doctor *d)
{
	check_release(&d->checkup);
	check_btf(&d->checkup);
	check_lockdown(&d->checkup);
	check_pid_namespace(&d->checkup);
	check_files(&d->checkup);
}
