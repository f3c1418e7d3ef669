/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The current task.  From 5.11 on its members are read in place, before that by a call
 * for each: HAS_TASK_BTF is a constant when a program is loaded, and what is behind it
 * drops out.
 */
#ifndef PYCOST_CURRENT_BPF_H
#define PYCOST_CURRENT_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "bpf/task.bpf.h"

enum bpf_func_id___kernel {
	BPF_FUNC_get_current_task_btf___kernel = 158,
};
#define HAS_TASK_BTF                                                                               \
	bpf_core_enum_value_exists(enum bpf_func_id___kernel, BPF_FUNC_get_current_task_btf___kernel)

static __always_inline struct task_struct *task_here(void)
{
	return HAS_TASK_BTF ? bpf_get_current_task_btf() : (void *)bpf_get_current_task();
}

#endif
