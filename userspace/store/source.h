/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which tables a stretch of time is read from: days, where a whole one is complete; hours
 * beside them; minutes at the ends and where something came late. What is added up of the
 * pieces is the same as of the minutes alone, had they been kept.
 */
#ifndef PYCOST_SOURCE_H
#define PYCOST_SOURCE_H

#include "userspace/store/engine.h"

/* Stretches up to so long are shown by the minute, or by the hour, unless told. */
#define SOURCE_MINUTES_S (3 * 3600)
#define SOURCE_HOURS_S (7 * 86400)

/* Sets all but the pieces; -ERANGE: step_s of what is wanted, which is not kept. */
int source_choose(const struct store_buckets *b, uint64_t since, uint64_t until, uint32_t step_s,
		  bool by_host, struct store_source *ret);
/* Sets the pieces; -EAGAIN: there are too many. */
int source_cut(const struct store_buckets *b, struct store_source *s);

#endif
