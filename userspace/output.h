/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a report goes: all of it, or nothing under the name that was asked for. */
#ifndef PYCOST_OUTPUT_H
#define PYCOST_OUTPUT_H

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

#endif
