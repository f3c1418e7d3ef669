/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why a counter is not to be had, and how to mend it, in words. */
#ifndef PYCOST_COUNTER_REASON_H
#define PYCOST_COUNTER_REASON_H

#include <stdbool.h>
#include <stddef.h>

/* What the words depend on besides the error of counter_open(). */
struct counter_rights {
	bool has_paranoid;
	int paranoid; /* kernel.perf_event_paranoid */
	bool perfmon; /* CAP_PERFMON or CAP_SYS_ADMIN is effective */
	bool seccomp; /* a filter of system calls is on this process */
};

/* Of this process, from /proc. */
void counter_rights_read(struct counter_rights *ret);
/* The mode of a line of /proc/PID/status such as "Seccomp:	2": proc_pid_status(5). */
bool counter_seccomp_line(const char *line, bool *ret);

/*
 * One plain sentence without an end, such as "this machine shows no instruction
 * counter …"; with the mend in it where rights are what is missing.
 */
void counter_reason_text(int err, const struct counter_rights *rights, char *ret, size_t size);
/* The same for this process as it is. */
void counter_reason(int err, char *ret, size_t size);

/* What to do about it, for those who look at one thing after the other. */
void counter_mend_text(int err, const struct counter_rights *rights, char *ret, size_t size);

#endif
