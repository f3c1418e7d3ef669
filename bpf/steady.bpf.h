/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that are not switched off their CPU half way through.
 *
 * From Linux 7.0 on a tracepoint leaves preemption as it is (include/linux/tracepoint.h), and
 * BPF only sees to it that a program stays on its CPU.  When another task comes to the same
 * program there meanwhile, it is not run for it (__bpf_trace_run() in
 * kernel/trace/bpf_trace.c), and what it keeps by CPU would not be its own any more.  What
 * traces functions is like that on all kernels.
 */
#ifndef PYCOST_STEADY_BPF_H
#define PYCOST_STEADY_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* From 6.10 and from 6.14 on. */
extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;
extern void bpf_local_irq_save(unsigned long *flags) __ksym __weak;
extern void bpf_local_irq_restore(unsigned long *flags) __ksym __weak;

/* The kernel has these, and lets global functions be called between them: from 6.15 on. */
const volatile __u8 steady;

static __always_inline void steady_begin(void)
{
	if (steady)
		bpf_preempt_disable();
}

/* Who waits for the CPU gets it when the program has ended, and not right here. */
static __always_inline void steady_end(void)
{
	unsigned long flags;

	if (!steady)
		return;
	bpf_local_irq_save(&flags);
	bpf_preempt_enable();
	bpf_local_irq_restore(&flags);
}

#endif
