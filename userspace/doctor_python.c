// SPDX-License-Identifier: GPL-2.0-or-later
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/interpreter.h"
#include "symbolizer/layout.h"
#include "userspace/build.h"
#include "userspace/doctor.h"
#include "userspace/sampling.h"
#include "userspace/survey.h"

static void check_interpreter(struct checkup *c, const struct interpreter *in)
{
	const char *slash = strrchr(in->target_path, '/');
	bool library = strstr(slash ? slash : in->target_path, ".so") != NULL;

	checkup_add(c, CHECK_OK, "interpreter", NULL, "%s: %s", in->target_path,
		    library ? "a shared library" : "linked into the program");
	if (*in->build_id)
		checkup_add(c, CHECK_OK, "build-id", NULL, "%s", in->build_id);
	else
		checkup_add(c, CHECK_WARN, "build-id", "link it with --build-id",
			    "none: a recording cannot say for certain which build it was");
}

/* What would do instead; sampling only where nothing is known to be in its way. */
static const char *build_mend(const struct interpreter *in)
{
	bool samples = !interpreter_sample_reason(in);

	if (in->machine != EM_X86_64 && in->machine != EM_AARCH64)
		return NULL;
	if (in->major != 3 || in->minor < 6 || in->minor > 15)
		return samples ? "run it under Python 3.6 to 3.15, or use --mode sample"
			       : "run it under Python 3.6 to 3.15";
	if (in->free_threaded)
		return samples ? "use a build with the GIL, or --mode sample"
			       : "use a build with the GIL";
	return samples ? "use a build configured --with-dtrace, such as Debian's, or --mode sample"
		       : "use a build configured --with-dtrace, such as Debian's";
}

/* False when no exact measurement is possible, whatever the probes do. */
static bool check_version(struct checkup *c, const struct interpreter *in)
{
	const char *why = interpreter_exact_reason(in);
	const char *threads = in->free_threaded ? "free-threaded" : "with the GIL";
	char version[32];

	interpreter_version(in, version, sizeof(version));
	checkup_add(c, CHECK_OK, "Python", NULL, "%s, %s", version, threads);
	if (why)
		checkup_add(c, CHECK_NO, "this build", build_mend(in), "%s", why);
	return !why;
}

/*
 * Notes prove nothing: the probes are live if they fire in a private child.
 * False when they do not.
 */
static bool check_probes(struct doctor *d, const struct interpreter *in, pid_t pid)
{
	struct checkup *c = &d->checkup;
	struct survey survey = {0};
	char why[512] = "";
	int err;

	if (in->probes == PROBES_SITES) {
		doctor_sites(c, in);
		return true;
	}
	if (in->probes != PROBES_NOTED) {
		checkup_add(c, CHECK_NO, "function probes",
			    build_mend(in),
			    "the function probes are absent from this build, and nothing does for "
			    "them");
		return false;
	}
	if (!d->kernel || !layout_for(in->minor)) {
		checkup_add(c, CHECK_WARN, "function probes", NULL,
			    "present; whether they are live could not be tried");
		return false;
	}
	err = survey_run(in, pid, &survey, why, sizeof(why));
	if (err)
		checkup_add(c, CHECK_NO, "function probes",
			    err == -EBUSY   ? "stop the other tracer"
			    : err == -EPERM ? "run as root, or with CAP_SYS_CHROOT"
					    : NULL,
			    "whether the function probes are live could not be tried: %s",
			    *why ? why : strerror(-err));
	else if (survey.entry_hits < SURVEY_CALLS || survey.return_hits < SURVEY_CALLS)
		checkup_add(c, CHECK_NO, "function probes", "use another build of Python, or --mode sample",
			    "the function probes are present but dead: %llu entries and %llu returns in over %d calls",
			    (unsigned long long)survey.entry_hits,
			    (unsigned long long)survey.return_hits, SURVEY_CALLS);
	else
		checkup_add(c, CHECK_OK, "function probes", NULL,
			    "present and live: %llu entries and %llu returns in over %d calls",
			    (unsigned long long)survey.entry_hits,
			    (unsigned long long)survey.return_hits, SURVEY_CALLS);
	return !err;
}

/* All that measuring does, but for switching the target's probes on. */
static void check_build(struct doctor *d, struct interpreter *in, pid_t pid)
{
	struct build *b = NULL;
	char why[512] = "";
	int err = build_open(d->kernel, in, pid, &b, why, sizeof(why));

	if (err)
		checkup_add(&d->checkup, CHECK_NO, "its programs",
			    err == -EINVAL || err == -EBUSY ? "stop the other tracer"
			    : err == -ENOTSUP ? "use another build of Python, or --mode sample"
					      : NULL, "%s",
			    why);
	else
		checkup_add(&d->checkup, CHECK_OK, "its programs", NULL,
			    "load, and attach to the probes of this build");
	build_close(b);
}

void doctor_python(struct doctor *d, struct interpreter *in, pid_t pid)
{
	bool wanted;

	check_interpreter(&d->checkup, in);
	wanted = check_version(&d->checkup, in);
	doctor_marks(&d->checkup, in);
	/* With probes it would be no better. */
	if (in->free_threaded)
		return;
	if (check_probes(d, in, pid) && wanted)
		check_build(d, in, pid);
}

void doctor_command(struct doctor *d, const char *command)
{
	struct interpreter in;
	int err = interpreter_open_path(command, getenv("PATH"), &in);

	if (err) {
		checkup_add(&d->checkup, CHECK_NO, "Python",
			    "name a Python interpreter, or a script with a #! line", "%s: %s",
			    command,
			    err == -ENOENT ? "no such command, or no CPython interpreter (a shell script "
					     "around one?)"
					   : strerror(-err));
		return;
	}
	doctor_python(d, &in, 0);
	interpreter_clear(&in);
}
