/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moments and stretches of time, as people write them. */
#ifndef PYCOST_QUERY_TIME_H
#define PYCOST_QUERY_TIME_H

#include <stddef.h>
#include <stdint.h>

/* "90s", "5m", "1h", "2d", "1w", or seconds without a letter: -EINVAL for anything else. */
int query_time_span(const char *text, uint64_t *ret_s);

/*
 * A span stands for so long ago. Else "now", Unix seconds (from nine digits on), or
 * "2026-11-22", "2026-11-22T16:05" and "2026-11-22T16:05:30", with a blank instead of the T
 * and with a "Z" if one likes: these are UTC, as the question may be asked far from where it
 * is answered. -EINVAL: none of these; -ERANGE: before 1970 or after 2105.
 */
int query_time_parse(const char *text, uint64_t now_s, uint64_t *ret_s);

/* "2026-11-22 16:05" or, with seconds that are not 0, "2026-11-22 16:05:30". */
#define QUERY_TIME_SIZE 32
void query_time_text(char out[QUERY_TIME_SIZE], uint64_t s);

/* "5 min", "1 h", "3 d"; else in seconds. */
void query_span_text(char out[QUERY_TIME_SIZE], uint64_t s);

#endif
