/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Patterns of paths, segment by segment.
 *
 * A star within a segment is any characters of it, none too; a segment of two stars is
 * any number of segments, none too. A path ends before '?' or '#', and a slash at the
 * end of either makes no difference. All other characters are themselves, case too.
 */
#ifndef PYCOST_ROUTE_PATTERN_H
#define PYCOST_ROUTE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

bool route_pattern_matches(const char *pattern, const char *path, size_t length);

/*
 * Of a route, in which a segment that is a star stands for any: does the pattern match
 * some path of it, though perhaps not all?
 */
bool route_pattern_may_match(const char *pattern, const char *route, size_t length);

/* Why it is no pattern, in words, or NULL. */
const char *route_pattern_objection(const char *pattern);

#endif
