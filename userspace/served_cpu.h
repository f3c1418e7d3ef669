/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPU time that served processes take, by the kernel's own clocks of processes: of
 * what is watched and of what is not.
 */
#ifndef PYCOST_SERVED_CPU_H
#define PYCOST_SERVED_CPU_H

#include <stdint.h>
#include <sys/types.h>

struct served_cpu;

/* map: whose keys are the processes.  -ENOMEM. */
int served_cpu_new(int map, struct served_cpu **ret);
void served_cpu_free(struct served_cpu *c); /* NULL: nothing */

/*
 * ns that those there are now have taken since last asked; nothing of those that have
 * come or gone since.
 */
uint64_t served_cpu_look(struct served_cpu *c);

/* A process's clock: ns since its birth; 0: it is gone. */
uint64_t process_cpu_ns(pid_t pid);

#endif
