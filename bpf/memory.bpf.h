/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resident memory of a process.
 *
 * The kernel keeps it in counters that lag: each CPU (from 6.2 on) or each thread (up to
 * 6.1) holds up to some dozens of pages back.  So what one request adds may show in a
 * later one's; the sum over many is right.
 */
#ifndef PYCOST_MEMORY_BPF_H
#define PYCOST_MEMORY_BPF_H

#include "bpf/current.bpf.h"

const volatile __u32 page_size = 4096;

/* Of include/linux/mm_types_task.h */
#define MM_FILEPAGES 0
#define MM_ANONPAGES 1
#define MM_SHMEMPAGES 3

/* Of a task that the verifier knows to be one.  Bytes; 0: it has none any more. */
static __always_inline __s64 rss_of(struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	const struct mm_struct___before_6_2 *old = (void *)mm;
	__s64 pages;

	if (!mm)
		return 0;
	if (bpf_core_type_exists(struct mm_rss_stat))
		pages = BPF_CORE_READ(old, rss_stat.count[MM_FILEPAGES].counter) +
			BPF_CORE_READ(old, rss_stat.count[MM_ANONPAGES].counter) +
			BPF_CORE_READ(old, rss_stat.count[MM_SHMEMPAGES].counter);
	else
		pages = mm->rss_stat[MM_FILEPAGES].count + mm->rss_stat[MM_ANONPAGES].count +
			mm->rss_stat[MM_SHMEMPAGES].count;
	return pages > 0 ? pages * page_size : 0;
}

/* Of the current one, up to 5.10. */
static __always_inline __s64 rss_of_current(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	const struct mm_struct___before_6_2 *mm = (void *)BPF_CORE_READ(task, mm);
	__s64 pages;

	if (!mm)
		return 0;
	pages = BPF_CORE_READ(mm, rss_stat.count[MM_FILEPAGES].counter) +
		BPF_CORE_READ(mm, rss_stat.count[MM_ANONPAGES].counter) +
		BPF_CORE_READ(mm, rss_stat.count[MM_SHMEMPAGES].counter);
	return pages > 0 ? pages * page_size : 0;
}

static __always_inline __s64 rss_here(void)
{
	return HAS_TASK_BTF ? rss_of(task_here()) : rss_of_current();
}

#endif
