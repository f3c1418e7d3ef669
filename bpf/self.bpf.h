/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The current thread as its own program knows it. */
#ifndef PYCOST_SELF_BPF_H
#define PYCOST_SELF_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "bpf/task.bpf.h"

/*
 * The thread pointer.  pthread_self() is the same on x86-64, and on arm64 the
 * beginning of a struct that ends there: of 2,272 bytes at most (glibc's struct
 * pthread; musl's is smaller), while each thread has more than a page of its own.
 */
#ifdef __TARGET_ARCH_arm64
#define SELF_SLACK 4095
#else
#define SELF_SLACK 0
#endif

static __always_inline __u64 self_read(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

#ifdef __TARGET_ARCH_arm64
	return BPF_CORE_READ(task, thread.uw.tp_value);
#else
	return BPF_CORE_READ(task, thread.fsbase);
#endif
}

#endif
