// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/procmap.h"
#include "userspace/doctor.h"
#include "userspace/perf_event.h"

#define UPROBE_PMU "/sys/bus/event_source/devices/uprobe"

/* Ours, never called: a place for a probe that harms nobody. */
static __attribute__((noinline, used)) void landing(void)
{
	__asm__ volatile("nop");
}

/* The file offset of the landing place. */
static int landing_offset(uint64_t *ret)
{
	uint64_t address = (uintptr_t)landing;
	char *line = NULL;
	size_t size = 0;
	int err = -ENOENT;
	ssize_t n;
	FILE *f = fopen("/proc/self/maps", "re");

	if (!f)
		return -errno;
	while (err && (n = getline(&line, &size, f)) > 0) {
		struct procmap map;

		if (procmap_parse(line, line[n - 1] == '\n' ? n - 1 : n, &map) ||
		    address < map.start || address >= map.end)
			continue;
		*ret = address - map.start + map.offset;
		err = 0;
	}
	free(line);
	fclose(f);
	return err;
}

/* Opens a probe on ourselves and closes it. */
static int uprobe_try(int type)
{
	struct perf_event_attr attr = {.size = sizeof(attr), .type = type};
	uint64_t offset = 0;
	int fd, err = landing_offset(&offset);

	if (err)
		return err;
	attr.uprobe_path = (uintptr_t)"/proc/self/exe";
	attr.probe_offset = offset;
	fd = perf_event_open_task(&attr, 0);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/*
 * CAP_PERFMON was enough from 5.8 on until ba677dbe77af ("perf: Revert to
 * requiring CAP_SYS_ADMIN for uprobes", 6.16), which went to all stable kernels.
 */
static void check_trial(struct checkup *c, int type)
{
	int err = uprobe_try(type);

	if (!err)
		checkup_add(c, CHECK_OK, "uprobes", NULL, "one could be opened, on ourselves");
	else if (err == -EACCES || err == -EPERM)
		checkup_add(c, CHECK_NO, "uprobes",
			    "run as root, or with CAP_SYS_ADMIN: since July 2025 (Linux 6.16 and "
			    "all stable kernels) CAP_PERFMON is not enough",
			    "no right to open uprobes");
	else
		checkup_add(c, CHECK_NO, "uprobes", NULL, "no uprobe could be opened: %s",
			    strerror(-err));
}

void doctor_uprobes(struct doctor *d)
{
	struct checkup *c = &d->checkup;
	char line[64];
	int err = doctor_read_line(UPROBE_PMU "/type", line, sizeof(line));

	if (err) {
		checkup_add(c, CHECK_NO, "uprobes",
			    "run a kernel with CONFIG_UPROBE_EVENTS, and with /sys mounted",
			    "no uprobes: %s: %s", UPROBE_PMU "/type", strerror(-err));
		return;
	}
	check_trial(c, atoi(line));
	err = doctor_read_line(UPROBE_PMU "/format/ref_ctr_offset", line, sizeof(line));
	if (err)
		checkup_add(c, CHECK_NO, "uprobe semaphores", "run Linux 5.10 or later",
			    "this kernel cannot switch a probe's semaphore on: no "
			    "ref_ctr_offset (%s)",
			    strerror(-err));
	else
		checkup_add(c, CHECK_OK, "uprobe semaphores", NULL, "ref_ctr_offset is %s", line);
}
