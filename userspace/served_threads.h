/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel's programs have noted of the threads of served processes. */
#ifndef PYCOST_SERVED_THREADS_H
#define PYCOST_SERVED_THREADS_H

#include <stdint.h>

struct requests_bpf;

/*
 * As server_forget() in bpf/server.bpf.h: of one, if there is something.  Whoever deletes
 * the entry gives the slot back.
 */
void served_thread_forget(struct requests_bpf *programs, uint32_t tid);
void served_threads_forget(struct requests_bpf *programs); /* of all */

#endif
