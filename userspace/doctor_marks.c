/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an interpreter says of itself, beside its functions. */
#include <stdio.h>

#include "symbolizer/interpreter.h"
#include "userspace/doctor.h"
#include "userspace/semaphore.h"

static const char mend[] = "use a build configured --with-dtrace, such as Debian's";

static void check_pair(struct checkup *c, const struct interpreter *in, const char *what,
		       enum semaphore_use start, enum semaphore_use done, const char *probes)
{
	if (semaphore_of(in, start) && semaphore_of(in, done))
		checkup_add(c, CHECK_OK, what, NULL, "visible: it has the probes %s", probes);
	else
		checkup_add(c, CHECK_WARN, what, mend,
			    "not visible: this interpreter has no probes for them");
}

static void check_audit(struct checkup *c, const struct interpreter *in)
{
	if (semaphore_of(in, SEMAPHORE_AUDIT))
		checkup_add(c, CHECK_OK, "marks", NULL,
			    "readable with --marks: it has the probe audit");
	else if (in->major == 3 && in->minor >= 0 && in->minor < 8)
		checkup_add(c, CHECK_WARN, "marks", "run it under Python 3.8 or later",
			    "not readable: Python %d.%d has no audit events", in->major, in->minor);
	else
		checkup_add(c, CHECK_WARN, "marks", mend,
			    "not readable: this interpreter has no probe for audit events");
}

/* Each of them raises a semaphore, and wants a place of its own for that. */
static void check_cold(struct checkup *c, const struct interpreter *in)
{
	if (!in->others.n || in->cold.n >= SEMAPHORE_USES)
		return;
	checkup_add(c, CHECK_WARN, "places for semaphores", NULL,
		    "%zu of %d: its file has an unusual beginning and end, so not all its probes can "
		    "be switched on at once", in->cold.n, SEMAPHORE_USES);
}

void doctor_marks(struct checkup *c, const struct interpreter *in)
{
	check_pair(c, in, "collections", SEMAPHORE_GC_START, SEMAPHORE_GC_DONE,
		   "gc__start and gc__done");
	check_pair(c, in, "imports", SEMAPHORE_IMPORT_START, SEMAPHORE_IMPORT_DONE,
		   "import__find__load__start and __done");
	check_audit(c, in);
	check_cold(c, in);
}
