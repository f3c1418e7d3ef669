/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Globs for stores: both engines know regular expressions, by the same library (RE2).
 *
 * '*' is any text, '/' included; '?' one character; "[a-z]" one of these, "[!a-z]" one of no
 * such; '\' takes the meaning from what follows. All else stands for itself, and so does a
 * '[' that is not closed.
 */
#ifndef PYCOST_QUERY_GLOB_H
#define PYCOST_QUERY_GLOB_H

#include <stdbool.h>
#include <stdio.h>

/* Whether it has any of these, so that equality will not do. */
bool query_glob_is_pattern(const char *glob);

/* NULL, or what is wrong with it: a set like "[z-a]". */
const char *query_glob_objection(const char *glob);

/* The expression that matches what the glob does, without anchors, to out. */
void query_glob_write(const char *glob, FILE *out);

/* As the store will. */
bool query_glob_matches(const char *glob, const char *text);

#endif
