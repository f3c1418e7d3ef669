/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One build of CPython, by its file's identity: the kernel programs made for it,
 * attached to its USDT probes in every process, or ready for those processes that
 * are to have traps.
 */
#ifndef PYCOST_BUILD_H
#define PYCOST_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/interpreter.h"

struct exact_bpf;
struct build;
struct kernel;
struct hold_by;

/*
 * Makes the programs for this interpreter and attaches them.  pid is a process
 * that runs it, or 0: the survey's child runs in that process's root, under its
 * user.  Errors in words in err.  The interpreter's content moves to the build.
 */
int build_open(struct kernel *k, struct interpreter *in, pid_t pid, struct build **ret, char *err,
	       size_t errlen);
void build_close(struct build *b);

const struct interpreter *build_interpreter(const struct build *b);
/* How its function probes are switched on. */
const struct hold_by *build_hold(const struct build *b);
/* Probe hits that the kernel did not deliver. */
uint64_t build_missed(const struct build *b);
/* What its programs have cost: see phases_cost_of(). */
double build_cost(const struct build *b);
bool build_is(const struct build *b, const struct interpreter *in);

#endif
