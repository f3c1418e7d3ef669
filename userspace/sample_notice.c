/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/sample_notice.h"

#include <stdio.h>
#include <string.h>

#include "userspace/counter_reason.h"
#include "userspace/counter_share.h"
#include "userspace/sample_event.h"

static const char *sysctl_read(const char *name, char *ret, size_t size)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	f = fopen(path, "re");
	if (!f || !fgets(ret, size, f))
		snprintf(ret, size, "not known");
	ret[strcspn(ret, "\n")] = 0;
	if (f)
		fclose(f);
	return ret;
}

void sample_notice(struct sample_events *e, struct sample_notices *told, char *notice,
		   size_t size)
{
	int err = sample_events_follow_cpus(e);
	char why[256];

	if (*notice)
		return;
	if (err && !told->told_unsampled) {
		told->told_unsampled = true;
		counter_reason(err, why, sizeof(why));
		snprintf(notice, size,
			 "a CPU came online, and what runs there is not sampled: %s", why);
	} else if (!told->told_throttled && sample_events_throttled(e)) {
		told->told_throttled = true;
		snprintf(notice, size,
			 "the kernel holds sampling back, and samples are missing: a lower --rate, or "
			 "sysctl kernel.perf_event_max_sample_rate (%s) and "
			 "kernel.perf_cpu_time_max_percent, would do",
			 sysctl_read("perf_event_max_sample_rate", why, sizeof(why)));
	} else if (!told->told_shared && sample_events_running(e) < 1) {
		told->told_shared = true;
		snprintf(notice, size, "%s", counter_share_notice());
	}
}
