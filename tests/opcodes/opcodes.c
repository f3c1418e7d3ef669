/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "NUMBER NAME FAMILY" for each opcode of a minor; usage: opcodes MINOR */
#include <stdio.h>
#include <stdlib.h>

#include "symbolizer/opcodes.h"

int main(int argc, char **argv)
{
	int minor = argc > 1 ? atoi(argv[1]) : 0;

	for (unsigned int i = 0; i < 1000; i++)
		if (opcode_name(minor, i))
			printf("%u %s %s\n", i, opcode_name(minor, i), opcode_family(minor, i));
	return 0;
}
