/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a report goes: all of it, or nothing under the name that was asked for. */
#ifndef PYCOST_OUTPUT_H
#define PYCOST_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

struct output {
	FILE *file;
	char *path; /* what temp becomes, NULL when written in place */
	char *temp;
};

/* NULL or "-" is standard output.  Devices and pipes are written in place. */
int output_open(const char *path, struct output *ret);
/* Closes; a file appears only if every byte was taken. */
int output_commit(struct output *o);
void output_discard(struct output *o);

/*
 * Whether what goes there is read on a terminal in colour, which NO_COLOR and a dumb terminal
 * are not; ret_width is set to a terminal's columns, and stays otherwise.
 */
bool output_is_colored(const char *path, int *ret_width);

#endif
