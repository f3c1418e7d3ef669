/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Uprobe events of our own, defined through the kernel's tracefs.
 *
 * perf's uprobes without tracefs cannot be inherited: their path is a pointer into
 * the memory of whoever opens them, so the fork of a process with an inherited one
 * fails with EFAULT (perf_uprobe_init() in kernel/trace/trace_event_perf.c, up to
 * 6.18 at least).  One that tracefs has defined is known by a number, is inherited
 * as a tracepoint is, and runs its programs once a hit however many events of
 * processes are open for it (kernel/trace/trace_uprobe.c).
 *
 * A definition does nothing by itself.  It is taken back when it is removed here,
 * and by a helper process when we die before that, by whatever death; what a helper
 * could not remove either, the next pycost does.
 */
#ifndef PYCOST_TRACE_EVENT_H
#define PYCOST_TRACE_EVENT_H

#include <stdint.h>

struct trace_event {
	unsigned number; /* in its name; 0: none */
	int id;		 /* perf_event_attr.config of PERF_TYPE_TRACEPOINT */
};

/*
 * An event that fires at this offset of a file, given by an open descriptor.  Not at
 * several: of such an event the kernel frees all places but one when it is to be
 * removed, without a look at whether it is in use (unregister_trace_uprobe() up to
 * 6.18 at least), and a process that gets to one of them is killed.
 *
 * semaphore: the offset of a counter that the kernel raises where the event's breakpoint
 * is (4.20 and later; Documentation/trace/uprobetracer.rst); 0: none.
 *
 * -EPERM or -EACCES: no right to; -ENOTSUP: the kernel has no tracefs or no uprobe events;
 * -ENOENT: not a file that can have them; -EINVAL: another event there, even one that
 * nobody has open, has another semaphore (validate_ref_ctr_offset()).
 */
int trace_event_define(int fd, uint64_t offset, uint64_t semaphore, struct trace_event *ret);

/* Once nobody has it open any more; waits a little for that. */
void trace_event_remove(struct trace_event *e);

#endif
