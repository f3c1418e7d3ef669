/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kinds of CPU that a machine has, each with a PMU of its own: Intel's P and
 * E cores (cpu_core, cpu_atom), Arm's big and little ones (armv8_cortex_a72 …).
 *
 * A PMU of CPUs has a file `cpus` beside its `type`, other PMUs have none or a
 * `cpumask` (drivers/perf/arm_pmu.c, arch/x86/events/intel/core.c: attribute
 * "cpus"; perf's own test, is_sysfs_pmu_core() in tools/perf/util/pmu.c, is the
 * same).  Where all CPUs are alike, x86 shows one PMU, `cpu`, without that file.
 */
#ifndef PYCOST_CPU_KINDS_H
#define PYCOST_CPU_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPU_KINDS_DIR "/sys/bus/event_source/devices"
#define CPU_KINDS_ONLINE "/sys/devices/system/cpu/online"

/* The most that x86's and arm64's Kconfig allow (NR_CPUS_RANGE_END, NR_CPUS). */
#define CPU_LIST_CPUS 8192
#define CPU_KINDS_MAX 8

struct cpu_list {
	uint64_t bits[CPU_LIST_CPUS / 64];
};

/* "0-3,8" as sysfs prints it, with or without a newline; "" is nobody.  -EINVAL. */
int cpu_list_parse(const char *text, struct cpu_list *ret);
/* The first line of a file; -errno, or -EINVAL as above. */
int cpu_list_read(const char *path, struct cpu_list *ret);
bool cpu_list_has(const struct cpu_list *l, unsigned cpu);

struct cpu_kind {
	char name[48];	      /* its PMU's */
	uint32_t type;	      /* of its PMU: perf_event_attr.type */
	struct cpu_list cpus; /* on x86 without those that are offline */
};

struct cpu_kinds {
	struct cpu_kind v[CPU_KINDS_MAX]; /* by their first CPU */
	unsigned n;
};

/*
 * What a directory such as CPU_KINDS_DIR tells; none at all is no error.
 * -errno when it cannot be read; -E2BIG: more than CPU_KINDS_MAX.  An entry that
 * makes no sense is left out.  Nothing is to be freed.
 */
int cpu_kinds_read(const char *dir, struct cpu_kinds *ret);

/* More than one kind: an event counts on the CPUs of its own PMU alone. */
bool cpu_kinds_mixed(const struct cpu_kinds *k);
/* NULL: none claims this CPU. */
const struct cpu_kind *cpu_kinds_of(const struct cpu_kinds *k, unsigned cpu);

/*
 * perf_event_attr.config of a PERF_TYPE_HARDWARE event for one kind's PMU: its
 * type in the upper half (PERF_PMU_TYPE_SHIFT in linux/perf_event.h), which x86
 * knows from Linux 5.13 on and arm64 from 6.6 on.  kind NULL: the plain event.
 */
uint64_t cpu_kind_config(const struct cpu_kind *kind, uint32_t event);

/* "cpu_core, cpu_atom"; cut where it does not fit. */
void cpu_kinds_names(const struct cpu_kinds *k, char *ret, size_t size);

#endif
