/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Globs: of endpoints, tags, units, services, and of what stores are asked for. Text is
 * UTF-8, or any bytes.
 *
 * '*' is any text, '/' included; '?' one character; "[a-z]" one of these, "[!a-z]" one of no
 * such; '\' takes the meaning from what follows. All else stands for itself, and so does a
 * '[' that is not closed.
 */
#ifndef PYCOST_GLOB_H
#define PYCOST_GLOB_H

#include <stdbool.h>
#include <stddef.h>

bool glob_matches(const char *glob, const char *text);

/* Whether it has any of these, so that equality will not do. */
bool glob_is_pattern(const char *glob);

/* NULL, or what is wrong with it: a set like "[z-a]". */
const char *glob_objection(const char *glob);

/* ---- what it is made of ---- */

/* The length of a character of UTF-8; 1 of what is none. */
size_t glob_char_size(const char *s);
/* set: from after its '['. The ']' that closes it, or NULL. */
const char *glob_set_end(const char *set);
/* One of a set, and after a '-' the other end of the range that it begins; what follows. */
const char *glob_member_next(const char *set, const char *end, const char **low,
			     const char **high);

#endif
