/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A report in other tools' formats.  All values are corrected ones.  Errors of
 * the stream itself are left to whoever closes it.
 *
 * Of a sampled recording costs are estimates, and calls are not known: callgrind has
 * self costs only, by line, and pstats cannot do without.
 *
 * Costs in kernel mode are in json, pprof and callgrind when they were counted;
 * the other formats have room for one cost.
 */
#ifndef PYCOST_EXPORT_H
#define PYCOST_EXPORT_H

#include <stdio.h>

#include "userspace/places.h"
#include "userspace/report_endpoints.h"

int export_json(const struct report *r, FILE *out);
/* With the functions of each endpoint; r is as it was afterwards. */
int export_json_endpoints(struct report *r, enum report_sort sort, FILE *out);
/* The lines (of rows alone), opcodes or natives of some rows, or of everything. */
int export_json_places(const struct report *r, enum place_kind kind, const uint32_t *rows,
		       size_t row_count, FILE *out);
int export_folded(const struct report *r, FILE *out);
/* Of samples, with the native functions below the Python ones. */
int export_folded_natives(const struct report *r, FILE *out);
/* Of the costs in kernel mode, which there have to be. */
int export_folded_kernel(const struct report *r, FILE *out);
int export_speedscope(const struct report *r, FILE *out);
int export_pprof(const struct report *r, FILE *out);
int export_callgrind(const struct report *r, FILE *out);
int export_pstats(const struct report *r, FILE *out);

#endif
