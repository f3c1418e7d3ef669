// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "userspace/counter.h"
#include "userspace/kernel.h"

/* The oldest kernel that this is tested on. */
#define KERNEL_MAJOR 5
#define KERNEL_MINOR 10

int doctor_read_line(const char *path, char *ret, size_t size)
{
	FILE *f = fopen(path, "re");
	int err = 0;

	if (!f)
		return -errno;
	if (fgets(ret, size, f))
		ret[strcspn(ret, "\n")] = 0;
	else
		err = ferror(f) ? -EIO : -ENODATA;
	fclose(f);
	return err;
}

bool doctor_release_is_new(const char *release)
{
	unsigned major, minor;

	if (sscanf(release, "%u.%u", &major, &minor) != 2)
		return false;
	return major > KERNEL_MAJOR || (major == KERNEL_MAJOR && minor >= KERNEL_MINOR);
}

bool doctor_bracketed(const char *line, char *ret, size_t size)
{
	const char *start = strchr(line, '['), *end = start ? strchr(start, ']') : NULL;

	if (!end || (size_t)(end - start) > size)
		return false;
	memcpy(ret, start + 1, end - start - 1);
	ret[end - start - 1] = 0;
	return true;
}

bool doctor_verdict(struct doctor *d, pid_t pid, const char *command)
{
	const struct check *refusal = checkup_refusal(&d->checkup);
	enum metric metric = d->counter ? counter_metric(d->counter) : METRIC_TASK_CLOCK;
	static const char *const sampling[] = {
		[SAMPLING_FAILS] = "sampling does not work",
		[SAMPLING_LOADS] = "sampling loads, its stacks could not be tried",
		[SAMPLING_WORKS] = "sampling works",
	};
	char whom[4200] = "on this machine", finding[512], mend[512];

	if (pid)
		snprintf(whom, sizeof(whom), "for PID %d", pid);
	else if (command)
		snprintf(whom, sizeof(whom), "for %s", command);
	if (!refusal) {
		checkup_add(&d->checkup, CHECK_OK, "verdict", NULL,
			    "exact mode works %s and counts %s%s; %s", whom, metric_name(metric),
			    metric == METRIC_TASK_CLOCK ? " (time, not instructions)" : "",
			    sampling[d->sampling]);
		return true;
	}
	/* The list may move as it grows. */
	snprintf(finding, sizeof(finding), "%s", refusal->finding);
	snprintf(mend, sizeof(mend), "%s", refusal->mend ? refusal->mend : "");
	if (!*mend && d->sampling)
		snprintf(mend, sizeof(mend), "record --mode sample");
	checkup_add(&d->checkup, CHECK_NO, "verdict", *mend ? mend : NULL,
		    "exact mode does not work %s: %s; %s", whom, finding, sampling[d->sampling]);
	return false;
}

void doctor_clear(struct doctor *d)
{
	kernel_close(d->kernel);
	counter_close(d->counter);
	checkup_clear(&d->checkup);
	*d = (struct doctor){0};
}
