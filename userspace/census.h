/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every process on the machine, as they come: who is new, or another program by now. */
#ifndef PYCOST_CENSUS_H
#define PYCOST_CENSUS_H

#include <sys/types.h>

struct census;

int census_new(struct census **ret);
void census_free(struct census *c);

/*
 * Calls back for each process that was not there the last time, or ran another
 * executable then, but for ourselves and the kernel's own; and, a second time, for one
 * that was new the last time: it may not have loaded by then what it is looked at for.
 * -errno when /proc cannot be read.
 */
int census_take(struct census *c, void (*found)(void *arg, pid_t pid), void *arg);

#endif
