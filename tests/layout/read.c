/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * read PYTHON MINOR: layout_read() of an interpreter's file against the table, which
 * tests/layout/layout.c has compared with that minor's headers.  Exit status: 0 equal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/layout_read.h"

int main(int argc, char **argv)
{
	struct interpreter in = { .path = argv[1], .major = 3, .minor = argc > 2 ? atoi(argv[2]) : 0 };
	struct interpreter other = in;
	struct cpython_layout l, l2;
	struct cpython_runtime r, r2;
	char why[200] = "";
	int err = layout_read(&in, 0, &l, &r, why, sizeof(why));

	if (err)
		printf("  %d %s\n", err, why);
	/* It was indeed read: it is refused as another version's. */
	other.minor = in.minor == 13 ? 14 : 13;
	if (layout_read(&other, 0, &l2, &r2, why, sizeof(why)) >= 0)
		return 1;
	return err || memcmp(&l, layout_for(in.minor), sizeof(l)) ||
	       memcmp(&r, runtime_for(in.minor, false), sizeof(r));
}
