/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A report in other tools' formats.  All values are corrected ones.  Errors of
 * the stream itself are left to whoever closes it.
 *
 * Costs in kernel mode are in json, pprof and callgrind when they were counted;
 * the other formats have room for one cost.
 */
#ifndef PYCOST_EXPORT_H
#define PYCOST_EXPORT_H

#include <stdio.h>

#include "userspace/report.h"

int export_json(const struct report *r, FILE *out);
int export_folded(const struct report *r, FILE *out);
/* Of the costs in kernel mode, which there have to be. */
int export_folded_kernel(const struct report *r, FILE *out);
int export_speedscope(const struct report *r, FILE *out);
int export_pprof(const struct report *r, FILE *out);
int export_callgrind(const struct report *r, FILE *out);
int export_pstats(const struct report *r, FILE *out);

#endif
