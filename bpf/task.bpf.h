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

struct task_struct {
	int pid;
	int tgid;
	unsigned long nvcsw, nivcsw;
	struct signal_struct *signal;
	struct thread_struct thread;
} __attribute__((preserve_access_index));

#endif
