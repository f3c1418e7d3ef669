/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Globs (glob.h) for stores: both engines know regular expressions, by the same library (RE2). */
#ifndef PYCOST_QUERY_GLOB_H
#define PYCOST_QUERY_GLOB_H

#include <stdio.h>

/* The expression that matches what the glob does, without anchors, to out. */
void query_glob_write(const char *glob, FILE *out);

#endif
