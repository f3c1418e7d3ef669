/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Breakpoints in one process by BPF's own links of uprobes, without events of its tasks.
 *
 * A task with any event of perf's is dearer to switch to and from, whether or not it is
 * enabled: a microsecond or more each time on a virtual machine.  A link has no such
 * event, but is not inherited by what the process forks.
 * (kernel/trace/bpf_trace.c: bpf_uprobe_multi_link_attach(); it is for all threads of a
 * process, and for no other process, since commits 46ba0e49b642, Linux 6.10, and
 * 900f362e2062, Linux 6.12.)
 */
#ifndef PYCOST_UPROBE_LINK_H
#define PYCOST_UPROBE_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct bpf_object;

/* Linux 6.12 or later, which takes such programs from us. */
bool uprobe_links_work(void);

/* Before they are loaded: its programs are for such links, and for nothing else. */
void uprobe_links_prepare(struct bpf_object *object);

/* A program that does nothing, for a breakpoint that raises a semaphore; -errno. */
int uprobe_link_nothing(void);

/*
 * The program's breakpoint at an offset of the file, in the process pid; semaphore: the
 * offset in the file of what counts who wants it; 0: nothing does.  A descriptor, which
 * takes it back when it is closed, or -errno.  -ESRCH: the process is gone.
 */
int uprobe_link_open(int program_fd, const char *path, uint64_t offset, uint64_t semaphore,
		     pid_t pid);

#endif
