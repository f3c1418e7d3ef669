/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this kernel, these rights and a target allow.
 *
 * Where it can be tried, it is tried: that a thing is supported means that it
 * loaded, attached or fired here just now.  What is only read (a version, a
 * sysctl) explains a failed trial and by itself forbids nothing.  Targets are
 * looked at and not touched: trials run on private children.
 */
#ifndef PYCOST_DOCTOR_H
#define PYCOST_DOCTOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "userspace/checkup.h"

struct counter;
struct interpreter;
struct kernel;

/* What the trial of sampling has come to. */
enum doctor_sampling {
	SAMPLING_FAILS = 0,
	SAMPLING_LOADS, /* but no stack could be tried */
	SAMPLING_WORKS,
};

struct doctor {
	struct checkup checkup;
	struct counter *counter; /* NULL: none could be opened */
	struct kernel *kernel;	 /* NULL: the programs do not load here */
	enum doctor_sampling sampling;
};

/* The finding of a "no" is what the verdict quotes: it has to stand alone. */
void doctor_system(struct doctor *d); /* the kernel as it is configured */
void doctor_rights(struct doctor *d); /* what we may do */
void doctor_uprobes(struct doctor *d);
void doctor_counter(struct doctor *d);
void doctor_programs(struct doctor *d); /* after the counter: they need it */

void doctor_requests(struct doctor *d); /* likewise; never a "no" */

/* A process and the Python in it. */
void doctor_process(struct doctor *d, pid_t pid);
/* An interpreter on disk: a path, or a name in PATH. */
void doctor_command(struct doctor *d, const char *command);
/* Their common part; pid 0: it does not run. */
void doctor_python(struct doctor *d, struct interpreter *in, pid_t pid);

/* Where entries and returns are probed in an interpreter with PROBES_SITES. */
void doctor_sites(struct checkup *c, const struct interpreter *in);
/* Whether its imports, collections and audit events can be seen: never a "no". */
void doctor_marks(struct checkup *c, const struct interpreter *in);

/* Whether --mode sample would work, for a target if there is one: never a "no". */
void doctor_sampling(struct doctor *d, pid_t pid, const char *command);

/* Adds the verdict on both modes as the last check; true when exact mode would work. */
bool doctor_verdict(struct doctor *d, pid_t pid, const char *command);

void doctor_clear(struct doctor *d);

/* The kinds of CPU that a directory such as CPU_KINDS_DIR tells. */
void doctor_cpu_kinds(struct checkup *c, const char *dir);

/* The first line of a file under /proc or /sys without its newline; -errno. */
int doctor_read_line(const char *path, char *ret, size_t size);

/* "5.10.0-28-amd64" is 5.10 or later. */
bool doctor_release_is_new(const char *release);
/* "none" of "[none] integrity confidentiality"; false for anything else. */
bool doctor_bracketed(const char *line, char *ret, size_t size);

#endif
