// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/rights.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * CVE-2025-38466: perf's uprobes want CAP_SYS_ADMIN from Linux 6.16 and the
 * stable kernels of July 2025 on (commit ba677dbe77af).
 */
static const struct {
	cap_value_t value;
	const char *text;
	enum rights_mode mode; /* in which it matters */
} useful[] = {
	{CAP_SYS_ADMIN, "CAP_SYS_ADMIN to probe (CAP_BPF and CAP_PERFMON on kernels before July 2025)",
	 RIGHTS_EXACT},
	{CAP_BPF, "CAP_BPF to load programs", RIGHTS_SAMPLE},
	{CAP_PERFMON, "CAP_PERFMON to sample whole CPUs", RIGHTS_SAMPLE},
	{CAP_SYS_PTRACE, "CAP_SYS_PTRACE for processes of other users"},
	{CAP_SYS_CHROOT, "CAP_SYS_CHROOT for processes in containers"},
	{CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH for files in closed directories"},
};

bool rights_has(cap_t caps, cap_value_t value)
{
	cap_flag_value_t set = CAP_CLEAR;

	return caps && !cap_get_flag(caps, value, CAP_EFFECTIVE, &set) && set == CAP_SET;
}

void rights_explain(int err, enum rights_mode mode, char *text, size_t len)
{
	const char *between = ": run as root, or with ";
	cap_t caps = cap_get_proc();
	size_t used = strlen(text);

	for (size_t i = 0; (err == -EPERM || err == -EACCES) && i < sizeof(useful) / sizeof(*useful);
	     i++) {
		if ((useful[i].mode && useful[i].mode != mode) || rights_has(caps, useful[i].value) ||
		    used >= len)
			continue;
		used += snprintf(text + used, len - used, "%s%s", between, useful[i].text);
		between = ", ";
	}
	cap_free(caps);
}
