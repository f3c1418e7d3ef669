/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Foreign names made fit for a terminal, and numbers made fit for people. */
#ifndef PYCOST_TEXT_H
#define PYCOST_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Copies s as valid UTF-8 without control or direction-changing characters
 * (U+FFFD instead): a file name may hold terminal escapes or a newline.
 * Returns the size with its NUL; out may be NULL to learn only that.
 */
size_t text_repair(char *out, const char *s);

/* Columns on a terminal, in the locale's idea of them.  s is repaired text. */
int text_width(const char *s);

/* Bytes of the longest prefix that fits in width columns. */
size_t text_prefix(const char *s, int width);

/*
 * Prints s in exactly width columns: padded on the right, or cut on the left
 * (the end of a dotted name or path tells more).  width 0: as it is.
 */
void text_print_field(FILE *out, const char *s, int width);

/* "1.234 M", "12.34 ms"; value as it is when exact. */
#define TEXT_AMOUNT_SIZE 32
void text_amount(char out[TEXT_AMOUNT_SIZE], uint64_t value, bool nanoseconds, bool exact);

/* Edits (case aside) that turn a into b. */
unsigned int text_distance(const char *a, const char *b);

#endif
