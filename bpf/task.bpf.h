/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Just the members of the kernel's structs that are read here; CO-RE finds where the
 * running kernel keeps them.
 */
#ifndef PYCOST_TASK_BPF_H
#define PYCOST_TASK_BPF_H

struct signal_struct {
	struct {
		int counter;
	} live;
	unsigned int flags;
	unsigned long maxrss; /* in pages */
	unsigned long long sum_sched_runtime; /* ns, of threads that have been let go of */
} __attribute__((preserve_access_index));
#define SIGNAL_GROUP_EXIT 0x4 /* include/linux/sched/signal.h */

struct sched_info {
	unsigned long long run_delay; /* ns on a run queue, waiting for a CPU */
} __attribute__((preserve_access_index));

struct atomic_long___kernel {
	long counter;
} __attribute__((preserve_access_index));

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
} __attribute__((preserve_access_index));

struct file_ref___kernel {
	struct atomic_long___kernel refcnt;
} __attribute__((preserve_access_index));

/* f_count up to 6.12; f_ref from 6.13 on, where 0 is one reference. */
struct file {
	struct inode *f_inode;
	void *private_data;
	struct atomic_long___kernel f_count;
	struct file_ref___kernel f_ref;
} __attribute__((preserve_access_index));

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
} __attribute__((preserve_access_index));

struct files_struct {
	struct fdtable *fdt;
} __attribute__((preserve_access_index));

struct percpu_counter {
	long long count;
} __attribute__((preserve_access_index));

struct mm_rss_stat {
	struct atomic_long___kernel count[4];
} __attribute__((preserve_access_index));

/* Pages, by kind: file, anonymous, swapped, shared (include/linux/mm_types_task.h). */
struct mm_struct {
	struct percpu_counter rss_stat[4];
} __attribute__((preserve_access_index));

struct mm_struct___before_6_2 {
	struct mm_rss_stat rss_stat;
} __attribute__((preserve_access_index));

struct thread_struct {
#ifdef __TARGET_ARCH_arm64
	struct {
		unsigned long tp_value;
	} uw;
#else
	unsigned long fsbase;
#endif
} __attribute__((preserve_access_index));

struct sched_entity {
	__u64 sum_exec_runtime; /* ns on CPUs; at a switch it is up to date */
} __attribute__((preserve_access_index));

struct task_struct {
	unsigned int __state; /* from 5.14 on; 0: it runs, or is ready to */
	int pid;
	int tgid;
	unsigned long nvcsw, nivcsw;
	__u64 stime; /* ns in the kernel, as its ticks tell */
	int exit_code;
	struct signal_struct *signal;
	struct files_struct *files;
	struct mm_struct *mm;
	struct task_struct *real_parent, *group_leader;
	struct sched_info sched_info;
	struct sched_entity se;
	struct thread_struct thread;
} __attribute__((preserve_access_index));

#endif
